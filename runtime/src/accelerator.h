/*===- accelerator.h - A model on devices --------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_ACCELERATOR_H
#define BITNET_SRC_ACCELERATOR_H

#include "device/device.h"

#include <pthread.h>

enum { BN_DEVICE_KINDS = BN_DEVICE_ROCM + 1 };

/* What a model holds on the device of a kind that its variants are for. */
typedef struct bn_accelerator {
  bn_device *device; /* NULL: none can be had */
  bn_status fault;   /* why */
  uint64_t archive;  /* where the weights are, for all sessions; 0: not yet */
} bn_accelerator;

typedef struct bn_accelerators {
  bn_accelerator kinds[BN_DEVICE_KINDS];
  pthread_mutex_t mutex; /* of the archives and the programs */
  bn_program **programs; /* of each variant; NULL: not loaded yet */
} bn_accelerators;

/* Looks for the devices that the variants are for. */
int32_t bn_accelerators_open(bn_accelerators *accelerators,
                             const bn_manifest *manifest, bn_status *status);
void bn_accelerators_close(bn_accelerators *accelerators,
                           const bn_manifest *manifest);

/* Brings a variant's kernels and the weights to its device, unless an earlier
   session did. */
int32_t bn_accelerators_load(bn_accelerators *accelerators,
                             const bn_manifest *manifest, bn_bytes archive,
                             uint32_t variant, bn_status *status);

#endif /* BITNET_SRC_ACCELERATOR_H */
