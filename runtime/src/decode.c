/*===- decode.c - Decoders: the cache and its tokens ---------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "session.h"
#include "status.h"

#include <string.h>

/* Of chunks, the largest first, the one for the next of `remaining` tokens
   where there is room for `room`, or NULL where none fits. A chunk longer than
   what remains is padded; that costs as much as the whole chunk, but less than
   the remaining tokens one by one, which read all weights each, and than
   shorter chunks for nearly as many. */
static const bn_chunk *choose_chunk(const bn_chunk *chunks, uint32_t count,
                                    int64_t remaining, int64_t room) {
  const bn_chunk *shorter = NULL, *longer = NULL;
  for (uint32_t i = 0; i < count && !shorter; ++i) {
    if (chunks[i].tokens > remaining)
      longer = &chunks[i];
    else
      shorter = &chunks[i];
  }
  if (!longer || longer->tokens > room)
    return shorter;
  if (!shorter)
    return longer;
  int64_t worth =
      shorter->tokens == 1 ? longer->tokens / 8 : longer->tokens * 3 / 4;
  return remaining > worth ? longer : shorter;
}

static int32_t check_tokens(const bn_session *session, const int64_t *tokens,
                            int64_t count, bn_status *status) {
  const bn_model_info *info = &session->model->manifest.info;
  if (!session->chunk_count)
    return bn_report(status, BN_UNSUPPORTED,
                     "the model is not a decoder with a cache");
  if (!tokens || count < 1)
    return bn_report(status, BN_INVALID, "no tokens are given");
  if (count > info->max_context - session->position)
    return bn_report(status, BN_INVALID,
                     "%lld tokens after the %lld in the cache exceed the "
                     "model's context of %lld",
                     (long long)count, (long long)session->position,
                     (long long)info->max_context);
  for (int64_t i = 0; i < count; ++i)
    if (tokens[i] < 0 || tokens[i] >= info->vocabulary)
      return bn_report(status, BN_INVALID,
                       "token %lld is not in the vocabulary of %lld",
                       (long long)tokens[i], (long long)info->vocabulary);
  return BN_OK;
}

/* What a caller of append wants of the logits. */
typedef struct wanted_logits {
  int64_t top_k; /* of the last token; 0: all */
  float *all;    /* where those of every token go, or NULL */
} wanted_logits;

/* The entry for the next of `remaining` tokens. Logits that nobody asked for
   are not computed, where the artifact has an entry without them. */
static const bn_chunk *choose_entry(const bn_session *session, int64_t position,
                                    int64_t remaining,
                                    const wanted_logits *wanted) {
  int64_t room = session->model->manifest.info.max_context - position;
  const bn_chunk *fill = NULL;
  if (!wanted->all)
    fill =
        choose_chunk(session->fills, session->fill_count, remaining - 1, room);
  if (fill && remaining - 1 > fill->tokens / 8)
    return fill;
  if (wanted->top_k && remaining == 1 && session->top.tokens)
    return &session->top;
  return choose_chunk(session->chunks, session->chunk_count, remaining, room);
}

/* How many of the remaining tokens an entry takes. The last one's logits come
   from an entry that has some. */
static int64_t count_taken(const bn_session *session, const bn_chunk *chunk,
                           int64_t remaining) {
  const bn_entry_info *entry =
      &session->model->manifest.info.entries[chunk->entry];
  int64_t most = entry->kind == BN_ENTRY_FILL ? remaining - 1 : remaining;
  return chunk->tokens < most ? chunk->tokens : most;
}

/* Runs `count` tokens, at most the chunk's, and gives where the logits' rows
   are, for bn_session_read. */
