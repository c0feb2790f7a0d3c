//===- PreTokenizer.h - From texts to words ---------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_PRETOKENIZER_H
#define BITNET_TOKENIZER_PRETOKENIZER_H

#include "Json.h"

#include <functional>
#include <vector>

namespace bitnet::tokenizer {

/// tokenizer.json's `pre_tokenizer`: cuts a text into the words within which
/// merges happen. Null, ByteLevel, Split, Digits, Punctuation, or a Sequence.
class PreTokenizer {
public:
  explicit PreTokenizer(const Field &field) { add(field); }

  std::vector<std::string> split(std::string text) const;

private:
  using Words = std::vector<std::string>;

  void add(const Field &field);
  void addByteLevel(const Field &field);

  /// Each appends what becomes of one word.
  std::vector<std::function<void(const std::string &, Words &)>> steps;
};

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_PRETOKENIZER_H
