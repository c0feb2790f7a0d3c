//===- Decoder.h - Language models, token by token --------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_DECODER_H
#define BITNET_RUN_DECODER_H

#include "Error.h"
#include "Model.h"

#include <memory>

namespace bitnet::run {

/// Why a model is no decoder.
class NotADecoder : public Error {
public:
  using Error::Error;
};

/// A language model that reads tokens one after another. Hides whether the
/// artifact has entries with a cache of their own, or only the ONNX model's
/// signature, whose past and present are then passed from call to call.
class Decoder {
public:
  /// Throws NotADecoder, saying why, where the model is none.
  static std::unique_ptr<Decoder> create(const Model &model,
                                         const Session &session);
  virtual ~Decoder();

  /// Reads tokens; returns the logits after the last, valid until the next
  /// call. `all`, if given, receives those after each: [count, vocabulary].
  virtual const float *append(const int64_t *tokens, int64_t count,
                              float *all = nullptr) = 0;
  /// The same for callers who look at the `topK` largest logits only; another
  /// may be -infinity.
  virtual const float *appendTop(const int64_t *tokens, int64_t count,
                                 int64_t topK);
  virtual int64_t position() const = 0;
  /// Forgets all tokens from `position` on.
  virtual void rewind(int64_t position) = 0;

  virtual int64_t vocabulary() const = 0;
  /// 0: not limited.
  virtual int64_t maxContext() const = 0;
  /// How many tokens are best read at a time.
  virtual int64_t chunk() const = 0;
  /// Bytes of weights that the last token read, 0 where that is not known.
  virtual double weightBytes() const { return 0; }
  /// Bytes of cache that reading one token at this position takes from memory.
  virtual double cacheBytes(double position) const = 0;
};

/// Whether `create` would choose the entries with a cache of their own.
bool hasCachedEntries(const bn_model_info &info);

} // namespace bitnet::run

#endif // BITNET_RUN_DECODER_H
