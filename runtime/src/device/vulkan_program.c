/*===- vulkan_program.c - Loading a variant's SPIR-V ---------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "../status.h"
#include "vulkan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  SPIRV_MAGIC = 0x07230203,
  SPIRV_HEADER_WORDS = 5,
  OP_ENTRY_POINT = 15,
  MODEL_GL_COMPUTE = 5,
};

static int32_t refuse(const bn_kernel *kernel, const char *reason,
                      bn_status *status) {
  return bn_report(status, BN_FAILED,
                   "Vulkan: the kernel '%.100s' does not load: %s",
                   kernel->name, reason);
}

static uint32_t word_at(const bn_kernel *kernel, uint64_t index) {
  uint32_t word;
  memcpy(&word, kernel->code.data + index * sizeof(word), sizeof(word));
  return word;
}

/* Drivers trust what they are given, so the frame of a module and the entry
   point are checked before. */
static int32_t check_module(const vulkan_device *device,
                            const bn_kernel *kernel, bn_status *status) {
  uint64_t words = kernel->code.count / 4;
  if (kernel->code.count % 4 || words < SPIRV_HEADER_WORDS ||
      word_at(kernel, 0) != SPIRV_MAGIC)
    return refuse(kernel, "its code is not SPIR-V", status);
  uint32_t version = word_at(kernel, 1);
  uint32_t known = device->properties.apiVersion >= VK_API_VERSION_1_3
                       ? 0x00010600
                       : 0x00010500;
  if (version > known)
    return bn_report(status, BN_UNSUPPORTED,
                     "Vulkan: the driver is too old: the kernel '%.100s' is "
                     "SPIR-V %u.%u, %s reads %u.%u",
                     kernel->name, version >> 16 & 0xff, version >> 8 & 0xff,
                     device->description, known >> 16, known >> 8 & 0xff);
  for (uint64_t at = SPIRV_HEADER_WORDS; at < words;) {
    uint32_t opcode = word_at(kernel, at) & 0xffff;
    uint32_t length = word_at(kernel, at) >> 16;
    if (!length || length > words - at)
      return refuse(kernel, "its SPIR-V is malformed", status);
    const char *name = (const char *)kernel->code.data + (at + 3) * 4;
    if (opcode == OP_ENTRY_POINT && length > 3 &&
        word_at(kernel, at + 1) == MODEL_GL_COMPUTE &&
        strlen(kernel->name) < (length - 3) * 4ull &&
        memcmp(name, kernel->name, strlen(kernel->name) + 1) == 0)
      return BN_OK;
    at += length;
  }
  return refuse(kernel, "its SPIR-V has no entry point of that name", status);
}

static int32_t check_limits(const vulkan_device *device,
                            const vulkan_kernel *kernel, bn_status *status) {
  const bn_kernel *info = kernel->info;
  const VkPhysicalDeviceLimits *limits = &device->properties.limits;
  uint32_t buffers = limits->maxPerStageDescriptorStorageBuffers;
  if (buffers > VULKAN_MAXIMUM_BUFFERS)
    buffers = VULKAN_MAXIMUM_BUFFERS;
  if (kernel->buffer_count > buffers)
    return bn_report(status, BN_UNSUPPORTED,
                     "Vulkan: the kernel '%.100s' does not load: it takes %u "
                     "buffers, the device gives %u",
                     info->name, kernel->buffer_count, buffers);
  if (kernel->word_count > VULKAN_MAXIMUM_WORDS)
    return bn_report(status, BN_UNSUPPORTED,
                     "Vulkan: the kernel '%.100s' does not load: its scalars "
                     "take %u words, the limit is %d",
                     info->name, kernel->word_count, VULKAN_MAXIMUM_WORDS);
  uint64_t block = 1;
  bool fits = true;
  for (int i = 0; i < 3; ++i) {
    block *= info->block[i];
    fits = fits && info->block[i] <= limits->maxComputeWorkGroupSize[i] &&
           block <= limits->maxComputeWorkGroupInvocations;
  }
  if (!fits)
    return bn_report(status, BN_UNSUPPORTED,
                     "Vulkan: the kernel '%.100s' does not load: it has "
                     "workgroups of %u x %u x %u, the device runs %u items",
                     info->name, info->block[0], info->block[1], info->block[2],
                     limits->maxComputeWorkGroupInvocations);
  return BN_OK;
}

static VkResult create_set_layout(bn_program *program, uint32_t buffers) {
  if (program->sets[buffers])
    return VK_SUCCESS;
  VkDescriptorSetLayoutBinding bindings[VULKAN_MAXIMUM_BUFFERS];
  for (uint32_t i = 0; i < buffers; ++i)
    bindings[i] = (VkDescriptorSetLayoutBinding){
        .binding = i,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .descriptorCount = 1,
        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
  VkDescriptorSetLayoutCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
      .bindingCount = buffers,
      .pBindings = bindings};
  return program->device->CreateDescriptorSetLayout(
      program->device->device, &info, NULL, &program->sets[buffers]);
}

