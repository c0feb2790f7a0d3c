/*===- vulkan_features.c - What a device of Vulkan can do ----------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "vulkan.h"

#include <stddef.h>
#include <string.h>

/* The words for features that a device is created with, and where
   vulkan_features has them. */
static const struct {
  const char *word;
  size_t offset;
} words[] = {
    {"int16", offsetof(vulkan_features, core.features.shaderInt16)},
    {"int64", offsetof(vulkan_features, core.features.shaderInt64)},
    {"float64", offsetof(vulkan_features, core.features.shaderFloat64)},
    {"storage16bit", offsetof(vulkan_features, v11.storageBuffer16BitAccess)},
    {"variable_pointers",
     offsetof(vulkan_features, v11.variablePointersStorageBuffer)},
    {"int8", offsetof(vulkan_features, v12.shaderInt8)},
    {"float16", offsetof(vulkan_features, v12.shaderFloat16)},
    {"storage8bit", offsetof(vulkan_features, v12.storageBuffer8BitAccess)},
    {"memory_model", offsetof(vulkan_features, v12.vulkanMemoryModel)},
    {"dotproduct", offsetof(vulkan_features, v13.shaderIntegerDotProduct)},
};
enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

static const struct {
  const char *word;
  VkSubgroupFeatureFlags operation;
} subgroup_words[] = {
    {"subgroup", VK_SUBGROUP_FEATURE_BASIC_BIT},
    {"subgroup_vote", VK_SUBGROUP_FEATURE_VOTE_BIT},
    {"subgroup_arithmetic", VK_SUBGROUP_FEATURE_ARITHMETIC_BIT},
    {"subgroup_ballot", VK_SUBGROUP_FEATURE_BALLOT_BIT},
    {"subgroup_shuffle", VK_SUBGROUP_FEATURE_SHUFFLE_BIT},
};
enum {
  SUBGROUP_WORD_COUNT = sizeof(subgroup_words) / sizeof(subgroup_words[0])
};

static VkBool32 *field(vulkan_features *features, uint32_t word) {
  return (VkBool32 *)((unsigned char *)features + words[word].offset);
}

static void chain(const vulkan_device *device, vulkan_features *features) {
  memset(features, 0, sizeof(*features));
  features->core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features->v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
  features->v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  features->v13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
  features->core.pNext = &features->v11;
  features->v11.pNext = &features->v12;
  if (device->properties.apiVersion >= VK_API_VERSION_1_3)
    features->v12.pNext = &features->v13;
}

void vulkan_query_features(vulkan_device *device) {
  chain(device, &device->features);
  device->GetPhysicalDeviceFeatures2(device->physical, &device->features.core);
}

void vulkan_enable_features(const vulkan_device *device,
                            vulkan_features *enabled) {
  chain(device, enabled);
  vulkan_features had = device->features;
  for (uint32_t i = 0; i < WORD_COUNT; ++i)
    *field(enabled, i) = *field(&had, i);
}

/* Words with a number. */
static bool has_size(const vulkan_device *device, const char *feature) {
  const VkPhysicalDeviceLimits *limits = &device->properties.limits;
  uint64_t number, minor;
  const char *rest;
  if (bn_feature_number(feature, "vulkan", &number, &rest))
    return bn_feature_number(rest, ".", &minor, &rest) && !*rest &&
           number < 128 && minor < 1024 &&
           device->properties.apiVersion >=
               VK_MAKE_API_VERSION(0, (uint32_t)number, (uint32_t)minor, 0);
  if (bn_feature_number(feature, "bufferbytes:", &number, &rest))
    return !*rest && number <= limits->maxStorageBufferRange &&
           number <= device->limits.maxMemoryAllocationSize;
  if (bn_feature_number(feature, "workgroup:", &number, &rest))
    return !*rest && number <= limits->maxComputeWorkGroupInvocations;
  if (bn_feature_number(feature, "shared:", &number, &rest))
    return !*rest && number <= limits->maxComputeSharedMemorySize;
  return false;
}

bool vulkan_has_feature(const bn_device *base, const char *feature) {
  const vulkan_device *device = (const vulkan_device *)base;
  vulkan_features had = device->features;
  for (uint32_t i = 0; i < WORD_COUNT; ++i)
    if (strcmp(words[i].word, feature) == 0)
      return *field(&had, i);
  for (uint32_t i = 0; i < SUBGROUP_WORD_COUNT; ++i)
    if (strcmp(subgroup_words[i].word, feature) == 0)
      return (device->subgroups.supportedStages &
              VK_SHADER_STAGE_COMPUTE_BIT) &&
             (device->subgroups.supportedOperations &
              subgroup_words[i].operation);
  return has_size(device, feature);
}
