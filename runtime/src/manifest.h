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

typedef struct bn_manifest {
  bn_model_info info;    /* `tokenizer` and `runnable` are left to the caller */
  bn_state_info *states; /* info.state_count */
  bn_variant_info *variants; /* info.variants */
  struct bn_memory *memory;  /* of all the above */
} bn_manifest;

/* `path` is for messages only. The bytes need not stay. */
int32_t bn_manifest_read(bn_bytes bytes, const char *path,
                         bn_manifest *manifest, bn_status *status);
void bn_manifest_free(bn_manifest *manifest);

#endif /* BITNET_SRC_MANIFEST_H */
