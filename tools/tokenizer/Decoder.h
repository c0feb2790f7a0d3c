//===- Decoder.h - From tokens to texts -------------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_DECODER_H
#define BITNET_TOKENIZER_DECODER_H

#include "Json.h"
#include "Pattern.h"

#include <functional>
#include <vector>

namespace bitnet::tokenizer {

/// tokenizer.json's `decoder`: ByteLevel, or a Sequence of Replace,
/// ByteFallback, Fuse and Strip as SentencePiece's vocabularies have it.
class Decoder {
public:
  explicit Decoder(const Field &field) { add(field); }

  /// The bytes that a token of the vocabulary stands for.
  std::string bytesOf(const std::string &token) const;

  /// How many of this character are removed from the start of a text.
  const std::string &strippedCharacter() const { return stripped; }
  int64_t strippedCount() const { return stripCount; }

private:
  void add(const Field &field);

  std::vector<std::function<void(std::string &)>> steps;
  std::string stripped;
  int64_t stripCount = 0;
};

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_DECODER_H
