//===- Unicode.cpp - UTF-8 and the byte alphabet --------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Unicode.h"

#include <array>

namespace bitnet::tokenizer {

size_t characterLength(std::string_view text, size_t position,
                       bool *truncated) {
  if (truncated)
    *truncated = false;
  auto byte = [&](size_t offset) { return uint8_t(text[position + offset]); };
  if (position >= text.size())
    return 0;
  uint8_t lead = byte(0);
  if (lead < 0x80)
    return 1;
  if (lead < 0xC2 || lead > 0xF4)
    return 0;
  size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what lies
  // behind U+10FFFF.
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < length; ++i) {
    if (position + i >= text.size()) {
      if (truncated)
        *truncated = true;
      return 0;
    }
    if (byte(i) < low || byte(i) > high)
      return 0;
    low = 0x80;
    high = 0xBF;
  }
  return length;
}

uint32_t nextCharacter(std::string_view text, size_t &position) {
  uint8_t lead = uint8_t(text[position++]);
  if (lead < 0x80)
    return lead;
  int following = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  uint32_t codePoint = lead & (0x3F >> following);
  for (int i = 0; i < following; ++i)
    codePoint = codePoint << 6 | (uint8_t(text[position++]) & 0x3F);
  return codePoint;
}

void appendCharacter(std::string &text, uint32_t codePoint) {
  if (codePoint < 0x80) {
    text += char(codePoint);
    return;
  }
  int following = codePoint < 0x800 ? 1 : codePoint < 0x10000 ? 2 : 3;
  static constexpr uint8_t leads[] = {0, 0xC0, 0xE0, 0xF0};
  text += char(leads[following] | codePoint >> (6 * following));
  while (following-- > 0)
    text += char(0x80 | (codePoint >> (6 * following) & 0x3F));
}

bool isValidUtf8(std::string_view text) {
  for (size_t position = 0; position < text.size();) {
    size_t length = characterLength(text, position);
    if (!length)
      return false;
    position += length;
  }
  return true;
}

/// The bytes at `position` that one U+FFFD replaces: the longest beginning of a
/// well-formed character, or one byte.
static size_t illFormedLength(std::string_view text, size_t position) {
  size_t length = 1;
  bool truncated;
  while (position + length <= text.size() && length < 4) {
    characterLength(text.substr(0, position + length), position, &truncated);
    if (!truncated)
      break;
    ++length;
  }
  return length > 1 ? length - 1 : 1;
}

std::string takeCharacters(std::string &pending, bool end) {
  std::string text;
  size_t position = 0;
  while (position < pending.size()) {
    bool truncated;
    size_t length = characterLength(pending, position, &truncated);
    if (length) {
      text.append(pending, position, length);
    } else {
      if (truncated && !end)
        break;
      length = illFormedLength(pending, position);
      text += "\xEF\xBF\xBD";
    }
    position += length;
  }
  pending.erase(0, position);
  return text;
}

namespace {
/// Bytes that print stand for themselves; the others, in order, for U+0100 on.
struct ByteAlphabet {
  std::array<uint32_t, 256> character{};
  std::array<int, 512> byte{};

  constexpr ByteAlphabet() {
    for (int &entry : byte)
      entry = -1;
    uint32_t next = 256;
    for (uint32_t i = 0; i < 256; ++i) {
      bool prints =
          (i > 0x20 && i < 0x7F) || (i > 0xA0 && i < 0x100 && i != 0xAD);
      character[i] = prints ? i : next++;
      byte[character[i]] = int(i);
    }
  }
};
constexpr ByteAlphabet byteAlphabet;
} // namespace

uint32_t characterOfByte(uint8_t byte) { return byteAlphabet.character[byte]; }

int byteOfCharacter(uint32_t codePoint) {
  return codePoint < byteAlphabet.byte.size() ? byteAlphabet.byte[codePoint]
                                              : -1;
}

} // namespace bitnet::tokenizer
