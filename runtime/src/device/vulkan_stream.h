/*===- vulkan_stream.h - The parts of a stream of Vulkan -----------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_DEVICE_VULKAN_STREAM_H
#define BITNET_SRC_DEVICE_VULKAN_STREAM_H

#include "vulkan.h"

/* A descriptor set, and what it binds. Calls of an entry launch much the same:
   a set that a launch left is often right for the next call's. */
typedef struct vulkan_binding {
  VkDescriptorSet set;
  uint32_t buffer_count;
  uint64_t *addresses;
} vulkan_binding;

/* The bindings of an entry's launches, in their order. */
typedef struct vulkan_bindings {
  vulkan_binding *bindings;
  uint32_t count;
} vulkan_bindings;

/* The descriptor sets of a stream. */
typedef struct vulkan_sets {
  vulkan_device *device;
  VkDescriptorPool *pools; /* the last one is not full yet */
  uint32_t pool_count;
  /* Sets without use, by the number of their buffers. */
  VkDescriptorSet *unused[VULKAN_MAXIMUM_BUFFERS + 1];
  uint32_t unused_count[VULKAN_MAXIMUM_BUFFERS + 1];
  vulkan_bindings *entries;
  uint32_t entry_count;
} vulkan_sets;

bool vulkan_sets_create(vulkan_sets *sets, vulkan_device *device,
                        uint32_t entries);
void vulkan_sets_destroy(vulkan_sets *sets);

/* The set for launch number `index` of a call of `entry`, which binds the
   buffers among the kernel's arguments. No work under way may use what an
   earlier call got under the same number. */
int32_t vulkan_sets_bind(vulkan_sets *sets, bn_program *program, uint32_t entry,
                         uint32_t index, const vulkan_kernel *kernel,
                         const uint64_t *arguments, VkDescriptorSet *set,
                         bn_status *status);

#endif /* BITNET_SRC_DEVICE_VULKAN_STREAM_H */
