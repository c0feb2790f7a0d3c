//===- Decoder.cpp - From tokens to texts ---------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Normalizer.h"
#include "Unicode.h"

#include <cstdlib>

namespace bitnet::tokenizer {

/// A token with a character outside the byte alphabet stands for itself.
static void undoByteLevel(std::string &token) {
  std::string bytes;
  for (size_t position = 0; position < token.size();) {
    int byte = byteOfCharacter(nextCharacter(token, position));
    if (byte < 0)
      return;
    bytes += char(byte);
  }
  token = std::move(bytes);
}

/// <0xE2> stands for one byte.
static void undoByteFallback(std::string &token) {
  if (token.size() != 6 || token.compare(0, 3, "<0x") || token[5] != '>')
    return;
  char *end;
  long byte = strtol(token.c_str() + 3, &end, 16);
  if (end == token.c_str() + 5)
    token.assign(1, char(byte));
}

void Decoder::add(const Field &field) {
  if (field.isNull())
    return;
  const std::string &type = field["type"].string();
  if (type == "Sequence") {
    Field members = field["decoders"];
    for (size_t i = 0, e = members.size(); i < e; ++i)
      add(members[i]);
  } else if (type == "ByteLevel") {
    steps.push_back(undoByteLevel);
  } else if (type == "ByteFallback") {
    steps.push_back(undoByteFallback);
  } else if (type == "Fuse") {
    // Tokens are joined in any case.
  } else if (type == "Strip") {
    if (field["stop"].id() != 0)
      field["stop"].fail("is not 0, which is not supported");
    stripped = field["content"].string();
    stripCount = field["start"].id();
  } else if (type == "Replace") {
    steps.push_back([pattern = Pattern(field["pattern"]),
                     content = field["content"].string()](std::string &token) {
      token = replaceAll(pattern, token, content);
    });
  } else {
    field.fail("is of the type " + type +
               ", which is not supported (Sequence, ByteLevel, ByteFallback, "
               "Fuse, Strip and Replace are)");
  }
}

std::string Decoder::bytesOf(const std::string &token) const {
  std::string bytes = token;
  for (const auto &step : steps)
    step(bytes);
  return bytes;
}

} // namespace bitnet::tokenizer
