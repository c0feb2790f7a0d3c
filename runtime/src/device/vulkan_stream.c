/*===- vulkan_stream.c - Work in its order on Vulkan ---------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Work is recorded into command buffers, a part of which goes to the queue
 * whenever it is long enough to keep the device busy, and the rest when the
 * host waits. Bytes to and from the host pass through a buffer that both see.
 *
 *===----------------------------------------------------------------------===*/

#include "vulkan_stream.h"

#include "../status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  COMMANDS_PER_PART = 128,
  MINIMUM_STAGING = 1 << 16,
  MAXIMUM_STAGING = 1 << 22,
};

struct bn_stream {
  vulkan_device *device;
  bn_program *program;
  vulkan_sets sets;
  uint32_t entry, launch; /* where the call under way is */

  VkCommandPool pool;
  VkCommandBuffer *parts;
  uint32_t part_count, part; /* made so far; the one that is recorded */
  bool is_recording;
  bool has_work;     /* something was recorded since the host last waited */
  uint32_t commands; /* in the part that is recorded */
  VkFence fence;
  VkQueryPool clock;       /* a call's begin and end; NULL: it is not timed */
  bool has_begin, has_end; /* what was recorded of these */

  vulkan_buffer staging;
  unsigned char *staged; /* where it is mapped */
  uint64_t staging_used;
};

/*===----------------------------------------------------------------------===
 * Recording
 *===----------------------------------------------------------------------===*/

static int32_t begin_part(bn_stream *stream, bn_status *status) {
  if (stream->is_recording)
    return BN_OK;
  vulkan_device *device = stream->device;
  if (stream->part == stream->part_count) {
    VkCommandBuffer *grown = realloc(stream->parts, (stream->part_count + 1u) *
                                                        sizeof(*stream->parts));
    if (!grown)
      return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
    stream->parts = grown;
    VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = stream->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1};
    VkResult result = device->AllocateCommandBuffers(device->device, &info,
                                                     &grown[stream->part]);
    if (result)
      return vulkan_fail(result, "no command buffer is given", status);
    ++stream->part_count;
  }
  VkCommandBufferBeginInfo info = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
  VkResult result =
      device->BeginCommandBuffer(stream->parts[stream->part], &info);
  if (result)
    return vulkan_fail(result, "recording fails", status);
  stream->is_recording = true;
  stream->commands = 0;
  return BN_OK;
}

/* Gives what is recorded to the queue, which signals `fence` once all is done
   that it was given. */
static int32_t submit_part(bn_stream *stream, VkFence fence,
                           bn_status *status) {
  vulkan_device *device = stream->device;
  VkCommandBuffer part = stream->parts[stream->part];
  VkResult result = device->EndCommandBuffer(part);
  VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                       .commandBufferCount = 1,
                       .pCommandBuffers = &part};
  stream->is_recording = false;
  ++stream->part;
  if (!result) {
    pthread_mutex_lock(&device->mutex);
    result = device->QueueSubmit(device->queue, 1, &info, fence);
    pthread_mutex_unlock(&device->mutex);
  }
  return result ? vulkan_fail(result, "the device fails", status) : BN_OK;
}

int32_t vulkan_wait(bn_stream *stream, bn_status *status) {
  if (!stream->has_work)
    return BN_OK;
  vulkan_device *device = stream->device;
  int32_t code = begin_part(stream, status);
  if (!code)
    code = submit_part(stream, stream->fence, status);
  if (!code) {
    VkResult result = device->WaitForFences(device->device, 1, &stream->fence,
                                            VK_TRUE, UINT64_MAX);
    if (!result)
      result = device->ResetFences(device->device, 1, &stream->fence);
    if (!result)
      result = device->ResetCommandPool(device->device, stream->pool, 0);
    if (result)
      code = vulkan_fail(result, "the device fails", status);
  }
  stream->part = 0;
  stream->staging_used = 0;
  stream->has_work = false;
  return code;
}

