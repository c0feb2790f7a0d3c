/*===- variant.c - Which variants run, and which is best -----------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "variant.h"

#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBSTACLE_BYTES = 512 };

/* Adds to a text, as much as there is room for. */
static void append(char *text, size_t bytes, const char *format, ...) {
  size_t used = strlen(text);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + used, bytes - used, format, arguments);
  va_end(arguments);
}

static bool has_feature(const bn_model *model, const bn_variant_info *variant,
                        const char *feature) {
  const bn_device *device = model->accelerators.kinds[variant->device].device;
  return device ? device->api->has_feature(device, feature)
                : bn_cpu_has(&model->cpu, feature);
}

/* The first of the CPU's features that the operating system does not give this
   process, or NULL. */
static const char *find_refused(const bn_variant_info *variant) {
  for (uint32_t i = 0; i < variant->feature_count; ++i)
    if (!bn_cpu_ask(variant->features[i]))
      return variant->features[i];
  return NULL;
}

/* Writes what keeps a variant from running, nothing where it runs. */
static void find_obstacle(const bn_model *model, const bn_variant_info *variant,
                          char *text) {
  const bn_accelerator *accelerator =
      &model->accelerators.kinds[variant->device];
  text[0] = '\0';
  if (model->file.machine != bn_machine_of_process()) {
    const char *machine = bn_machine_name(model->file.machine);
    append(text, OBSTACLE_BYTES, "it is compiled for %s",
           machine ? machine : "another CPU");
    return;
  }
  if (variant->device != BN_DEVICE_NONE && !accelerator->device) {
    append(text, OBSTACLE_BYTES, "%s", accelerator->fault.message);
    return;
  }
  for (uint32_t i = 0; i < variant->feature_count; ++i)
    if (!has_feature(model, variant, variant->features[i]))
      append(text, OBSTACLE_BYTES, "%s%s", text[0] ? ", " : "it lacks ",
             variant->features[i]);
  /* Nothing is asked for that will not be used. */
  if (!text[0] && !model->inspect_only && variant->device == BN_DEVICE_NONE) {
    const char *refused = find_refused(variant);
    if (refused)
      append(text, OBSTACLE_BYTES, "the operating system refuses %s", refused);
  }
  if (text[0] && accelerator->device)
    append(text, OBSTACLE_BYTES, "; the device is %s",
           accelerator->device->api->describe(accelerator->device));
}

int32_t bn_judge_variants(bn_model *model, bn_status *status) {
  bn_manifest *manifest = &model->manifest;
  model->obstacles = calloc(manifest->info.variant_count + 1u, OBSTACLE_BYTES);
  if (!model->obstacles)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  for (uint32_t i = 0; i < manifest->info.variant_count; ++i) {
    bn_variant_info *variant = &manifest->variants[i];
    char *obstacle = model->obstacles + (size_t)i * OBSTACLE_BYTES;
    find_obstacle(model, variant, obstacle);
    variant->obstacle = obstacle;
    variant->runnable = !obstacle[0];
  }
  return BN_OK;
}

static int32_t report_unknown_variant(const bn_model_info *info,
                                      const char *name, bn_status *status) {
  char known[300] = "";
  for (uint32_t i = 0; i < info->variant_count; ++i)
    append(known, sizeof(known), "%s%s", i ? ", " : "", info->variants[i].name);
  return bn_report(status, BN_INVALID,
                   "no variant is called '%.100s'; the artifact has %s", name,
                   known);
}

static int32_t choose_by_name(const bn_model_info *info, const char *name,
                              uint32_t *variant, bn_status *status) {
  for (uint32_t i = info->variant_count; i-- > 0;) {
    if (strcmp(info->variants[i].name, name) != 0)
      continue;
    *variant = i;
    if (info->variants[i].runnable)
      return BN_OK;
    return bn_report(status, BN_UNSUPPORTED,
                     "this machine cannot run the variant '%.100s': %s", name,
                     info->variants[i].obstacle);
  }
  return report_unknown_variant(info, name, status);
}

/* 2: a device; 1: the CPU; 0: the CPU in the clothes of a device. */
static int preference(const bn_model *model, const bn_variant_info *variant) {
  const bn_device *device = model->accelerators.kinds[variant->device].device;
  if (!device)
    return 1;
  return device->api->is_processor(device) ? 0 : 2;
}

int32_t bn_choose_variant(const bn_model *model, const char *name,
                          uint32_t *variant, bn_status *status) {
  const bn_model_info *info = &model->manifest.info;
  if (name)
    return choose_by_name(info, name, variant, status);
  for (int wanted = 2; wanted >= 0; --wanted)
    for (uint32_t i = info->variant_count; i-- > 0;)
      if (info->variants[i].runnable &&
          preference(model, &info->variants[i]) == wanted) {
        *variant = i;
        return BN_OK;
      }
  char obstacles[400] = "";
  for (uint32_t i = 0; i < info->variant_count; ++i)
    append(obstacles, sizeof(obstacles), "%s'%.100s': %s", i ? "; " : "",
           info->variants[i].name, info->variants[i].obstacle);
  return bn_report(status, BN_UNSUPPORTED,
                   "this machine runs no variant of the artifact: %s",
                   obstacles);
}
