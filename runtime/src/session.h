/*===- session.h - A session of a model ----------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_SESSION_H
#define BITNET_SRC_SESSION_H

#include "arena.h"
#include "model.h"
#include "thread_pool.h"

/* A cached entry and how many tokens it takes. */
typedef struct bn_chunk {
  uint32_t entry;
  int64_t tokens;
} bn_chunk;

struct bn_session {
  bn_model *model;
  uint32_t variant;
  bn_thread_pool *pool;
  bn_arena *arena;
  bn_environment environment;
  bn_entry_fn *entries; /* the variant's code, one per entry of the manifest */

  /* One mapping holds the workspace, the states and the logits. */
  void *memory;
  uint64_t memory_bytes;
  void *workspace;
  void **states;
  float *logits;

  bn_buffer *inputs, *outputs; /* of the call under way */
  bn_chunk *chunks;            /* the cached entries, the largest first */
  uint32_t chunk_count;
  int64_t *chunk_tokens; /* room for the largest chunk's token ids */
  int64_t position;
};

/* Calls an entry on session->inputs and session->outputs. Takes back what
   earlier calls allocated. */
int32_t bn_session_call(bn_session *session, uint32_t entry, int64_t position,
                        bn_status *status);

#endif /* BITNET_SRC_SESSION_H */
