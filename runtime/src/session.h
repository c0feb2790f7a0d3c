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

/* An entry of a decoder and how many tokens it takes: 0 where there is none. */
typedef struct bn_chunk {
  uint32_t entry;
  int64_t tokens;
} bn_chunk;

/* What an input's memory on the device was copied from. */
typedef struct bn_input_copy {
  const void *host;
  uint64_t address, bytes;
} bn_input_copy;

struct bn_session {
  bn_model *model;
  uint32_t variant;
  bn_thread_pool *pool;
  bn_arena *arena;
  bn_environment environment;
  bn_entry_fn *entries; /* the variant's code, one per entry of the manifest */

  /* Of a device variant, where pointers of calls hold device addresses. */
  bn_device *device; /* NULL: the CPU */
  bn_stream *stream;
  bn_arena *results; /* of the host: what outputs are copied to */
  uint64_t device_states;
  bn_status fault;       /* what an entry's call met */
  bn_input_copy *copies; /* of the call under way */
  uint32_t copy_count;

  /* On the CPU one mapping holds the workspace, the states and the logits. */
  void *memory;
  uint64_t memory_bytes;
  const void *archive;
  void *workspace;
  void **states;
  float *logits;

  bn_buffer *inputs, *outputs; /* of the call under way */
  bn_chunk *chunks;            /* the cached entries, the largest first */
  uint32_t chunk_count;
  bn_chunk *fills; /* those without logits, the largest first */
  uint32_t fill_count;
  bn_chunk top;          /* with the largest logits */
  uint64_t weight_bytes; /* that the last token read */
  int64_t *chunk_tokens; /* room for the largest chunk's token ids */
  int64_t position;
};

/* Calls an entry on session->inputs, whose data is the host's, and
   session->outputs. Takes back what earlier calls allocated. */
int32_t bn_session_call(bn_session *session, uint32_t entry, int64_t position,
                        bn_status *status);

/* Copies from where outputs are to the host. */
int32_t bn_session_read(bn_session *session, void *host, const void *data,
                        uint64_t bytes, bn_status *status);
/* Brings an output's data to the host, unless it is there. */
int32_t bn_session_give_output(bn_session *session, const bn_tensor_info *info,
                               bn_buffer *output, bn_status *status);

/*===----------------------------------------------------------------------===
 * Sessions of a device variant
 *===----------------------------------------------------------------------===*/

int32_t bn_session_open_device(bn_session *session, bool timed,
                               bn_status *status);
void bn_session_close_device(bn_session *session);
/* The workspace and the states, and memory of the host for the logits. */
int32_t bn_session_allocate_on_device(bn_session *session,
                                      uint64_t workspace_bytes,
                                      uint64_t states_bytes,
                                      uint64_t logits_bytes, bn_status *status);
/* Before and after an entry: brings the inputs to the device; gives it what it
   was asked for, where `result` is good. */
int32_t bn_session_begin_on_device(bn_session *session, uint32_t entry,
                                   bn_status *status);
int32_t bn_session_end_on_device(bn_session *session, int32_t result,
                                 bn_status *status);

#endif /* BITNET_SRC_SESSION_H */
