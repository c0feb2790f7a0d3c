/*===- device.c - What devices have in common ----------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "device.h"

#include "../status.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

int32_t bn_device_open(uint32_t kind, bn_device **device, bn_status *status) {
  *device = NULL;
  switch (kind) {
  case BN_DEVICE_CUDA:
    return bn_cuda_api.open(device, status);
  case BN_DEVICE_VULKAN:
    return bn_vulkan_api.open(device, status);
  default:
    return bn_report(status, BN_UNSUPPORTED,
                     "this runtime has no launcher for %s",
                     kind == BN_DEVICE_ROCM ? "ROCm" : "its device");
  }
}

int32_t bn_device_load_driver(const char *variable, const char *name,
                              const char *missing, void **library,
                              bn_status *status) {
  const char *file = getenv(variable);
  if (!file || !*file)
    file = name;
  /* Drivers keep threads and handlers of their own: they are never unloaded. */
  *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (*library)
    return BN_OK;
  const char *reason = dlerror();
  return bn_report(status, BN_UNSUPPORTED, "%s (%s)", missing,
                   reason ? reason : file);
}

int32_t bn_device_chosen(const char *variable, uint32_t count, int64_t *index,
                         bn_status *status) {
  *index = -1;
  const char *text = getenv(variable);
  if (!text || !*text)
    return BN_OK;
  char *end;
  long long chosen = strtoll(text, &end, 10);
  if (*end || chosen < 0 || chosen >= count)
    return bn_report(status, BN_INVALID,
                     "%s is '%.40s', where devices are numbered from 0 to %u",
                     variable, text, count - 1);
  *index = chosen;
  return BN_OK;
}

bool bn_feature_number(const char *feature, const char *prefix,
                       uint64_t *number, const char **rest) {
  size_t length = strlen(prefix);
  if (strncmp(feature, prefix, length) != 0 ||
      !isdigit((unsigned char)feature[length]))
    return false;
  char *end;
  *number = strtoull(feature + length, &end, 10);
  *rest = end;
  return true;
}
