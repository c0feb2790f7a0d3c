/*===- vulkan_memory.c - Memory of Vulkan's devices ----------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Vulkan's memory has no addresses that all devices would give, so each
 * allocation gets a range of numbers. No range is used twice: what remembers an
 * address cannot mistake it for another allocation's.
 *
 *===----------------------------------------------------------------------===*/

#include "../status.h"
#include "vulkan.h"

#include <stdlib.h>
#include <string.h>

enum { ADDRESS_GAP = 1 << 16 };

/* A type of memory among `allowed`, UINT32_MAX where there is none. */
static uint32_t find_type(const vulkan_device *device, uint32_t allowed,
                          VkMemoryPropertyFlags flags) {
  for (uint32_t i = 0; i < device->memory.memoryTypeCount; ++i)
    if ((allowed >> i & 1) &&
        (device->memory.memoryTypes[i].propertyFlags & flags) == flags)
      return i;
  return UINT32_MAX;
}

static VkResult bind_memory(vulkan_device *device, vulkan_buffer *buffer,
                            VkMemoryPropertyFlags flags,
                            VkMemoryPropertyFlags wanted) {
  VkMemoryRequirements needs;
  device->GetBufferMemoryRequirements(device->device, buffer->buffer, &needs);
  uint32_t type = find_type(device, needs.memoryTypeBits, flags | wanted);
  if (type == UINT32_MAX)
    type = find_type(device, needs.memoryTypeBits, flags);
  if (type == UINT32_MAX)
    return VK_ERROR_FEATURE_NOT_PRESENT;
  VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                               .allocationSize = needs.size,
                               .memoryTypeIndex = type};
  VkResult result =
      device->AllocateMemory(device->device, &info, NULL, &buffer->memory);
  if (result)
    return result;
  return device->BindBufferMemory(device->device, buffer->buffer,
                                  buffer->memory, 0);
}

int32_t vulkan_create_buffer(vulkan_device *device, uint64_t bytes,
                             VkMemoryPropertyFlags flags,
                             VkMemoryPropertyFlags wanted,
                             vulkan_buffer *buffer, bn_status *status) {
  memset(buffer, 0, sizeof(*buffer));
  VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
  /* Sizes near the end of the range would overflow in drivers. */
  if (bytes <= device->limits.maxMemoryAllocationSize) {
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                               .size = bytes,
                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                        VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                        VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                               .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    buffer->bytes = bytes;
    result = device->CreateBuffer(device->device, &info, NULL, &buffer->buffer);
    if (!result)
      result = bind_memory(device, buffer, flags, wanted);
  }
  if (!result)
    return BN_OK;
  vulkan_destroy_buffer(device, buffer);
  if (bytes > device->limits.maxMemoryAllocationSize)
    return bn_report(
        status, BN_OUT_OF_MEMORY,
        "Vulkan: out of device memory: %llu bytes are asked for, "
        "at most %llu are given at a time",
        (unsigned long long)bytes,
        (unsigned long long)device->limits.maxMemoryAllocationSize);
  if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY ||
      result == VK_ERROR_OUT_OF_HOST_MEMORY)
    return bn_report(status, BN_OUT_OF_MEMORY,
                     "Vulkan: out of %s memory: %llu bytes are asked for, "
                     "which the driver cannot give",
                     result == VK_ERROR_OUT_OF_HOST_MEMORY ? "host" : "device",
                     (unsigned long long)bytes);
  return vulkan_fail(result, "no memory is given", status);
}

void vulkan_destroy_buffer(vulkan_device *device, vulkan_buffer *buffer) {
  if (buffer->buffer)
    device->DestroyBuffer(device->device, buffer->buffer, NULL);
  if (buffer->memory)
    device->FreeMemory(device->device, buffer->memory, NULL);
  memset(buffer, 0, sizeof(*buffer));
}

/* The index of the last allocation at or below an address, plus one. The mutex
   is held. */
static uint32_t position_of(const vulkan_device *device, uint64_t address) {
  uint32_t begin = 0, end = device->allocation_count;
  while (begin < end) {
    uint32_t middle = begin + (end - begin) / 2;
    if (device->allocations[middle].address <= address)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

int32_t vulkan_find(vulkan_device *device, uint64_t address, uint64_t bytes,
                    vulkan_buffer *buffer, uint64_t *offset,
                    bn_status *status) {
  pthread_mutex_lock(&device->mutex);
  uint32_t position = position_of(device, address);
  bool found = false;
  if (position) {
    const vulkan_allocation *allocation = &device->allocations[position - 1];
    *buffer = allocation->buffer;
    *offset = address - allocation->address;
    found = *offset < buffer->bytes && bytes <= buffer->bytes - *offset;
  }
  pthread_mutex_unlock(&device->mutex);
  return found ? BN_OK
               : bn_report(status, BN_FAILED,
                           "Vulkan: no allocation has %llu bytes at the "
                           "address 0x%llx",
                           (unsigned long long)bytes,
                           (unsigned long long)address);
}

int32_t vulkan_allocate(bn_device *base, uint64_t bytes, uint64_t *address,
                        bn_status *status) {
  vulkan_device *device = (vulkan_device *)base;
  vulkan_allocation added;
  /* More than is asked for, so that an empty tensor at the end lies within. */
  if (!__builtin_add_overflow(bytes, 2 * BN_ALIGNMENT - 1, &bytes))
    bytes = bytes / BN_ALIGNMENT * BN_ALIGNMENT;
  else
    bytes = UINT64_MAX;
  int32_t code =
      vulkan_create_buffer(device, bytes, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                           0, &added.buffer, status);
  if (code)
    return code;
  pthread_mutex_lock(&device->mutex);
  if (device->allocation_count == device->allocation_capacity) {
    uint32_t capacity = device->allocation_capacity * 2 + 16;
    vulkan_allocation *grown =
        realloc(device->allocations, capacity * sizeof(*grown));
    if (!grown) {
      pthread_mutex_unlock(&device->mutex);
      vulkan_destroy_buffer(device, &added.buffer);
      return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
    }
    device->allocations = grown;
    device->allocation_capacity = capacity;
  }
  added.address = device->next_address;
  device->next_address +=
      (bytes + 2 * ADDRESS_GAP - 1) / ADDRESS_GAP * ADDRESS_GAP;
  device->allocations[device->allocation_count++] = added;
  pthread_mutex_unlock(&device->mutex);
  *address = added.address;
  return BN_OK;
}

uint64_t vulkan_buffer_range(const bn_device *base) {
  /* Whole words of it. */
  return ((const vulkan_device *)base)
             ->properties.limits.maxStorageBufferRange /
         4 * 4;
}

void vulkan_release(bn_device *base, uint64_t address) {
  vulkan_device *device = (vulkan_device *)base;
  pthread_mutex_lock(&device->mutex);
  uint32_t position = position_of(device, address);
  vulkan_buffer released = {0};
  if (position && device->allocations[position - 1].address == address) {
    released = device->allocations[position - 1].buffer;
    memmove(&device->allocations[position - 1], &device->allocations[position],
            (device->allocation_count - position) *
                sizeof(*device->allocations));
    --device->allocation_count;
  }
  pthread_mutex_unlock(&device->mutex);
  vulkan_destroy_buffer(device, &released);
}
