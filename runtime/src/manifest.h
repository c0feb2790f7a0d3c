/*===- manifest.h - Reading the manifest ---------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_MANIFEST_H
#define BITNET_SRC_MANIFEST_H

#include "artifact.h"

typedef struct bn_state_info {
  const char *name;
  uint64_t bytes;
} bn_state_info;

/* A kernel of a device variant. */
typedef struct bn_kernel {
  const char *name;
  uint32_t block[3];
  uint32_t shared_bytes;
  uint32_t argument_count;
  const uint8_t *arguments; /* bn_argument_kind */
  bn_bytes code;
} bn_kernel;

typedef struct bn_manifest {
  bn_model_info info;    /* what is not in the manifest is left to the caller */
  bn_state_info *states; /* info.state_count */
  bn_variant_info *variants; /* info.variants */
  const bn_kernel **kernels; /* of each variant */
  struct bn_memory *memory;  /* of all the above */
} bn_manifest;

/* `path` is for messages only. `kernels`, which the code of kernels lies in,
   must stay, `bytes` need not. */
int32_t bn_manifest_read(bn_bytes bytes, bn_bytes kernels, const char *path,
                         bn_manifest *manifest, bn_status *status);
void bn_manifest_free(bn_manifest *manifest);

#endif /* BITNET_SRC_MANIFEST_H */
