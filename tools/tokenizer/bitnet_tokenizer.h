/*===- bitnet_tokenizer.h - The tokenizer for other languages ------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Errors are reported as in bitnet/runtime.h. A tokenizer may be shared between
 * threads and must outlive its text streams; a stream serves one call at a
 * time.
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_TOKENIZER_H
#define BITNET_TOKENIZER_H

#include "bitnet/runtime.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bn_tokenizer bn_tokenizer;
typedef struct bn_text_stream bn_text_stream;

/* Reads a tokenizer.json of Hugging Face's. */
int32_t bn_tokenizer_create(const char *json, size_t bytes,
                            bn_tokenizer **tokenizer, bn_status *status);
void bn_tokenizer_destroy(bn_tokenizer *tokenizer);

/* Gives the number of ids of a text (UTF-8), of which the first `capacity` are
 * written to `ids`. */
int32_t bn_tokenizer_encode(const bn_tokenizer *tokenizer, const char *text,
                            size_t bytes, int32_t add_special_tokens,
                            int64_t *ids, int64_t capacity, int64_t *count,
                            bn_status *status);

/* Text from ids, one at a time: a character whose bytes are spread over tokens
 * comes with the last of them. */
int32_t bn_text_stream_create(const bn_tokenizer *tokenizer,
                              bn_text_stream **stream, bn_status *status);
void bn_text_stream_destroy(bn_text_stream *stream);
/* UTF-8 without a NUL at its end, owned by the stream until its next call. */
int32_t bn_text_stream_push(bn_text_stream *stream, int64_t id,
                            const char **text, size_t *bytes,
                            bn_status *status);
/* What was held back. */
int32_t bn_text_stream_finish(bn_text_stream *stream, const char **text,
                              size_t *bytes, bn_status *status);

#ifdef __cplusplus
}
#endif
#endif /* BITNET_TOKENIZER_H */
