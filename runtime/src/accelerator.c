/*===- accelerator.c - A model on devices --------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "accelerator.h"

#include "status.h"

#include <stdlib.h>

int32_t bn_accelerators_open(bn_accelerators *accelerators,
                             const bn_manifest *manifest, bn_status *status) {
  pthread_mutex_init(&accelerators->mutex, NULL);
  accelerators->programs = calloc(manifest->info.variant_count + 1u,
                                  sizeof(*accelerators->programs));
  if (!accelerators->programs)
    return bn_report(status, BN_OUT_OF_MEMORY, "out of memory");
  for (uint32_t i = 0; i < manifest->info.variant_count; ++i) {
    uint32_t kind = manifest->variants[i].device;
    bn_accelerator *accelerator = &accelerators->kinds[kind];
    if (kind != BN_DEVICE_NONE && !accelerator->device &&
        !accelerator->fault.code)
      bn_device_open(kind, &accelerator->device, &accelerator->fault);
  }
  return BN_OK;
}

void bn_accelerators_close(bn_accelerators *accelerators,
                           const bn_manifest *manifest) {
  if (!accelerators->programs)
    return;
  for (uint32_t i = 0; i < manifest->info.variant_count; ++i)
    if (accelerators->programs[i])
      accelerators->kinds[manifest->variants[i].device].device->api->unload(
          accelerators->programs[i]);
  free(accelerators->programs);
  for (uint32_t i = 0; i < BN_DEVICE_KINDS; ++i) {
    bn_device *device = accelerators->kinds[i].device;
    if (!device)
      continue;
    if (accelerators->kinds[i].archive)
      device->api->release(device, accelerators->kinds[i].archive);
    device->api->close(device);
  }
  pthread_mutex_destroy(&accelerators->mutex);
}

static int32_t upload(bn_accelerator *accelerator, bn_bytes archive,
                      bn_status *status) {
  bn_device *device = accelerator->device;
  uint64_t address = 0;
  bn_stream *stream = NULL;
  int32_t code = device->api->allocate(device, archive.count, &address, status);
  if (code)
    return code;
  code = device->api->create_stream(device, NULL, 0, &stream, status);
  if (!code && archive.count)
    code = device->api->write(stream, address, archive.data, archive.count,
                              status);
  if (!code)
    code = device->api->wait(stream, status);
  if (stream)
    device->api->destroy_stream(stream);
  if (code)
    device->api->release(device, address);
  else
    accelerator->archive = address;
  return code;
}

int32_t bn_accelerators_load(bn_accelerators *accelerators,
                             const bn_manifest *manifest, bn_bytes archive,
                             uint32_t variant, bn_status *status) {
  const bn_variant_info *info = &manifest->variants[variant];
  bn_accelerator *accelerator = &accelerators->kinds[info->device];
  bn_device *device = accelerator->device;
  pthread_mutex_lock(&accelerators->mutex);
  int32_t code = device->api->start(device, status);
  if (!code && !accelerators->programs[variant])
    code = device->api->load(device, manifest->kernels[variant],
                             info->kernel_count,
                             &accelerators->programs[variant], status);
  if (!code && !accelerator->archive)
    code = upload(accelerator, archive, status);
  pthread_mutex_unlock(&accelerators->mutex);
  return code;
}
