/*===- vulkan.c - Vulkan's devices ---------------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "vulkan.h"

#include "../status.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAXIMUM_DEVICES = 64, MAXIMUM_FAMILIES = 32 };

static const char *result_name(VkResult result) {
  switch (result) {
  case VK_ERROR_OUT_OF_HOST_MEMORY:
    return "VK_ERROR_OUT_OF_HOST_MEMORY";
  case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    return "VK_ERROR_OUT_OF_DEVICE_MEMORY";
  case VK_ERROR_INITIALIZATION_FAILED:
    return "VK_ERROR_INITIALIZATION_FAILED";
  case VK_ERROR_DEVICE_LOST:
    return "VK_ERROR_DEVICE_LOST";
  case VK_ERROR_MEMORY_MAP_FAILED:
    return "VK_ERROR_MEMORY_MAP_FAILED";
  case VK_ERROR_FEATURE_NOT_PRESENT:
    return "VK_ERROR_FEATURE_NOT_PRESENT";
  case VK_ERROR_INCOMPATIBLE_DRIVER:
    return "VK_ERROR_INCOMPATIBLE_DRIVER";
  case VK_ERROR_TOO_MANY_OBJECTS:
    return "VK_ERROR_TOO_MANY_OBJECTS";
  case VK_ERROR_INVALID_SHADER_NV:
    return "VK_ERROR_INVALID_SHADER_NV";
  default:
    return "VkResult";
  }
}

int32_t vulkan_fail(VkResult result, const char *what, bn_status *status) {
  bool exhausted = result == VK_ERROR_OUT_OF_HOST_MEMORY ||
                   result == VK_ERROR_OUT_OF_DEVICE_MEMORY;
  return bn_report(status, exhausted ? BN_OUT_OF_MEMORY : BN_FAILED,
                   "Vulkan: %s: %s (%d)", what, result_name(result), result);
}

/*===----------------------------------------------------------------------===
 * The loader and its devices
 *===----------------------------------------------------------------------===*/

static int32_t create_instance(vulkan_device *device, bn_status *status) {
  PFN_vkGetInstanceProcAddr get = device->GetInstanceProcAddr;
  PFN_vkEnumerateInstanceVersion enumerate_version =
      (PFN_vkEnumerateInstanceVersion)get(NULL, "vkEnumerateInstanceVersion");
  uint32_t version = VK_API_VERSION_1_0;
  if (enumerate_version)
    enumerate_version(&version);
  if (version < VK_API_VERSION_1_2)
    return bn_report(status, BN_UNSUPPORTED,
                     "Vulkan: libvulkan.so.1 is too old: it is for Vulkan "
                     "%u.%u, 1.2 is needed",
                     VK_API_VERSION_MAJOR(version),
                     VK_API_VERSION_MINOR(version));
  PFN_vkCreateInstance create =
      (PFN_vkCreateInstance)get(NULL, "vkCreateInstance");
  VkApplicationInfo application = {
      .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
      .pEngineName = "bitnet-mlir",
      .apiVersion = VK_API_VERSION_1_3,
  };
  VkInstanceCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
      .pApplicationInfo = &application,
  };
  VkResult result = create ? create(&info, NULL, &device->instance)
                           : VK_ERROR_INITIALIZATION_FAILED;
  if (result) {
    device->instance = NULL;
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
      return bn_report(status, BN_UNSUPPORTED,
                       "Vulkan: no device: libvulkan.so.1 is there but finds "
                       "no driver of a device");
    return vulkan_fail(result, "the loader does not start", status);
  }
