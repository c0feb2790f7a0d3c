/*===- TinyDecoder.c - A decoder written by hand -------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The logits follow from a hash of all tokens so far. Entry 0 is the model's
 * own signature: input_ids i64 [b, s], attention_mask i64 [b, t], position_ids
 * i64 [b, s], past.0.key f32 [b, 2, p, 1] -> logits f32 [b, s, 16],
 * present.0.key f32 [b, 2, p + s, 1], whose second head holds the tokens'
 * negatives. Entry 1 reads one token into the session's cache, entry 2 eight.
 *
 *===----------------------------------------------------------------------===*/

#include "bitnet/artifact.h"

enum { CONTEXT = 40, VOCABULARY = 16 };

static void logits_row(const float *tokens, int64_t count, float *logits) {
  uint32_t hash = 7;
  for (int64_t i = 0; i < count; ++i)
    hash = hash * 31 + (uint32_t)tokens[i];
  for (uint32_t i = 0; i < VOCABULARY; ++i) {
    uint32_t mixed = (hash + i * 977) * 2654435761u;
    logits[i] = (float)(mixed >> 20) / 1024.0f;
  }
}

static int32_t run_main(const bn_call *call) {
  const bn_environment *environment = call->environment;
  const bn_buffer *ids = &call->inputs[0], *past = &call->inputs[3];
  int64_t count = ids->shape[1], before = past->shape[2];
  int64_t total = before + count;
  if (ids->shape[0] != 1 || call->inputs[1].shape[1] != total)
    return BN_ENTRY_BAD_SHAPE;
  float *logits =
      environment->allocate(environment->user, count * VOCABULARY * 4);
  float *present = environment->allocate(environment->user, 2 * total * 4);
  if (!logits || !present)
    return BN_ENTRY_OUT_OF_MEMORY;
  for (int64_t head = 0; head < 2; ++head) {
    for (int64_t i = 0; i < before; ++i)
      present[head * total + i] =
          ((const float *)past->data)[head * before + i];
    for (int64_t i = 0; i < count; ++i) {
      float token = (float)((const int64_t *)ids->data)[i];
      present[head * total + before + i] = head ? -token : token;
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    if (((const int64_t *)call->inputs[2].data)[i] != before + i)
      return BN_ENTRY_BAD_INDEX;
    logits_row(present, before + i + 1, logits + i * VOCABULARY);
  }
  for (int64_t i = 0; i < total; ++i)
    if (present[total + i] != -present[i])
      return BN_ENTRY_BAD_INDEX;
  call->outputs[0] = (bn_buffer){logits, {1, count, VOCABULARY}};
  call->outputs[1] = (bn_buffer){present, {1, 2, total, 1}};
  return BN_ENTRY_OK;
}

static int32_t run_cached(const bn_call *call, int64_t count) {
  float *cache = call->states[1], *logits = call->workspace;
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = call->position + i;
    cache[at] = (float)((const int64_t *)call->inputs[0].data)[i];
    logits_row(cache, at + 1, logits + i * VOCABULARY);
  }
  call->outputs[0] = (bn_buffer){logits, {1, count, VOCABULARY}};
  return BN_ENTRY_OK;
}

static int32_t run_1(const bn_call *call) { return run_cached(call, 1); }
static int32_t run_8(const bn_call *call) { return run_cached(call, 8); }

__attribute__((visibility("default"))) bn_entry_fn
bitnet_query(uint32_t abi_version, uint32_t variant, uint32_t entry) {
  static const bn_entry_fn entries[] = {run_main, run_1, run_8};
  if (abi_version != BN_ABI_VERSION || variant || entry > 2)
    return 0;
  return entries[entry];
}