/* Opens a part for one more command, which sees what those before it did. */
static int32_t next_command(bn_stream *stream, bn_status *status) {
  if (stream->is_recording && stream->commands >= COMMANDS_PER_PART) {
    int32_t code = submit_part(stream, VK_NULL_HANDLE, status);
    if (code)
      return code;
  }
  int32_t code = begin_part(stream, status);
  if (code)
    return code;
  const VkPipelineStageFlags stages =
      VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                             .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT |
                                              VK_ACCESS_TRANSFER_WRITE_BIT,
                             .dstAccessMask = VK_ACCESS_SHADER_READ_BIT |
                                              VK_ACCESS_SHADER_WRITE_BIT |
                                              VK_ACCESS_TRANSFER_READ_BIT |
                                              VK_ACCESS_TRANSFER_WRITE_BIT};
  if (stream->has_work)
    stream->device->CmdPipelineBarrier(stream->parts[stream->part], stages,
                                       stages, 0, 1, &barrier, 0, NULL, 0,
                                       NULL);
  stream->has_work = true;
  ++stream->commands;
  return BN_OK;
}

int32_t vulkan_begin(bn_stream *stream, uint32_t entry, bn_status *status) {
  /* The entry's descriptor sets may be in use by its last call. */
  int32_t code = vulkan_wait(stream, status);
  stream->entry = entry < stream->sets.entry_count ? entry : 0;
  stream->launch = 0;
  stream->has_begin = stream->has_end = false;
  return code;
}

/* The scalars among the arguments as 32-bit words. */
static void pack_words(const vulkan_kernel *kernel, const uint64_t *arguments,
                       uint32_t *words) {
  for (uint32_t i = 0; i < kernel->info->argument_count; ++i) {
    uint8_t kind = kernel->info->arguments[i];
    if (kind == BN_ARGUMENT_BUFFER)
      continue;
    *words++ = (uint32_t)arguments[i];
    if (kind == BN_ARGUMENT_I64)
      *words++ = (uint32_t)(arguments[i] >> 32);
  }
}

int32_t vulkan_launch(bn_stream *stream, uint32_t index, const uint32_t *grid,
                      const uint64_t *arguments, bn_status *status) {
  vulkan_device *device = stream->device;
  const vulkan_kernel *kernel = &stream->program->kernels[index];
  const uint32_t *most = device->properties.limits.maxComputeWorkGroupCount;
  if (grid[0] > most[0] || grid[1] > most[1] || grid[2] > most[2])
    return bn_report(status, BN_FAILED,
                     "Vulkan: the kernel '%.100s' cannot be launched on %u x "
                     "%u x %u workgroups, the device takes %u x %u x %u",
                     kernel->info->name, grid[0], grid[1], grid[2], most[0],
                     most[1], most[2]);
  VkDescriptorSet set;
  int32_t code =
      vulkan_sets_bind(&stream->sets, stream->program, stream->entry,
                       stream->launch, kernel, arguments, &set, status);
  if (!code)
    code = next_command(stream, status);
  if (code)
    return code;
  ++stream->launch;
  uint32_t words[VULKAN_MAXIMUM_WORDS];
  pack_words(kernel, arguments, words);
  VkCommandBuffer part = stream->parts[stream->part];
  if (stream->clock && !stream->has_begin) {
    device->CmdResetQueryPool(part, stream->clock, 0, 2);
    device->CmdWriteTimestamp(part, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                              stream->clock, 0);
    stream->has_begin = true;
  }
  device->CmdBindPipeline(part, VK_PIPELINE_BIND_POINT_COMPUTE,
                          kernel->pipeline);
  device->CmdBindDescriptorSets(part, VK_PIPELINE_BIND_POINT_COMPUTE,
                                kernel->layout, 0, 1, &set, 0, NULL);
  if (kernel->word_count)
    device->CmdPushConstants(part, kernel->layout, VK_SHADER_STAGE_COMPUTE_BIT,
                             0, kernel->word_count * 4, words);
  device->CmdDispatch(part, grid[0], grid[1], grid[2]);
  return BN_OK;
}

int32_t vulkan_copy(bn_stream *stream, uint64_t destination, uint64_t source,
                    uint64_t bytes, bn_status *status) {
  vulkan_buffer from, to;
  VkBufferCopy region = {.size = bytes};
  int32_t code = vulkan_find(stream->device, source, bytes, &from,
                             &region.srcOffset, status);
  if (!code)
    code = vulkan_find(stream->device, destination, bytes, &to,
                       &region.dstOffset, status);
  if (!code)
    code = next_command(stream, status);
  if (code)
    return code;
  stream->device->CmdCopyBuffer(stream->parts[stream->part], from.buffer,
                                to.buffer, 1, &region);
  return BN_OK;
}

