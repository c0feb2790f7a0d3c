/*===- artifact.h - An artifact's file and its code ----------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_ARTIFACT_H
#define BITNET_SRC_ARTIFACT_H

#include "bitnet/runtime.h"

#include <stdbool.h>

typedef struct bn_bytes {
  const unsigned char *data;
  uint64_t count;
} bn_bytes;

/* An artifact mapped read-only, whose seal was checked. */
typedef struct bn_file {
  int descriptor;
  bn_bytes image;   /* the whole file */
  uint16_t machine; /* ELF's e_machine */
  /* Sections; data is NULL if absent. */
  bn_bytes manifest, tokenizer, kernels, archive;
} bn_file;

int32_t bn_file_open(const char *path, bn_file *file, bn_status *status);
void bn_file_close(bn_file *file);

/* The ELF e_machine of this process, and the name of one (NULL if unknown). */
uint16_t bn_machine_of_process(void);
const char *bn_machine_name(uint16_t machine);

/* The loaded code of an artifact. */
typedef struct bn_code_object {
  void *handle; /* of dlopen */
  bn_query_fn query;
} bn_code_object;

/* Loads the code of `file`, which was opened from `path`. */
int32_t bn_code_load(const char *path, const bn_file *file,
                     bn_code_object *code, bn_status *status);
void bn_code_unload(bn_code_object *code);

#endif /* BITNET_SRC_ARTIFACT_H */
