/*===- model.h - An open model -------------------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_MODEL_H
#define BITNET_SRC_MODEL_H

#include "accelerator.h"
#include "artifact.h"
#include "cpu.h"
#include "manifest.h"

#include <stdatomic.h>

struct bn_model {
  atomic_int references; /* the host's and one per session */
  bn_file file;
  bn_manifest manifest;
  bn_cpu cpu;
  bool inspect_only; /* no code will run */
  bn_accelerators accelerators;
  char *obstacles;     /* what the variants' infos refer to */
  bn_code_object code; /* empty where opened for inspection */
};

void bn_model_retain(bn_model *model);

/* Copies the fields that the caller's structure has over `defaults`, whose size
   is `bytes`. False where struct_size makes no sense. */
bool bn_read_options(const void *options, void *defaults, uint32_t bytes);

#endif /* BITNET_SRC_MODEL_H */
