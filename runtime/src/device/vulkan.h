/*===- vulkan.h - What the parts of the Vulkan launcher share ------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_DEVICE_VULKAN_H
#define BITNET_SRC_DEVICE_VULKAN_H

#include "device.h"

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include <pthread.h>

#define BN_VULKAN_INSTANCE_FUNCTIONS(X)                                        \
  X(DestroyInstance)                                                           \
  X(EnumeratePhysicalDevices)                                                  \
  X(GetPhysicalDeviceProperties2)                                              \
  X(GetPhysicalDeviceFeatures2)                                                \
  X(GetPhysicalDeviceQueueFamilyProperties)                                    \
  X(GetPhysicalDeviceMemoryProperties)                                         \
  X(CreateDevice)                                                              \
  X(GetDeviceProcAddr)

#define BN_VULKAN_DEVICE_FUNCTIONS(X)                                          \
  X(DestroyDevice)                                                             \
  X(GetDeviceQueue)                                                            \
  X(CreateBuffer)                                                              \
  X(DestroyBuffer)                                                             \
  X(GetBufferMemoryRequirements)                                               \
  X(AllocateMemory)                                                            \
  X(FreeMemory)                                                                \
  X(BindBufferMemory)                                                          \
  X(MapMemory)                                                                 \
  X(CreateShaderModule)                                                        \
  X(DestroyShaderModule)                                                       \
  X(CreateDescriptorSetLayout)                                                 \
  X(DestroyDescriptorSetLayout)                                                \
  X(CreatePipelineLayout)                                                      \
  X(DestroyPipelineLayout)                                                     \
  X(CreateComputePipelines)                                                    \
  X(DestroyPipeline)                                                           \
  X(CreateDescriptorPool)                                                      \
  X(DestroyDescriptorPool)                                                     \
  X(AllocateDescriptorSets)                                                    \
  X(UpdateDescriptorSets)                                                      \
  X(CreateCommandPool)                                                         \
  X(DestroyCommandPool)                                                        \
  X(ResetCommandPool)                                                          \
  X(AllocateCommandBuffers)                                                    \
  X(BeginCommandBuffer)                                                        \
  X(EndCommandBuffer)                                                          \
  X(CmdBindPipeline)                                                           \
  X(CmdBindDescriptorSets)                                                     \
  X(CmdPushConstants)                                                          \
  X(CmdDispatch)                                                               \
  X(CmdPipelineBarrier)                                                        \
  X(CmdCopyBuffer)                                                             \
  X(CmdFillBuffer)                                                             \
  X(QueueSubmit)                                                               \
  X(CreateFence)                                                               \
  X(DestroyFence)                                                              \
  X(ResetFences)                                                               \
  X(WaitForFences)                                                             \
  X(CreateQueryPool)                                                           \
  X(DestroyQueryPool)                                                          \
  X(CmdResetQueryPool)                                                         \
  X(CmdWriteTimestamp)                                                         \
  X(GetQueryPoolResults)

enum {
  VULKAN_MAXIMUM_BUFFERS = 64, /* of a kernel */
  VULKAN_MAXIMUM_WORDS = 32,   /* of push constants: what every device has */
};

#define BN_VULKAN_DECLARE(name) PFN_vk##name name;

/* A buffer with memory of its own. */
typedef struct vulkan_buffer {
  VkBuffer buffer;
  VkDeviceMemory memory;
  uint64_t bytes;
} vulkan_buffer;

/* Where a buffer lies among the device's addresses, which are never used
   twice. */
typedef struct vulkan_allocation {
  uint64_t address;
  vulkan_buffer buffer;
} vulkan_allocation;

/* The features that have a word, as Vulkan reports and takes them. */
typedef struct vulkan_features {
  VkPhysicalDeviceFeatures2 core;
  VkPhysicalDeviceVulkan11Features v11;
  VkPhysicalDeviceVulkan12Features v12;
  VkPhysicalDeviceVulkan13Features v13; /* with Vulkan 1.3 only */
} vulkan_features;

