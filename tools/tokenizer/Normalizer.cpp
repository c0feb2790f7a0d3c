//===- Normalizer.cpp - What happens to a text first ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Normalizer.h"

namespace bitnet::tokenizer {

std::string replaceAll(const Pattern &pattern, std::string_view text,
                       const std::string &replacement) {
  std::string result;
  size_t position = 0;
  for (Span match : pattern.findAll(text)) {
    result.append(text, position, match.begin - position);
    result += replacement;
    position = match.end;
  }
  result.append(text, position);
  return result;
}

void Normalizer::add(const Field &field) {
  if (field.isNull())
    return;
  const std::string &type = field["type"].string();
  if (type == "Sequence") {
    Field members = field["normalizers"];
    for (size_t i = 0, e = members.size(); i < e; ++i)
      add(members[i]);
  } else if (type == "Prepend") {
    steps.push_back([prefix = field["prepend"].string()](std::string &text) {
      if (!text.empty())
        text.insert(0, prefix);
    });
  } else if (type == "Replace") {
    steps.push_back([pattern = Pattern(field["pattern"]),
                     content = field["content"].string()](std::string &text) {
      text = replaceAll(pattern, text, content);
    });
  } else {
    field.fail("is of the type " + type +
               ", which is not supported (Sequence, Prepend and Replace are)");
  }
}

std::string Normalizer::apply(std::string_view text) const {
  std::string result(text);
  for (const auto &step : steps)
    step(result);
  return result;
}

} // namespace bitnet::tokenizer
