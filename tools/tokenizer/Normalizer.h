//===- Normalizer.h - What happens to a text first --------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_NORMALIZER_H
#define BITNET_TOKENIZER_NORMALIZER_H

#include "Json.h"
#include "Pattern.h"

#include <functional>
#include <vector>

namespace bitnet::tokenizer {

/// tokenizer.json's `normalizer`: null, Prepend, Replace, or a Sequence of
/// them.
class Normalizer {
public:
  explicit Normalizer(const Field &field) { add(field); }

  std::string apply(std::string_view text) const;

private:
  void add(const Field &field);

  std::vector<std::function<void(std::string &)>> steps;
};

/// Replaces every match; shared with the decoders.
std::string replaceAll(const Pattern &pattern, std::string_view text,
                       const std::string &replacement);

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_NORMALIZER_H
