/*===- bitnet/runtime.h - Running compiled models ------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Every structure that the caller fills begins with struct_size, so that it can
 * grow. Functions that can fail return 0 or a bn_code and, where `status` is
 * not NULL, a message. Models may be shared between threads, and closed before
 * their sessions; a session serves one call at a time.
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_RUNTIME_H
#define BITNET_RUNTIME_H

#include "bitnet/artifact.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bn_code {
  BN_OK = 0,
  BN_IO = 1,          /* the file cannot be read */
  BN_CORRUPT = 2,     /* not an artifact, truncated, or changed */
  BN_UNSUPPORTED = 3, /* for another CPU, another version, a missing feature */
  BN_INVALID = 4,     /* an argument: name, dtype, shape, token, length */
  BN_OUT_OF_MEMORY = 5,
  BN_FAILED = 6, /* the compiled code reported an error */
} bn_code;

typedef struct bn_status {
  int32_t code;
  char message[508];
} bn_status;

typedef struct bn_model bn_model;
typedef struct bn_session bn_session;

typedef struct bn_dim {
  int64_t extent;     /* -1: dynamic */
  const char *symbol; /* the dimension's name in the model, "" where fixed */
} bn_dim;

typedef struct bn_tensor_info {
  const char *name;
  uint32_t dtype; /* ONNX TensorProto.DataType */
  uint32_t rank;
  const bn_dim *dims;
} bn_tensor_info;

typedef struct bn_entry_info {
  const char *name;
  uint32_t kind;
  int64_t tokens;
  uint64_t workspace_bytes;
  uint64_t macs;         /* multiply-adds of a call's matmuls; 0: unknown */
  uint64_t weight_bytes; /* of the archive, that a call reads; of BN_ENTRY_TOP
                            without the head's; 0: unknown */
  uint32_t input_count, output_count;
  const bn_tensor_info *inputs, *outputs;
} bn_entry_info;

typedef struct bn_variant_info {
  const char *name;
  uint32_t feature_count;
  const char *const *features;
  int32_t runnable; /* this machine has every feature, and the device */
  uint32_t device;  /* bn_device_kind */
  uint32_t kernel_count;
  const char *obstacle; /* what keeps it from running, "" where it runs */
} bn_variant_info;

/* What a model is. Lives as long as the model. */
typedef struct bn_model_info {
  uint32_t struct_size;
  const char *producer, *triple;
  uint64_t archive_bytes, weight_bytes, state_bytes;
  int64_t max_context, vocabulary;
  uint32_t stop_token_count;
  const int64_t *stop_tokens;
  uint32_t variant_count, entry_count, state_count;
  const bn_variant_info *variants;
  const bn_entry_info *entries;
  const char *tokenizer; /* tokenizer.json, not NUL-terminated; may be NULL */
  uint64_t tokenizer_bytes;
} bn_model_info;

typedef struct bn_open_options {
  uint32_t struct_size;
  int32_t inspect_only; /* read the manifest; load no code (any machine's) */
} bn_open_options;

int32_t bn_model_open(const char *path, const bn_open_options *options,
                      bn_model **model, bn_status *status);
const bn_model_info *bn_model_get_info(const bn_model *model);
void bn_model_close(bn_model *model);

typedef struct bn_session_options {
  uint32_t struct_size;
  int32_t threads;     /* 0: one per core that this process may use */
  const char *variant; /* NULL: the best that this machine runs */
  int32_t timed; /* time what a device does, for bn_session_device_seconds */
} bn_session_options;

int32_t bn_session_create(bn_model *model, const bn_session_options *options,
                          bn_session **session, bn_status *status);
void bn_session_close(bn_session *session);
/* The name of the variant in use. */
const char *bn_session_variant(const bn_session *session);
int32_t bn_session_threads(const bn_session *session);
/* How long the device worked on the last call, from the start of its first
   kernel to the end of its last, without copies from and to the host before and
   after; 0 where that is not known. */
double bn_session_device_seconds(const bn_session *session);

/* A named tensor of a run of the model's own signature. */
typedef struct bn_tensor {
  const char *name;
  uint32_t dtype, rank;
  int64_t shape[BN_MAX_RANK];
  void *data;
} bn_tensor;

/* Runs the main entry. `inputs` may come in any order; each is checked against
 * the signature (name, dtype, shape). `outputs` has room for every output of
 * the signature, in its order; data is owned by the session until its next
 * call. */
int32_t bn_session_run(bn_session *session, const bn_tensor *inputs,
                       uint32_t input_count, bn_tensor *outputs,
                       uint32_t output_count, bn_status *status);

/* Decoders: appends `count` tokens to the cache (chunks go through the prefill
 * entry, the rest through the decode entry) and gives the logits, f32
 * [vocabulary], that follow the last one; owned by the session until its next
 * call. BN_INVALID where a token is not in [0, vocabulary) or the cache would
 * exceed max_context; the cache is then unchanged. Where `all_logits` is not
 * NULL it receives [count, vocabulary]. */
int32_t bn_session_append(bn_session *session, const int64_t *tokens,
                          int64_t count, const float **logits,
                          float *all_logits, bn_status *status);
/* As bn_session_append, for callers who look at the `top_k` largest logits only
 * (at least 1; 1 for greedy decoding): these are the same to the bit, another
 * may be -infinity. Reads less of the head's weights where the artifact has an
 * entry for that. */
int32_t bn_session_append_top(bn_session *session, const int64_t *tokens,
                              int64_t count, int64_t top_k,
                              const float **logits, bn_status *status);
/* Bytes of the archive that the last token appended read; 0 where that is not
   known. */
uint64_t bn_session_weight_bytes(const bn_session *session);
/* Tokens in the cache. */
int64_t bn_session_position(const bn_session *session);
/* Forgets all tokens from `position` on. BN_INVALID where there are fewer. */
int32_t bn_session_rewind(bn_session *session, int64_t position,
                          bn_status *status);

#ifdef __cplusplus
}
#endif
#endif /* BITNET_RUNTIME_H */
