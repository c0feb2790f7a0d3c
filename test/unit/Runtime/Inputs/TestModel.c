/*===- TestModel.c - A model written by hand -----------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Entry 0 (main): x, y f32 [n, 3], pick i64 [] -> z f32 [n, 3] = x + w * y +
 * SALT, row f32 [3] = z[pick]; w is the archive's first float. The values 13,
 * 14 and 15 of n make it fail in three ways.
 *
 * Entries 1, 2, 3 (cached): 8, 1, 32 tokens; see logits_row.
 *
 *===----------------------------------------------------------------------===*/

#include "bitnet/artifact.h"

enum { CONTEXT = 70, VOCABULARY = 16, COLUMNS = 3 };

typedef struct main_arguments {
  const float *x, *y;
  float weight;
  float *z;
} main_arguments;

static void main_rows(void *context, int64_t begin, int64_t end) {
  const main_arguments *a = context;
  for (int64_t i = begin * COLUMNS; i < end * COLUMNS; ++i)
    a->z[i] = a->x[i] + a->weight * a->y[i] + SALT;
}

static int32_t run_main(const bn_call *call) {
  const bn_environment *environment = call->environment;
  int64_t rows = call->inputs[0].shape[0];
  int64_t pick = *(const int64_t *)call->inputs[2].data;
  if (rows == 13)
    return BN_ENTRY_BAD_SHAPE;
  if (rows == 14)
    return 77;
  uint64_t bytes = (uint64_t)rows * COLUMNS * sizeof(float);
  if (rows == 15)
    bytes = UINT64_MAX / 4;
  if (pick < 0 || pick >= rows)
    return BN_ENTRY_BAD_INDEX;
  main_arguments arguments = {call->inputs[0].data, call->inputs[1].data,
                              *(const float *)call->archive,
                              environment->allocate(environment->user, bytes)};
  if (!arguments.z)
    return BN_ENTRY_OUT_OF_MEMORY;
  environment->parallel_for(environment->user, main_rows, &arguments, rows);
  call->outputs[0].data = arguments.z;
  call->outputs[0].shape[0] = rows;
  call->outputs[0].shape[1] = COLUMNS;
  float *row = call->workspace;
  for (int64_t i = 0; i < COLUMNS; ++i)
    row[i] = arguments.z[pick * COLUMNS + i];
  call->outputs[1].data = row;
  call->outputs[1].shape[0] = COLUMNS;
  return BN_ENTRY_OK;
}

/* Column 0: a hash of all tokens so far; 1: how many the call took; 2: the
   position; 3: the row's token. */
static void logits_row(const int64_t *cache, int64_t position, int64_t tokens,
                       float *logits) {
  int64_t hash = 7;
  for (int64_t i = 0; i <= position; ++i)
    hash = (hash * 31 + cache[i]) % 1000003;
  for (int64_t i = 0; i < VOCABULARY; ++i)
    logits[i] = 0;
  logits[0] = (float)hash;
  logits[1] = (float)tokens;
  logits[2] = (float)position;
  logits[3] = (float)cache[position];
}

static int32_t run_cached(const bn_call *call, int64_t tokens) {
  if (call->position < 0 || call->position + tokens > CONTEXT)
    return 99;
  int64_t *cache = call->states[1];
  const int64_t *ids = call->inputs[0].data;
  float *logits = call->workspace;
  if (call->inputs[0].shape[0] != 1 || call->inputs[0].shape[1] != tokens)
    return BN_ENTRY_BAD_SHAPE;
  for (int64_t i = 0; i < tokens; ++i) {
    cache[call->position + i] = ids[i];
    logits_row(cache, call->position + i, tokens, logits + i * VOCABULARY);
  }
  call->outputs[0].data = logits;
  call->outputs[0].shape[0] = 1;
  call->outputs[0].shape[1] = tokens;
  call->outputs[0].shape[2] = VOCABULARY;
  return BN_ENTRY_OK;
}

static int32_t run_8(const bn_call *call) { return run_cached(call, 8); }
static int32_t run_1(const bn_call *call) { return run_cached(call, 1); }
static int32_t run_32(const bn_call *call) { return run_cached(call, 32); }

__attribute__((visibility("default"))) bn_entry_fn
bitnet_query(uint32_t abi_version, uint32_t variant, uint32_t entry) {
  if (abi_version != BN_ABI_VERSION || variant > 2)
    return 0;
  switch (entry) {
  case 0:
    return run_main;
  case 1:
    return run_8;
  case 2:
    return run_1;
  case 3:
    return run_32;
  default:
    return 0;
  }
}
