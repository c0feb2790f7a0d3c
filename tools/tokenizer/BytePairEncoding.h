//===- BytePairEncoding.h - From words to token ids -------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_BYTEPAIRENCODING_H
#define BITNET_TOKENIZER_BYTEPAIRENCODING_H

#include "Json.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bitnet::tokenizer {

/// tokenizer.json's `model` of the type BPE.
class BytePairEncoding {
public:
  explicit BytePairEncoding(const Field &field);

  /// Appends the ids of one word.
  void encode(const std::string &word, std::vector<int64_t> &ids) const;

  const std::unordered_map<std::string, int64_t> &vocabulary() const {
    return idOfToken;
  }

private:
  struct Merge {
    int64_t rank, result;
  };

  void readVocabulary(const Field &vocabulary);
  void readMerges(const Field &merges);
  int64_t idOf(const std::string &token, const Field &field) const;
  std::vector<int64_t> idsOfCharacters(const std::string &word) const;
  bool appendBytes(std::string_view character, std::vector<int64_t> &ids) const;
  void merge(std::vector<int64_t> &ids) const;
  const Merge *findMerge(int64_t left, int64_t right) const;

  std::unordered_map<std::string, int64_t> idOfToken;
  std::unordered_map<uint64_t, Merge> merges;
  int64_t unknown = -1;
  bool fuseUnknown = false, byteFallback = false, ignoreMerges = false;
};

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_BYTEPAIRENCODING_H
