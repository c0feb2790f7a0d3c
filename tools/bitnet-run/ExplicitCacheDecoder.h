//===- ExplicitCacheDecoder.h - Past and present by hand --------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_EXPLICITCACHEDECODER_H
#define BITNET_RUN_EXPLICITCACHEDECODER_H

#include "Decoder.h"

#include <string>
#include <vector>

namespace bitnet::run {

/// Drives the ONNX model's own signature: the present outputs of a call are the
/// past inputs of the next. Without such a cache every call reads all tokens
/// again.
class ExplicitCacheDecoder : public Decoder {
public:
  ExplicitCacheDecoder(const Model &model, const Session &session);

  const float *append(const int64_t *tokens, int64_t count,
                      float *all) override;
  int64_t position() const override { return int64_t(history.size()); }
  void rewind(int64_t position) override;
  int64_t vocabulary() const override { return vocabularySize; }
  int64_t maxContext() const override { return contextLimit; }
  int64_t chunk() const override { return 512; }
  double cacheBytes(double position) const override;

private:
  /// An input whose values follow from the number of tokens.
  enum class Role { Tokens, Mask, Positions, Past };
  struct Input {
    const bn_tensor_info *info;
    Role role;
    size_t past; // which, where that is its role
  };
  /// One tensor of the cache, [batch, ..., tokens, ...].
  struct Past {
    uint32_t type;
    std::vector<int64_t> shape;
    size_t axis;
    std::string data;
  };

  void classifyInputs(const bn_entry_info &entry);
  void addPast(const bn_tensor_info &tensor);
  void classifyOutputs(const bn_entry_info &entry);
  bn_tensor makeInput(const Input &input, int64_t begin, int64_t end,
                      std::string &storage);
  void keepPresent(const std::vector<bn_tensor> &outputs);
  void truncate(Past &past, int64_t length) const;

  const Session &session;
  std::vector<Input> inputs;
  std::vector<Past> pasts;
  std::vector<size_t> presentOutputs; // by past
  size_t logitsOutput = 0;
  std::vector<int64_t> history;
  int64_t vocabularySize = 0, contextLimit = 0;
};

} // namespace bitnet::run

#endif // BITNET_RUN_EXPLICITCACHEDECODER_H
