/*===- FakeVulkan.c - A loader of Vulkan that fails ----------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Stands in for libvulkan.so.1 and hands on what it is asked to that library,
 * but for what the environment's FAKE_VULKAN says goes wrong.
 *
 *===----------------------------------------------------------------------===*/

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool goes_wrong(const char *what) {
  const char *wrong = getenv("FAKE_VULKAN");
  return wrong && strcmp(wrong, what) == 0;
}

static PFN_vkGetInstanceProcAddr real_loader(void) {
  void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
  PFN_vkGetInstanceProcAddr get = NULL;
  if (library)
    *(void **)&get = dlsym(library, "vkGetInstanceProcAddr");
  return get;
}

static PFN_vkGetPhysicalDeviceProperties2 real_properties;
static PFN_vkGetDeviceProcAddr real_device_function;
static PFN_vkAllocateMemory real_allocate;

static VkResult old_version(uint32_t *version) {
  *version = VK_MAKE_API_VERSION(0, 1, 1, 70);
  return VK_SUCCESS;
}

static VkResult create_nothing(const VkInstanceCreateInfo *info,
                               const VkAllocationCallbacks *allocator,
                               VkInstance *instance) {
  (void)info, (void)allocator, (void)instance;
  return VK_ERROR_INCOMPATIBLE_DRIVER;
}

static VkResult list_nothing(VkInstance instance, uint32_t *count,
                             VkPhysicalDevice *devices) {
  (void)instance, (void)devices;
  *count = 0;
  return VK_SUCCESS;
}

static void changed_properties(VkPhysicalDevice device,
                               VkPhysicalDeviceProperties2 *properties) {
  real_properties(device, properties);
  if (goes_wrong("old device"))
    properties->properties.apiVersion = VK_MAKE_API_VERSION(0, 1, 1, 42);
  if (goes_wrong("nothing, on a GPU"))
    properties->properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
  if (goes_wrong("nothing, on a processor"))
    properties->properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_CPU;
  if (goes_wrong("alignment"))
    properties->properties.limits.minStorageBufferOffsetAlignment = 256;
}

static VkResult allocate_little(VkDevice device,
                                const VkMemoryAllocateInfo *info,
                                const VkAllocationCallbacks *allocator,
                                VkDeviceMemory *memory) {
  return info->allocationSize > 1000
             ? VK_ERROR_OUT_OF_DEVICE_MEMORY
             : real_allocate(device, info, allocator, memory);
}

static VkResult refuse_pipelines(VkDevice device, VkPipelineCache cache,
                                 uint32_t count,
                                 const VkComputePipelineCreateInfo *infos,
                                 const VkAllocationCallbacks *allocator,
                                 VkPipeline *pipelines) {
  (void)device, (void)cache, (void)count, (void)infos, (void)allocator;
  *pipelines = VK_NULL_HANDLE;
  return VK_ERROR_INVALID_SHADER_NV;
}

static VkResult lose_device(VkQueue queue, uint32_t count,
                            const VkSubmitInfo *infos, VkFence fence) {
  (void)queue, (void)count, (void)infos, (void)fence;
  return VK_ERROR_DEVICE_LOST;
}

static PFN_vkVoidFunction device_function(VkDevice device, const char *name) {
  PFN_vkVoidFunction real = real_device_function(device, name);
  if (goes_wrong("no memory") && strcmp(name, "vkAllocateMemory") == 0) {
    real_allocate = (PFN_vkAllocateMemory)real;
    return (PFN_vkVoidFunction)allocate_little;
  }
  if (goes_wrong("bad kernel") && strcmp(name, "vkCreateComputePipelines") == 0)
    return (PFN_vkVoidFunction)refuse_pipelines;
  if (goes_wrong("lost") && strcmp(name, "vkQueueSubmit") == 0)
    return (PFN_vkVoidFunction)lose_device;
  return real;
}

__attribute__((visibility("default"))) PFN_vkVoidFunction
vkGetInstanceProcAddr(VkInstance instance, const char *name) {
  if (goes_wrong("old loader") &&
      strcmp(name, "vkEnumerateInstanceVersion") == 0)
    return (PFN_vkVoidFunction)old_version;
  if (goes_wrong("no driver") && strcmp(name, "vkCreateInstance") == 0)
    return (PFN_vkVoidFunction)create_nothing;
  PFN_vkGetInstanceProcAddr get = real_loader();
  PFN_vkVoidFunction real = get ? get(instance, name) : NULL;
  if (goes_wrong("no device") &&
      strcmp(name, "vkEnumeratePhysicalDevices") == 0)
    return (PFN_vkVoidFunction)list_nothing;
  if (strcmp(name, "vkGetPhysicalDeviceProperties2") == 0) {
    real_properties = (PFN_vkGetPhysicalDeviceProperties2)real;
    return (PFN_vkVoidFunction)changed_properties;
  }
  if (strcmp(name, "vkGetDeviceProcAddr") == 0) {
    real_device_function = (PFN_vkGetDeviceProcAddr)real;
    return (PFN_vkVoidFunction)device_function;
  }
  return real;
}
