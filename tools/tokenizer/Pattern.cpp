//===- Pattern.cpp - Literal and regular patterns -------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pattern.h"

namespace bitnet::tokenizer {

Pattern::Pattern(const Field &field) {
  if (!field["String"].isNull()) {
    literal = field["String"].string();
    return;
  }
  if (field["Regex"].isNull())
    field.fail("has neither String nor Regex");
  regex.emplace(field["Regex"].string(),
                "tokenizer.json: " + field["Regex"].name());
}

std::vector<Span> Pattern::findAll(std::string_view text) const {
  if (regex)
    return regex->findAll(text);
  std::vector<Span> spans;
  if (literal.empty())
    return spans;
  for (size_t at = 0; (at = text.find(literal, at)) != text.npos;) {
    spans.push_back({at, at + literal.size()});
    at += literal.size();
  }
  return spans;
}

} // namespace bitnet::tokenizer