int32_t vulkan_clear(bn_stream *stream, uint64_t address, uint64_t bytes,
                     bn_status *status) {
  vulkan_buffer buffer;
  uint64_t offset;
  int32_t code =
      vulkan_find(stream->device, address, bytes, &buffer, &offset, status);
  if (!code)
    code = next_command(stream, status);
  if (code)
    return code;
  stream->device->CmdFillBuffer(stream->parts[stream->part], buffer.buffer,
                                offset, bytes, 0);
  return BN_OK;
}

/*===----------------------------------------------------------------------===
 * To and from the host
 *===----------------------------------------------------------------------===*/

static int32_t grow_staging(bn_stream *stream, uint64_t bytes,
                            bn_status *status) {
  vulkan_device *device = stream->device;
  vulkan_destroy_buffer(device, &stream->staging);
  stream->staged = NULL;
  int32_t code = vulkan_create_buffer(device, bytes,
                                      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                          VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                                      VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                                      &stream->staging, status);
  if (code)
    return code;
  void *mapped;
  VkResult result = device->MapMemory(device->device, stream->staging.memory, 0,
                                      VK_WHOLE_SIZE, 0, &mapped);
  if (result) {
    vulkan_destroy_buffer(device, &stream->staging);
    return vulkan_fail(result, "memory cannot be mapped", status);
  }
  stream->staged = mapped;
  return BN_OK;
}

/* Room in the staging buffer for `bytes`, or for as many as it holds at most.
   Waits where it is full. */
static int32_t stage(bn_stream *stream, uint64_t bytes, uint64_t *offset,
                     uint64_t *taken, bn_status *status) {
  *taken = bytes < MAXIMUM_STAGING ? bytes : MAXIMUM_STAGING;
  if (*taken > stream->staging.bytes - stream->staging_used) {
    int32_t code = vulkan_wait(stream, status);
    if (!code && *taken > stream->staging.bytes) {
      uint64_t wanted = MINIMUM_STAGING;
      while (wanted < *taken)
        wanted *= 2;
      code = grow_staging(stream, wanted, status);
    }
    if (code)
      return code;
  }
  *offset = stream->staging_used;
  stream->staging_used +=
      (*taken + BN_ALIGNMENT - 1) / BN_ALIGNMENT * BN_ALIGNMENT;
  if (stream->staging_used > stream->staging.bytes)
    stream->staging_used = stream->staging.bytes;
  return BN_OK;
}

int32_t vulkan_write(bn_stream *stream, uint64_t destination, const void *host,
                     uint64_t bytes, bn_status *status) {
  vulkan_buffer buffer;
  uint64_t offset;
  int32_t code =
      vulkan_find(stream->device, destination, bytes, &buffer, &offset, status);
  for (uint64_t done = 0, taken; !code && done < bytes; done += taken) {
    VkBufferCopy region = {.dstOffset = offset + done};
    code = stage(stream, bytes - done, &region.srcOffset, &taken, status);
    if (!code)
      code = next_command(stream, status);
    if (code)
      return code;
    memcpy(stream->staged + region.srcOffset,
           (const unsigned char *)host + done, taken);
    region.size = taken;
    stream->device->CmdCopyBuffer(stream->parts[stream->part],
                                  stream->staging.buffer, buffer.buffer, 1,
                                  &region);
  }
  return code;
}

/* Records a copy to the staging buffer, and lets the host see it. */
static void record_read(bn_stream *stream, const vulkan_buffer *buffer,
                        const VkBufferCopy *region) {
  VkCommandBuffer part = stream->parts[stream->part];
  stream->device->CmdCopyBuffer(part, buffer->buffer, stream->staging.buffer, 1,
                                region);
  VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                             .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                             .dstAccessMask = VK_ACCESS_HOST_READ_BIT};
  stream->device->CmdPipelineBarrier(part, VK_PIPELINE_STAGE_TRANSFER_BIT,
                                     VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier,
                                     0, NULL, 0, NULL);
}

