//===- AddedTokens.cpp - Tokens found before all else ---------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AddedTokens.h"

#include <algorithm>

namespace bitnet::tokenizer {

AddedTokens::AddedTokens(const Field &field, const Normalizer &normalizer)
    : wordStart("\\A\\w", field.name()), wordEnd("\\w\\z", field.name()),
      spacesAtStart("\\A\\s+", field.name()),
      spacesAtEnd("(?<!\\s)\\s+\\z", field.name()) {
  if (field.isNull())
    return;
  for (size_t i = 0, e = field.size(); i < e; ++i) {
    Field entry = field[i];
    Token token;
    token.id = entry["id"].id();
    token.text = entry["content"].string();
    token.special = entry["special"].boolean();
    token.normalized = entry["normalized"].boolean(!token.special);
    token.singleWord = entry["single_word"].boolean();
    token.stripLeft = entry["lstrip"].boolean();
    token.stripRight = entry["rstrip"].boolean();
    token.content =
        token.normalized ? normalizer.apply(token.text) : token.text;
    if (token.content.empty())
      continue;
    byFirstByte[uint8_t(token.content[0])].push_back(tokens.size());
    tokens.push_back(std::move(token));
  }
  for (std::vector<size_t> &bucket : byFirstByte)
    std::sort(bucket.begin(), bucket.end(), [&](size_t a, size_t b) {
      size_t sizeA = tokens[a].content.size(), sizeB = tokens[b].content.size();
      return sizeA != sizeB ? sizeA > sizeB : a < b;
    });
}

const AddedTokens::Token *AddedTokens::matchAt(std::string_view text,
                                               size_t position,
                                               bool normalized) const {
  for (size_t index : byFirstByte[uint8_t(text[position])]) {
    const Token &token = tokens[index];
    if (token.normalized == normalized &&
        text.compare(position, token.content.size(), token.content) == 0)
      return &token;
  }
  return nullptr;
}

std::vector<AddedTokens::Segment> AddedTokens::split(std::string_view text,
                                                     bool normalized) const {
  std::vector<Segment> segments;
  size_t done = 0;
  for (size_t position = 0; position < text.size();) {
    const Token *token = matchAt(text, position, normalized);
    if (!token) {
      ++position;
      continue;
    }
    size_t begin = position, end = position + token->content.size();
    position = end;
    std::string_view before = text.substr(0, begin), after = text.substr(end);
    if (token->singleWord &&
        (!wordEnd.findAll(before).empty() || !wordStart.findAll(after).empty()))
      continue;
    if (token->stripLeft)
      for (Span space : spacesAtEnd.findAll(before))
        begin = std::max(space.begin, done);
    if (token->stripRight)
      for (Span space : spacesAtStart.findAll(after))
        end += space.end;
    if (done < begin)
      segments.push_back({text.substr(done, begin - done), -1});
    segments.push_back({text.substr(begin, end - begin), token->id});
    done = end;
  }
  if (done < text.size())
    segments.push_back({text.substr(done), -1});
  return segments;
}

} // namespace bitnet::tokenizer