#define BN_VULKAN_FIND(name)                                                   \
  device->name = (PFN_vk##name)get(device->instance, "vk" #name);              \
  if (!device->name)                                                           \
    return bn_report(status, BN_UNSUPPORTED,                                   \
                     "Vulkan: libvulkan.so.1 is too old: it lacks vk" #name);
  BN_VULKAN_INSTANCE_FUNCTIONS(BN_VULKAN_FIND)
#undef BN_VULKAN_FIND
  return BN_OK;
}

/* A family of queues that computes, UINT32_MAX where there is none. */
static uint32_t find_queue_family(const vulkan_device *device,
                                  VkPhysicalDevice physical, bool *has_clock) {
  VkQueueFamilyProperties families[MAXIMUM_FAMILIES];
  uint32_t count = MAXIMUM_FAMILIES;
  device->GetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
  for (uint32_t i = 0; i < count; ++i)
    if (families[i].queueCount &&
        (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) {
      *has_clock = families[i].timestampValidBits >= 36;
      return i;
    }
  return UINT32_MAX;
}

/* What speaks against a device, NULL if nothing. */
static const char *find_obstacle(const vulkan_device *device,
                                 VkPhysicalDevice physical,
                                 const VkPhysicalDeviceProperties *properties) {
  if (properties->apiVersion < VK_API_VERSION_1_2)
    return "its driver is too old: Vulkan 1.2 is needed";
  bool has_clock;
  if (find_queue_family(device, physical, &has_clock) == UINT32_MAX)
    return "it does not compute";
  if (properties->limits.minStorageBufferOffsetAlignment > BN_ALIGNMENT)
    return "it aligns buffers to more than 64 bytes";
  return NULL;
}

/* Discrete GPUs before integrated ones, and processors that play one last. */
static int rank_of(VkPhysicalDeviceType type) {
  switch (type) {
  case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
    return 4;
  case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
    return 3;
  case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
    return 2;
  case VK_PHYSICAL_DEVICE_TYPE_OTHER:
    return 1;
  default:
    return 0;
  }
}

static VkPhysicalDeviceProperties properties_of(const vulkan_device *device,
                                                VkPhysicalDevice physical) {
  VkPhysicalDeviceProperties2 properties = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
  device->GetPhysicalDeviceProperties2(physical, &properties);
  return properties.properties;
}

static void describe_device(const VkPhysicalDeviceProperties *properties,
                            char *text, size_t bytes) {
  snprintf(text, bytes, "%s (Vulkan %u.%u.%u)", properties->deviceName,
           VK_API_VERSION_MAJOR(properties->apiVersion),
           VK_API_VERSION_MINOR(properties->apiVersion),
           VK_API_VERSION_PATCH(properties->apiVersion));
}

static int32_t choose_device(vulkan_device *device, bn_status *status) {
  VkPhysicalDevice found[MAXIMUM_DEVICES];
  uint32_t count = MAXIMUM_DEVICES;
  VkResult result =
      device->EnumeratePhysicalDevices(device->instance, &count, found);
  if (result < 0)
    return vulkan_fail(result, "the devices cannot be listed", status);
  if (!count)
    return bn_report(status, BN_UNSUPPORTED,
                     "Vulkan: no device: the drivers find none");
  int64_t chosen;
  int32_t code =
      bn_device_chosen("BITNET_VULKAN_DEVICE", count, &chosen, status);
  if (code)
    return code;
  int best = -1;
  char refused[400] = "";
  for (uint32_t i = 0; i < count; ++i) {
    if (chosen >= 0 && i != chosen)
      continue;
    VkPhysicalDeviceProperties properties = properties_of(device, found[i]);
    const char *obstacle = find_obstacle(device, found[i], &properties);
    if (obstacle) {
      size_t used = strlen(refused);
      snprintf(refused + used, sizeof(refused) - used,
               "%s%s (Vulkan %u.%u): %s", used ? "; " : "",
               properties.deviceName,
               VK_API_VERSION_MAJOR(properties.apiVersion),
               VK_API_VERSION_MINOR(properties.apiVersion), obstacle);
    } else if (rank_of(properties.deviceType) > best) {
      best = rank_of(properties.deviceType);
      device->physical = found[i];
    }
  }
  if (best < 0)
    return bn_report(status, BN_UNSUPPORTED, "Vulkan: no device serves: %s",
                     refused);
  return BN_OK;
}

static void query_device(vulkan_device *device) {
  device->limits.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
  device->subgroups.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES;
  device->subgroups.pNext = &device->limits;
  VkPhysicalDeviceProperties2 properties = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
      .pNext = &device->subgroups};
  device->GetPhysicalDeviceProperties2(device->physical, &properties);
  device->properties = properties.properties;
  device->GetPhysicalDeviceMemoryProperties(device->physical, &device->memory);
  device->queue_family =
      find_queue_family(device, device->physical, &device->has_clock);
  vulkan_query_features(device);
  describe_device(&device->properties, device->description,
                  sizeof(device->description));
}

static void vulkan_close(bn_device *base) {
  vulkan_device *device = (vulkan_device *)base;
  if (!device)
    return;
  if (device->device)
    device->DestroyDevice(device->device, NULL);
  if (device->instance && device->DestroyInstance)
    device->DestroyInstance(device->instance, NULL);
  pthread_mutex_destroy(&device->mutex);
  free(device->allocations);
  free(device);
}

static int32_t vulkan_open(bn_device **opened, bn_status *status) {
  vulkan_device *device = calloc(1, sizeof(*device));
  if (!device)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  device->base.api = &bn_vulkan_api;
  device->next_address = UINT64_C(1) << 32;
  pthread_mutex_init(&device->mutex, NULL);
  void *library;
  int32_t code = bn_device_load_driver(
      "BITNET_VULKAN_DRIVER", "libvulkan.so.1",
      "Vulkan: no driver: libvulkan.so.1 cannot be loaded", &library, status);
  if (!code) {
    *(void **)&device->GetInstanceProcAddr =
        dlsym(library, "vkGetInstanceProcAddr");
    code = device->GetInstanceProcAddr
               ? create_instance(device, status)
               : bn_report(status, BN_UNSUPPORTED,
                           "Vulkan: libvulkan.so.1 lacks "
                           "vkGetInstanceProcAddr");
  }
  if (!code)
    code = choose_device(device, status);
  if (code) {
    vulkan_close(&device->base);
    return code;
  }
  query_device(device);
  *opened = &device->base;
  return BN_OK;
}

static const char *vulkan_describe(const bn_device *base) {
  return ((const vulkan_device *)base)->description;
}

static bool vulkan_is_processor(const bn_device *base) {
  return ((const vulkan_device *)base)->properties.deviceType ==
         VK_PHYSICAL_DEVICE_TYPE_CPU;
}

static int32_t vulkan_start(bn_device *base, bn_status *status) {
  vulkan_device *device = (vulkan_device *)base;
  if (device->device)
    return BN_OK;
  vulkan_features enabled;
  vulkan_enable_features(device, &enabled);
  float priority = 1;
  VkDeviceQueueCreateInfo queue = {
      .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
      .queueFamilyIndex = device->queue_family,
      .queueCount = 1,
      .pQueuePriorities = &priority};
  VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                             .pNext = &enabled.core,
                             .queueCreateInfoCount = 1,
                             .pQueueCreateInfos = &queue};
  VkResult result =
      device->CreateDevice(device->physical, &info, NULL, &device->device);
  if (result) {
    device->device = NULL;
    return vulkan_fail(result, "the device cannot be had", status);
  }
  const char *lacking = NULL;
#define BN_VULKAN_FIND(name)                                                   \
  device->name =                                                               \
      (PFN_vk##name)device->GetDeviceProcAddr(device->device, "vk" #name);     \
  if (!device->name)                                                           \
    lacking = "vk" #name;
  BN_VULKAN_DEVICE_FUNCTIONS(BN_VULKAN_FIND)
#undef BN_VULKAN_FIND
  if (lacking) {
    if (device->DestroyDevice)
      device->DestroyDevice(device->device, NULL);
    device->device = NULL;
    return bn_report(status, BN_UNSUPPORTED, "Vulkan: the driver lacks %s",
                     lacking);
  }
  device->GetDeviceQueue(device->device, device->queue_family, 0,
                         &device->queue);
  return BN_OK;
}

static void *vulkan_allocate_host(bn_device *device, uint64_t bytes) {
  (void)device;
  return calloc(1, bytes ? bytes : 1);
}

static void vulkan_release_host(bn_device *device, void *pointer) {
  (void)device;
  free(pointer);
}

const bn_device_api bn_vulkan_api = {
    .name = "Vulkan",
    .open = vulkan_open,
    .close = vulkan_close,
    .has_feature = vulkan_has_feature,
    .describe = vulkan_describe,
    .is_processor = vulkan_is_processor,
    .start = vulkan_start,
    .allocate = vulkan_allocate,
    .release = vulkan_release,
    .buffer_range = vulkan_buffer_range,
    .allocate_host = vulkan_allocate_host,
    .release_host = vulkan_release_host,
    .load = vulkan_load,
    .unload = vulkan_unload,
    .create_stream = vulkan_create_stream,
    .destroy_stream = vulkan_destroy_stream,
    .begin = vulkan_begin,
    .launch = vulkan_launch,
    .copy = vulkan_copy,
    .clear = vulkan_clear,
    .write = vulkan_write,
    .read = vulkan_read,
    .submit = vulkan_submit,
    .wait = vulkan_wait,
    .start_timing = vulkan_start_timing,
    .seconds = vulkan_seconds,
};
