//===- Dimensions.cpp - Named dimensions --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Dimensions.h"
#include "llvm/ADT/StringExtras.h"

using llvm::StringMap;
using llvm::StringRef;

namespace bitnet::import {

namespace {
/// sum := product (('+' | '-') product)*, product := atom (('*' | '//') atom)*,
/// atom := number | name | '-' atom | '(' sum ')'
class Parser {
public:
  Parser(StringRef text, const StringMap<int64_t> &values)
      : text(text), values(values) {}

  std::optional<int64_t> parse() {
    std::optional<int64_t> value = sum(0);
    text = text.ltrim();
    return text.empty() ? value : std::nullopt;
  }

private:
  // Deeper than any exporter nests.
  static constexpr int kMaxDepth = 64;

  bool consume(StringRef token) {
    text = text.ltrim();
    return text.consume_front(token);
  }

  std::optional<int64_t> sum(int depth) {
    std::optional<int64_t> value = product(depth);
    while (value) {
      int64_t sign = consume("+") ? 1 : consume("-") ? -1 : 0;
      if (!sign)
        break;
      std::optional<int64_t> right = product(depth);
      if (!right)
        return std::nullopt;
      *value += sign * *right;
    }
    return value;
  }

  std::optional<int64_t> product(int depth) {
    std::optional<int64_t> value = atom(depth);
    while (value) {
      bool divide = consume("//") || consume("/");
      if (!divide && !consume("*"))
        break;
      std::optional<int64_t> right = atom(depth);
      if (!right || (divide && *right <= 0))
        return std::nullopt;
      *value = divide ? *value / *right : *value * *right;
    }
    return value;
  }

  std::optional<int64_t> atom(int depth) {
    if (depth > kMaxDepth)
      return std::nullopt;
    if (consume("-")) {
      std::optional<int64_t> value = atom(depth + 1);
      return value ? std::optional<int64_t>(-*value) : std::nullopt;
    }
    if (consume("(")) {
      std::optional<int64_t> value = sum(depth + 1);
      return consume(")") ? value : std::nullopt;
    }
    StringRef word = text.take_while(
        [](char c) { return llvm::isAlnum(c) || c == '_' || c == '.'; });
    text = text.drop_front(word.size());
    int64_t number;
    if (!word.getAsInteger(10, number))
      return number;
    auto known = values.find(word);
    return known == values.end() ? std::nullopt
                                 : std::optional<int64_t>(known->second);
  }

  StringRef text;
  const StringMap<int64_t> &values;
};

/// The expression with fixed names replaced by their values.
std::string substitute(StringRef expression, const StringMap<int64_t> &values) {
  auto inWord = [](char c) { return llvm::isAlnum(c) || c == '_' || c == '.'; };
  std::string result;
  while (!expression.empty()) {
    StringRef other = expression.take_until(inWord);
    expression = expression.drop_front(other.size());
    StringRef word = expression.take_while(inWord);
    expression = expression.drop_front(word.size());
    result += other;
    auto known = values.find(word);
    result +=
        known == values.end() ? word.str() : std::to_string(known->second);
  }
  return result;
}
} // namespace

std::optional<int64_t> evaluateDimension(StringRef expression,
                                         const StringMap<int64_t> &values) {
  // A name may hold any character.
  auto known = values.find(expression);
  if (known != values.end())
    return known->second;
  return Parser(expression, values).parse();
}

void fixDimensions(::onnx::GraphProto &graph,
                   const StringMap<int64_t> &values) {
  if (values.empty())
    return;
  auto fix = [&](::onnx::ValueInfoProto &value) {
    if (!value.type().has_tensor_type() ||
        !value.type().tensor_type().has_shape())
      return;
    for (auto &dim : *value.mutable_type()
                          ->mutable_tensor_type()
                          ->mutable_shape()
                          ->mutable_dim()) {
      if (!dim.has_dim_param())
        continue;
      if (std::optional<int64_t> known =
              evaluateDimension(dim.dim_param(), values))
        dim.set_dim_value(*known);
      else
        dim.set_dim_param(substitute(dim.dim_param(), values));
    }
  };
  for (auto &value : *graph.mutable_input())
    fix(value);
  for (auto &value : *graph.mutable_output())
    fix(value);
  for (auto &value : *graph.mutable_value_info())
    fix(value);
}

} // namespace bitnet::import
