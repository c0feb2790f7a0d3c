//===- CInterface.cpp - The tokenizer for other languages -----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tokenizer.h"
#include "bitnet_tokenizer.h"

#include <algorithm>
#include <cstdio>
#include <new>

using namespace bitnet::tokenizer;

struct bn_tokenizer {
  Tokenizer tokenizer;
};

struct bn_text_stream {
  StreamDecoder decoder;
  std::string text;
};

static int32_t report(bn_status *status, int32_t code, const char *message) {
  if (status) {
    status->code = code;
    snprintf(status->message, sizeof status->message, "%s", message);
  }
  return code;
}

/// Runs `body`; no exception crosses the interface.
template <typename Body>
static int32_t guarded(bn_status *status, const Body &body) {
  try {
    body();
    return report(status, BN_OK, "");
  } catch (const TokenizerError &error) {
    return report(status, BN_INVALID, error.what());
  } catch (const std::bad_alloc &) {
    return report(status, BN_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &error) {
    return report(status, BN_FAILED, error.what());
  }
}

int32_t bn_tokenizer_create(const char *json, size_t bytes,
                            bn_tokenizer **tokenizer, bn_status *status) {
  if (!json || !tokenizer)
    return report(status, BN_INVALID, "bn_tokenizer_create: a NULL argument");
  return guarded(status, [&] {
    *tokenizer = new bn_tokenizer{Tokenizer(std::string_view(json, bytes))};
  });
}

void bn_tokenizer_destroy(bn_tokenizer *tokenizer) { delete tokenizer; }

int32_t bn_tokenizer_encode(const bn_tokenizer *tokenizer, const char *text,
                            size_t bytes, int32_t add_special_tokens,
                            int64_t *ids, int64_t capacity, int64_t *count,
                            bn_status *status) {
  if (!tokenizer || !text || !count || (!ids && capacity > 0))
    return report(status, BN_INVALID, "bn_tokenizer_encode: a NULL argument");
  return guarded(status, [&] {
    std::vector<int64_t> result = tokenizer->tokenizer.encode(
        std::string_view(text, bytes), add_special_tokens != 0);
    *count = int64_t(result.size());
    std::copy_n(result.begin(),
                std::max<int64_t>(0, std::min(*count, capacity)), ids);
  });
}

int32_t bn_text_stream_create(const bn_tokenizer *tokenizer,
                              bn_text_stream **stream, bn_status *status) {
  if (!tokenizer || !stream)
    return report(status, BN_INVALID, "bn_text_stream_create: a NULL argument");
  return guarded(status, [&] {
    *stream = new bn_text_stream{StreamDecoder(tokenizer->tokenizer), {}};
  });
}

void bn_text_stream_destroy(bn_text_stream *stream) { delete stream; }

/// Gives what `next` makes, kept by the stream.
template <typename Next>
static int32_t give(bn_text_stream *stream, const char **text, size_t *bytes,
                    bn_status *status, const Next &next) {
  if (!stream || !text || !bytes)
    return report(status, BN_INVALID, "bn_text_stream: a NULL argument");
  return guarded(status, [&] {
    stream->text = next(stream->decoder);
    *text = stream->text.data();
    *bytes = stream->text.size();
  });
}

int32_t bn_text_stream_push(bn_text_stream *stream, int64_t id,
                            const char **text, size_t *bytes,
                            bn_status *status) {
  return give(stream, text, bytes, status,
              [&](StreamDecoder &decoder) { return decoder.push(id); });
}

int32_t bn_text_stream_finish(bn_text_stream *stream, const char **text,
                              size_t *bytes, bn_status *status) {
  return give(stream, text, bytes, status,
              [](StreamDecoder &decoder) { return decoder.finish(); });
}