static VkResult create_pipeline(bn_program *program, vulkan_kernel *kernel,
                                VkShaderModule module) {
  vulkan_device *device = program->device;
  VkResult result = create_set_layout(program, kernel->buffer_count);
  if (result)
    return result;
  VkPushConstantRange words = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                               .size = kernel->word_count * 4};
  VkPipelineLayoutCreateInfo layout = {
      .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
      .setLayoutCount = 1,
      .pSetLayouts = &program->sets[kernel->buffer_count],
      .pushConstantRangeCount = kernel->word_count ? 1 : 0,
      .pPushConstantRanges = &words};
  result = device->CreatePipelineLayout(device->device, &layout, NULL,
                                        &kernel->layout);
  if (result)
    return result;
  VkComputePipelineCreateInfo pipeline = {
      .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
      .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = kernel->info->name},
      .layout = kernel->layout};
  return device->CreateComputePipelines(device->device, VK_NULL_HANDLE, 1,
                                        &pipeline, NULL, &kernel->pipeline);
}

static VkResult create_module(bn_program *program, const bn_kernel *kernel) {
  vulkan_device *device = program->device;
  VkShaderModuleCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
      .codeSize = kernel->code.count,
      .pCode = (const uint32_t *)(const void *)kernel->code.data};
  VkResult result = device->CreateShaderModule(
      device->device, &info, NULL, &program->modules[program->module_count]);
  if (!result)
    ++program->module_count;
  return result;
}

static void count_arguments(vulkan_kernel *kernel) {
  for (uint32_t i = 0; i < kernel->info->argument_count; ++i)
    switch (kernel->info->arguments[i]) {
    case BN_ARGUMENT_BUFFER:
      ++kernel->buffer_count;
      break;
    case BN_ARGUMENT_I64:
      kernel->word_count += 2;
      break;
    default:
      ++kernel->word_count;
      break;
    }
}

/* The module of a kernel's code may be that of an earlier kernel. */
static int32_t load_kernel(bn_program *program, uint32_t *modules_of,
                           uint32_t index, bn_status *status) {
  vulkan_kernel *kernel = &program->kernels[index];
  count_arguments(kernel);
  int32_t code = check_module(program->device, kernel->info, status);
  if (!code)
    code = check_limits(program->device, kernel, status);
  if (code)
    return code;
  uint32_t other = 0;
  while (other < index &&
         program->kernels[other].info->code.data != kernel->info->code.data)
    ++other;
  modules_of[index] = other < index ? modules_of[other] : program->module_count;
  VkResult result = VK_SUCCESS;
  if (other == index)
    result = create_module(program, kernel->info);
  if (!result)
    result =
        create_pipeline(program, kernel, program->modules[modules_of[index]]);
  if (!result)
    return BN_OK;
  char what[160];
  snprintf(what, sizeof(what), "the kernel '%.100s' does not load",
           kernel->info->name);
  return vulkan_fail(result, what, status);
}

int32_t vulkan_load(bn_device *device, const bn_kernel *kernels, uint32_t count,
                    bn_program **loaded, bn_status *status) {
  bn_program *program = calloc(1, sizeof(*program));
  uint32_t *modules_of = calloc(count + 1u, sizeof(*modules_of));
  if (program) {
    program->device = (vulkan_device *)device;
    program->kernels = calloc(count + 1u, sizeof(*program->kernels));
    program->modules = calloc(count + 1u, sizeof(*program->modules));
  }
  int32_t code = BN_OK;
  if (!program || !modules_of || !program->kernels || !program->modules)
    code = bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  for (uint32_t i = 0; i < count && !code; ++i) {
    program->kernels[i].info = &kernels[i];
    ++program->kernel_count;
    code = load_kernel(program, modules_of, i, status);
  }
  free(modules_of);
  if (code) {
    vulkan_unload(program);
    return code;
  }
  *loaded = program;
  return BN_OK;
}

void vulkan_unload(bn_program *program) {
  if (!program)
    return;
  vulkan_device *device = program->device;
  for (uint32_t i = 0; i < program->kernel_count; ++i) {
    if (program->kernels[i].pipeline)
      device->DestroyPipeline(device->device, program->kernels[i].pipeline,
                              NULL);
    if (program->kernels[i].layout)
      device->DestroyPipelineLayout(device->device, program->kernels[i].layout,
                                    NULL);
  }
  for (uint32_t i = 0; i < program->module_count; ++i)
    device->DestroyShaderModule(device->device, program->modules[i], NULL);
  for (uint32_t i = 0; i <= VULKAN_MAXIMUM_BUFFERS; ++i)
    if (program->sets[i])
      device->DestroyDescriptorSetLayout(device->device, program->sets[i],
                                         NULL);
  free(program->modules);
  free(program->kernels);
  free(program);
}
