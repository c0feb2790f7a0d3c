//===- Decoder.cpp - Language models, token by token ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "ExplicitCacheDecoder.h"

#include <algorithm>

namespace bitnet::run {

Decoder::~Decoder() = default;

const float *Decoder::appendTop(const int64_t *tokens, int64_t count, int64_t) {
  return append(tokens, count);
}

bool hasCachedEntries(const bn_model_info &info) {
  for (uint32_t i = 0; i < info.entry_count; ++i)
    if (info.entries[i].kind == BN_ENTRY_CACHED)
      return true;
  return false;
}

namespace {
/// The cache lives in the session.
class CachedDecoder : public Decoder {
public:
  CachedDecoder(const Model &model, const Session &session)
      : info(model.info()), session(session) {}

  const float *append(const int64_t *tokens, int64_t count,
                      float *all) override {
    const float *logits = nullptr;
    bn_status status = {};
    check(bn_session_append(session.handle(), tokens, count, &logits, all,
                            &status),
          status);
    return logits;
  }
  const float *appendTop(const int64_t *tokens, int64_t count,
                         int64_t topK) override {
    const float *logits = nullptr;
    bn_status status = {};
    check(bn_session_append_top(session.handle(), tokens, count, topK, &logits,
                                &status),
          status);
    return logits;
  }
  double weightBytes() const override {
    return double(bn_session_weight_bytes(session.handle()));
  }
  int64_t position() const override {
    return bn_session_position(session.handle());
  }
  void rewind(int64_t position) override {
    bn_status status = {};
    check(bn_session_rewind(session.handle(), position, &status), status);
  }
  int64_t vocabulary() const override { return info.vocabulary; }
  int64_t maxContext() const override { return info.max_context; }
  int64_t chunk() const override {
    int64_t tokens = 1;
    for (uint32_t i = 0; i < info.entry_count; ++i)
      if (info.entries[i].kind == BN_ENTRY_CACHED)
        tokens = std::max(tokens, info.entries[i].tokens);
    return tokens;
  }
  double cacheBytes(double position) const override {
    if (info.max_context <= 0)
      return 0;
    return double(info.state_bytes) * position / double(info.max_context);
  }

private:
  const bn_model_info &info;
  const Session &session;
};
} // namespace

std::unique_ptr<Decoder> Decoder::create(const Model &model,
                                         const Session &session) {
  if (hasCachedEntries(model.info()))
    return std::make_unique<CachedDecoder>(model, session);
  return std::make_unique<ExplicitCacheDecoder>(model, session);
}

} // namespace bitnet::run