int32_t vulkan_read(bn_stream *stream, void *host, uint64_t source,
                    uint64_t bytes, bn_status *status) {
  vulkan_buffer buffer;
  uint64_t offset;
  int32_t code =
      vulkan_find(stream->device, source, bytes, &buffer, &offset, status);
  for (uint64_t done = 0, taken; !code && done < bytes; done += taken) {
    VkBufferCopy region = {.srcOffset = offset + done};
    code = stage(stream, bytes - done, &region.dstOffset, &taken, status);
    if (!code)
      code = next_command(stream, status);
    if (code)
      return code;
    region.size = taken;
    record_read(stream, &buffer, &region);
    code = vulkan_wait(stream, status);
    if (!code)
      memcpy((unsigned char *)host + done, stream->staged + region.dstOffset,
             taken);
  }
  return code;
}

/* What is recorded waits for the read that follows, or for the next call. */
int32_t vulkan_submit(bn_stream *stream, bn_status *status) {
  if (!stream->has_begin || stream->has_end)
    return BN_OK;
  int32_t code = begin_part(stream, status);
  if (code)
    return code;
  stream->device->CmdWriteTimestamp(stream->parts[stream->part],
                                    VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                                    stream->clock, 1);
  stream->has_work = stream->has_end = true;
  return BN_OK;
}

int32_t vulkan_start_timing(bn_stream *stream, bn_status *status) {
  vulkan_device *device = stream->device;
  if (!device->has_clock)
    return BN_OK;
  VkQueryPoolCreateInfo info = {.sType =
                                    VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                .queryCount = 2};
  VkResult result =
      device->CreateQueryPool(device->device, &info, NULL, &stream->clock);
  return result ? vulkan_fail(result, "the device cannot be timed", status)
                : BN_OK;
}

double vulkan_seconds(bn_stream *stream) {
  vulkan_device *device = stream->device;
  uint64_t times[2];
  if (!stream->has_end || stream->has_work ||
      device->GetQueryPoolResults(device->device, stream->clock, 0, 2,
                                  sizeof(times), times, sizeof(times[0]),
                                  VK_QUERY_RESULT_64_BIT) ||
      times[1] < times[0])
    return 0;
  return (double)(times[1] - times[0]) *
         (double)device->properties.limits.timestampPeriod * 1e-9;
}

/*===----------------------------------------------------------------------===
 * Streams
 *===----------------------------------------------------------------------===*/

int32_t vulkan_create_stream(bn_device *base, bn_program *program,
                             uint32_t entries, bn_stream **created,
                             bn_status *status) {
  vulkan_device *device = (vulkan_device *)base;
  bn_stream *stream = calloc(1, sizeof(*stream));
  if (!stream)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  stream->device = device;
  stream->program = program;
  VkResult result = vulkan_sets_create(&stream->sets, device, entries + 1u)
                        ? VK_SUCCESS
                        : VK_ERROR_OUT_OF_HOST_MEMORY;
  VkCommandPoolCreateInfo pool = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
      .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
      .queueFamilyIndex = device->queue_family};
  if (!result)
    result =
        device->CreateCommandPool(device->device, &pool, NULL, &stream->pool);
  VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
  if (!result)
    result = device->CreateFence(device->device, &fence, NULL, &stream->fence);
  if (result) {
    vulkan_destroy_stream(stream);
    return vulkan_fail(result, "no stream is given", status);
  }
  *created = stream;
  return BN_OK;
}

void vulkan_destroy_stream(bn_stream *stream) {
  if (!stream)
    return;
  vulkan_device *device = stream->device;
  vulkan_wait(stream, NULL);
  vulkan_sets_destroy(&stream->sets);
  vulkan_destroy_buffer(device, &stream->staging);
  if (stream->clock)
    device->DestroyQueryPool(device->device, stream->clock, NULL);
  if (stream->fence)
    device->DestroyFence(device->device, stream->fence, NULL);
  if (stream->pool)
    device->DestroyCommandPool(device->device, stream->pool, NULL);
  free(stream->parts);
  free(stream);
}