typedef struct vulkan_device {
  bn_device base;
  VkInstance instance;
  VkPhysicalDevice physical;
  VkPhysicalDeviceProperties properties;
  VkPhysicalDeviceSubgroupProperties subgroups;
  VkPhysicalDeviceMaintenance3Properties limits;
  VkPhysicalDeviceMemoryProperties memory;
  vulkan_features features;
  uint32_t queue_family;
  bool has_clock; /* the queue takes timestamps */
  char description[320];

  VkDevice device; /* NULL until started */
  VkQueue queue;
  pthread_mutex_t mutex;          /* of the queue and the allocations */
  vulkan_allocation *allocations; /* by address */
  uint32_t allocation_count, allocation_capacity;
  uint64_t next_address;

  PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
  BN_VULKAN_INSTANCE_FUNCTIONS(BN_VULKAN_DECLARE)
  BN_VULKAN_DEVICE_FUNCTIONS(BN_VULKAN_DECLARE)
} vulkan_device;

typedef struct vulkan_kernel {
  const bn_kernel *info;
  VkPipelineLayout layout;
  VkPipeline pipeline;
  uint32_t buffer_count, word_count;
} vulkan_kernel;

struct bn_program {
  vulkan_device *device;
  vulkan_kernel *kernels;
  VkShaderModule *modules;
  uint32_t kernel_count, module_count;
  /* By the number of buffers; made where a kernel has so many. */
  VkDescriptorSetLayout sets[VULKAN_MAXIMUM_BUFFERS + 1];
};

/* Reports a result, after what was to be done. */
int32_t vulkan_fail(VkResult result, const char *what, bn_status *status);

/* vulkan_features.c */
void vulkan_query_features(vulkan_device *device);
/* The chain to create a device with: what it has of the features. */
void vulkan_enable_features(const vulkan_device *device,
                            vulkan_features *enabled);
bool vulkan_has_feature(const bn_device *device, const char *feature);

/* vulkan_memory.c */

/* A buffer in memory that has all of `flags`, and of `wanted` if it can be. */
int32_t vulkan_create_buffer(vulkan_device *device, uint64_t bytes,
                             VkMemoryPropertyFlags flags,
                             VkMemoryPropertyFlags wanted,
                             vulkan_buffer *buffer, bn_status *status);
void vulkan_destroy_buffer(vulkan_device *device, vulkan_buffer *buffer);
/* The buffer that holds `bytes` from an address on, and where in it. */
int32_t vulkan_find(vulkan_device *device, uint64_t address, uint64_t bytes,
                    vulkan_buffer *buffer, uint64_t *offset, bn_status *status);
int32_t vulkan_allocate(bn_device *device, uint64_t bytes, uint64_t *address,
                        bn_status *status);
void vulkan_release(bn_device *device, uint64_t address);
uint64_t vulkan_buffer_range(const bn_device *device);

/* vulkan_program.c */
int32_t vulkan_load(bn_device *device, const bn_kernel *kernels, uint32_t count,
                    bn_program **program, bn_status *status);
void vulkan_unload(bn_program *program);

/* vulkan_stream.c */
int32_t vulkan_create_stream(bn_device *device, bn_program *program,
                             uint32_t entries, bn_stream **stream,
                             bn_status *status);
void vulkan_destroy_stream(bn_stream *stream);
int32_t vulkan_begin(bn_stream *stream, uint32_t entry, bn_status *status);
int32_t vulkan_launch(bn_stream *stream, uint32_t kernel, const uint32_t *grid,
                      const uint64_t *arguments, bn_status *status);
int32_t vulkan_copy(bn_stream *stream, uint64_t destination, uint64_t source,
                    uint64_t bytes, bn_status *status);
int32_t vulkan_clear(bn_stream *stream, uint64_t address, uint64_t bytes,
                     bn_status *status);
int32_t vulkan_write(bn_stream *stream, uint64_t destination, const void *host,
                     uint64_t bytes, bn_status *status);
int32_t vulkan_read(bn_stream *stream, void *host, uint64_t source,
                    uint64_t bytes, bn_status *status);
int32_t vulkan_submit(bn_stream *stream, bn_status *status);
int32_t vulkan_wait(bn_stream *stream, bn_status *status);
int32_t vulkan_start_timing(bn_stream *stream, bn_status *status);
double vulkan_seconds(bn_stream *stream);

#endif /* BITNET_SRC_DEVICE_VULKAN_H */
