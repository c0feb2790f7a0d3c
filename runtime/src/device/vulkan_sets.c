/*===- vulkan_sets.c - Binding buffers to kernels ------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "../status.h"
#include "vulkan_stream.h"

#include <stdlib.h>
#include <string.h>

enum { SETS_PER_POOL = 256, BUFFERS_PER_SET = 8 };

bool vulkan_sets_create(vulkan_sets *sets, vulkan_device *device,
                        uint32_t entries) {
  sets->device = device;
  sets->entry_count = entries;
  sets->entries = calloc(entries, sizeof(*sets->entries));
  return sets->entries;
}

void vulkan_sets_destroy(vulkan_sets *sets) {
  for (uint32_t i = 0; i < sets->pool_count; ++i)
    sets->device->DestroyDescriptorPool(sets->device->device, sets->pools[i],
                                        NULL);
  free(sets->pools);
  for (uint32_t i = 0; i <= VULKAN_MAXIMUM_BUFFERS; ++i)
    free(sets->unused[i]);
  for (uint32_t i = 0; sets->entries && i < sets->entry_count; ++i) {
    for (uint32_t j = 0; j < sets->entries[i].count; ++j)
      free(sets->entries[i].bindings[j].addresses);
    free(sets->entries[i].bindings);
  }
  free(sets->entries);
}

static VkResult add_pool(vulkan_sets *sets) {
  VkDescriptorPool *grown =
      realloc(sets->pools, (sets->pool_count + 1u) * sizeof(*grown));
  if (!grown)
    return VK_ERROR_OUT_OF_HOST_MEMORY;
  sets->pools = grown;
  /* A set with the most buffers always fits into an empty pool. */
  VkDescriptorPoolSize size = {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                               .descriptorCount =
                                   SETS_PER_POOL * BUFFERS_PER_SET};
  VkDescriptorPoolCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
      .maxSets = SETS_PER_POOL,
      .poolSizeCount = 1,
      .pPoolSizes = &size};
  VkResult result = sets->device->CreateDescriptorPool(
      sets->device->device, &info, NULL, &sets->pools[sets->pool_count]);
  if (!result)
    ++sets->pool_count;
  return result;
}

static VkResult try_last_pool(vulkan_sets *sets, VkDescriptorSetLayout layout,
                              VkDescriptorSet *set) {
  if (!sets->pool_count)
    return VK_ERROR_OUT_OF_POOL_MEMORY;
  VkDescriptorSetAllocateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
      .descriptorPool = sets->pools[sets->pool_count - 1],
      .descriptorSetCount = 1,
      .pSetLayouts = &layout};
  return sets->device->AllocateDescriptorSets(sets->device->device, &info, set);
}

static VkResult take_set(vulkan_sets *sets, VkDescriptorSetLayout layout,
                         uint32_t buffers, VkDescriptorSet *set) {
  if (sets->unused_count[buffers]) {
    *set = sets->unused[buffers][--sets->unused_count[buffers]];
    return VK_SUCCESS;
  }
  VkResult result = try_last_pool(sets, layout, set);
  if (result != VK_ERROR_OUT_OF_POOL_MEMORY &&
      result != VK_ERROR_FRAGMENTED_POOL)
    return result;
  result = add_pool(sets);
  return result ? result : try_last_pool(sets, layout, set);
}

/* False where memory is exhausted. */
static bool give_back(vulkan_sets *sets, vulkan_binding *binding) {
  uint32_t buffers = binding->buffer_count;
  VkDescriptorSet *grown =
      realloc(sets->unused[buffers],
              (sets->unused_count[buffers] + 1u) * sizeof(*grown));
  if (!grown)
    return false;
  sets->unused[buffers] = grown;
  grown[sets->unused_count[buffers]++] = binding->set;
  free(binding->addresses);
  memset(binding, 0, sizeof(*binding));
  return true;
}

/* The binding of that number; NULL where memory is exhausted. */
static vulkan_binding *binding_at(vulkan_bindings *entry, uint32_t index) {
  if (index >= entry->count) {
    uint32_t count = index * 2 + 64;
    vulkan_binding *grown = realloc(entry->bindings, count * sizeof(*grown));
    if (!grown)
      return NULL;
    memset(grown + entry->count, 0, (count - entry->count) * sizeof(*grown));
    entry->bindings = grown;
    entry->count = count;
  }
  return &entry->bindings[index];
}

static int32_t write_set(vulkan_sets *sets, vulkan_binding *binding,
                         bn_status *status) {
  VkDescriptorBufferInfo buffers[VULKAN_MAXIMUM_BUFFERS];
  vulkan_device *device = sets->device;
  uint64_t limit = vulkan_buffer_range(&device->base);
  for (uint32_t i = 0; i < binding->buffer_count; ++i) {
    vulkan_buffer buffer;
    uint64_t offset;
    int32_t code =
        vulkan_find(device, binding->addresses[i], 1, &buffer, &offset, status);
    if (code)
      return code;
    uint64_t range = buffer.bytes - offset;
    /* An allocation may be longer; what a kernel reaches of it is not, or the
       entry's check_buffer or the variant's features have refused it. */
    buffers[i] = (VkDescriptorBufferInfo){buffer.buffer, offset,
                                          range < limit ? range : limit};
  }
  VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                .dstSet = binding->set,
                                .descriptorCount = binding->buffer_count,
                                .descriptorType =
                                    VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                .pBufferInfo = buffers};
  if (binding->buffer_count)
    device->UpdateDescriptorSets(device->device, 1, &write, 0, NULL);
  return BN_OK;
}

/* What the set binds is not known: no address is this one. */
static void forget(vulkan_binding *binding) {
  memset(binding->addresses, 0xff, binding->buffer_count * sizeof(uint64_t));
}

/* Makes the binding one of so many buffers. */
static int32_t prepare(vulkan_sets *sets, bn_program *program,
                       vulkan_binding *binding, uint32_t buffers,
                       bn_status *status) {
  if (binding->set && binding->buffer_count != buffers &&
      !give_back(sets, binding))
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  if (binding->set)
    return BN_OK;
  free(binding->addresses);
  binding->addresses = calloc(buffers + 1u, sizeof(uint64_t));
  if (!binding->addresses)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  binding->buffer_count = buffers;
  forget(binding);
  VkResult result =
      take_set(sets, program->sets[buffers], buffers, &binding->set);
  if (!result)
    return BN_OK;
  binding->set = VK_NULL_HANDLE;
  return vulkan_fail(result, "no descriptor set is given", status);
}

int32_t vulkan_sets_bind(vulkan_sets *sets, bn_program *program, uint32_t entry,
                         uint32_t index, const vulkan_kernel *kernel,
                         const uint64_t *arguments, VkDescriptorSet *set,
                         bn_status *status) {
  vulkan_binding *binding = binding_at(&sets->entries[entry], index);
  if (!binding)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  int32_t code = prepare(sets, program, binding, kernel->buffer_count, status);
  if (code)
    return code;
  bool changed = false;
  uint32_t buffer = 0;
  for (uint32_t i = 0; i < kernel->info->argument_count; ++i) {
    if (kernel->info->arguments[i] != BN_ARGUMENT_BUFFER)
      continue;
    changed = changed || binding->addresses[buffer] != arguments[i];
    binding->addresses[buffer++] = arguments[i];
  }
  if (changed)
    code = write_set(sets, binding, status);
  if (code)
    forget(binding);
  *set = binding->set;
  return code;
}
