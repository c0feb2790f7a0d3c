//===- Json.h - Checked access to tokenizer.json ----------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_JSON_H
#define BITNET_TOKENIZER_JSON_H

#include "TokenizerError.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

namespace bitnet::tokenizer {

/// A value of tokenizer.json with its path, so that errors name the field.
class Field {
public:
  Field(const nlohmann::json &value, std::string path)
      : value(&value), path(std::move(path)) {}

  /// The member `name`, null where it is absent.
  Field operator[](const std::string &name) const {
    static const nlohmann::json null;
    if (!value->is_object())
      fail("is not an object");
    auto member = value->find(name);
    return Field(member == value->end() ? null : *member,
                 path.empty() ? name : path + "." + name);
  }
  Field operator[](size_t index) const {
    return Field(value->at(index), path + "[" + std::to_string(index) + "]");
  }

  bool isNull() const { return value->is_null(); }
  bool isString() const { return value->is_string(); }

  /// The number of elements of what must be an array.
  size_t size() const {
    if (!value->is_array())
      fail("is not a list");
    return value->size();
  }
  const nlohmann::json &object() const {
    if (!value->is_object())
      fail("is not an object");
    return *value;
  }
  const std::string &string() const {
    if (!value->is_string())
      fail("is not a string");
    return value->get_ref<const std::string &>();
  }
  bool boolean(bool otherwise = false) const {
    if (value->is_null())
      return otherwise;
    if (!value->is_boolean())
      fail("is neither true nor false");
    return value->get<bool>();
  }
  int64_t id() const {
    if (!value->is_number_integer() || value->get<int64_t>() < 0 ||
        value->get<int64_t>() > INT32_MAX)
      fail("is not a token id");
    return value->get<int64_t>();
  }

  const std::string &name() const { return path; }

  [[noreturn]] void fail(const std::string &what) const {
    throw TokenizerError(
        "tokenizer.json: " + (path.empty() ? "the file" : path) + " " + what);
  }

private:
  const nlohmann::json *value;
  std::string path;
};

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_JSON_H
