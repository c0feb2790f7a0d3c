//===- Pattern.h - Literal and regular patterns -----------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_PATTERN_H
#define BITNET_TOKENIZER_PATTERN_H

#include "Json.h"
#include "Regex.h"

#include <optional>

namespace bitnet::tokenizer {

/// The `pattern` of a Split or Replace: {"String": ...} or {"Regex": ...}.
class Pattern {
public:
  explicit Pattern(const Field &field);
  explicit Pattern(Regex regex) : regex(std::move(regex)) {}

  std::vector<Span> findAll(std::string_view text) const;

private:
  std::string literal;
  std::optional<Regex> regex;
};

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_PATTERN_H
