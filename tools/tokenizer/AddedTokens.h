//===- AddedTokens.h - Tokens found before all else -------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_ADDEDTOKENS_H
#define BITNET_TOKENIZER_ADDEDTOKENS_H

#include "Json.h"
#include "Normalizer.h"

#include <array>
#include <unordered_map>
#include <vector>

namespace bitnet::tokenizer {

/// tokenizer.json's `added_tokens`: texts that are one token wherever they
/// stand, found before anything else is done.
class AddedTokens {
public:
  AddedTokens(const Field &field, const Normalizer &normalizer);

  struct Segment {
    std::string_view text;
    int64_t id; // -1: an ordinary text
  };
  /// Cuts a text at the tokens that are looked for before (or, `normalized`,
  /// after) normalization; the leftmost match, of those the longest.
  std::vector<Segment> split(std::string_view text, bool normalized) const;

  struct Token {
    int64_t id = -1;
    std::string content; // as looked for
    std::string text;    // as written in the file
    bool special = false, normalized = true, singleWord = false;
    bool stripLeft = false, stripRight = false;
  };
  const std::vector<Token> &all() const { return tokens; }

private:
  const Token *matchAt(std::string_view text, size_t position,
                       bool normalized) const;

  std::vector<Token> tokens;
  /// Indices by the first byte, the longest content first.
  std::array<std::vector<size_t>, 256> byFirstByte;
  Regex wordStart, wordEnd, spacesAtStart, spacesAtEnd;
};

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_ADDEDTOKENS_H