static int32_t run_chunk(bn_session *session, const bn_chunk *chunk,
                         const int64_t *tokens, int64_t count, int64_t position,
                         int64_t top_k, const float **rows, bn_status *status) {
  const bn_entry_info *entry =
      &session->model->manifest.info.entries[chunk->entry];
  memset(session->chunk_tokens, 0, (size_t)chunk->tokens * sizeof(int64_t));
  memcpy(session->chunk_tokens, tokens, (size_t)count * sizeof(int64_t));
  session->inputs[0].data = session->chunk_tokens;
  session->inputs[0].shape[0] = 1;
  session->inputs[0].shape[1] = chunk->tokens;
  if (entry->kind == BN_ENTRY_TOP) {
    session->inputs[1].data = &top_k;
    session->inputs[1].shape[0] = 1;
  }
  int32_t code = bn_session_call(session, chunk->entry, position, status);
  if (code)
    return code;
  session->weight_bytes = entry->weight_bytes;
  *rows = session->outputs[0].data;
  if (!*rows)
    return bn_report(status, BN_FAILED, "entry '%s' gave no logits",
                     entry->name);
  if (entry->kind != BN_ENTRY_TOP)
    return BN_OK;
  uint64_t read = 0;
  code = bn_session_read(session, &read, session->outputs[1].data, sizeof(read),
                         status);
  session->weight_bytes += read;
  return code;
}

static int32_t append(bn_session *session, const int64_t *tokens, int64_t count,
                      const wanted_logits *wanted, const float **logits,
                      bn_status *status) {
  int32_t code = check_tokens(session, tokens, count, status);
  if (code)
    return code;
  int64_t vocabulary = session->model->manifest.info.vocabulary;
  size_t row_bytes = (size_t)vocabulary * sizeof(float);
  for (int64_t done = 0; done < count;) {
    int64_t position = session->position + done;
    const bn_chunk *chunk =
        choose_entry(session, position, count - done, wanted);
    if (!chunk)
      return bn_report(status, BN_UNSUPPORTED,
                       "no entry of the artifact fits the last %lld tokens of "
                       "the context",
                       (long long)(count - done));
    int64_t taken = count_taken(session, chunk, count - done);
    const float *rows = NULL;
    code = run_chunk(session, chunk, tokens + done, taken, position,
                     wanted->top_k, &rows, status);
    if (code)
      return code;
    if (wanted->all)
      code = bn_session_read(session, wanted->all + done * vocabulary, rows,
                             (size_t)taken * row_bytes, status);
    done += taken;
    if (!code && done == count)
      code =
          bn_session_read(session, session->logits,
                          rows + (taken - 1) * vocabulary, row_bytes, status);
    if (code)
      return code;
  }
  session->position += count;
  if (logits)
    *logits = session->logits;
  return bn_succeed(status);
}

int32_t bn_session_append(bn_session *session, const int64_t *tokens,
                          int64_t count, const float **logits,
                          float *all_logits, bn_status *status) {
  if (!session)
    return bn_report(status, BN_INVALID, "bn_session_append: a NULL argument");
  wanted_logits wanted = {.all = all_logits};
  return append(session, tokens, count, &wanted, logits, status);
}

int32_t bn_session_append_top(bn_session *session, const int64_t *tokens,
                              int64_t count, int64_t top_k,
                              const float **logits, bn_status *status) {
  if (!session)
    return bn_report(status, BN_INVALID,
                     "bn_session_append_top: a NULL argument");
  if (top_k < 1)
    return bn_report(status, BN_INVALID,
                     "the %lld largest logits are asked for; expected at least "
                     "1",
                     (long long)top_k);
  wanted_logits wanted = {.top_k = top_k};
  return append(session, tokens, count, &wanted, logits, status);
}

uint64_t bn_session_weight_bytes(const bn_session *session) {
  return session->weight_bytes;
}

int64_t bn_session_position(const bn_session *session) {
  return session->position;
}

int32_t bn_session_rewind(bn_session *session, int64_t position,
                          bn_status *status) {
  if (!session)
    return bn_report(status, BN_INVALID, "bn_session_rewind: a NULL argument");
  if (position < 0 || position > session->position)
    return bn_report(status, BN_INVALID,
                     "the cache cannot be rewound to %lld: it holds %lld "
                     "tokens",
                     (long long)position, (long long)session->position);
  session->position = position;
  return bn_succeed(status);
}
