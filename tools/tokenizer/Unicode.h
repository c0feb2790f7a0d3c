//===- Unicode.h - UTF-8 and the byte alphabet ------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_UNICODE_H
#define BITNET_TOKENIZER_UNICODE_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bitnet::tokenizer {

/// The number of bytes of the well-formed character at `position`, or 0 where
/// there is none. `truncated`, if given, says whether the text merely ends
/// before the character does.
size_t characterLength(std::string_view text, size_t position,
                       bool *truncated = nullptr);

/// Decodes the character at `position`, which must be well formed, and moves
/// `position` behind it.
uint32_t nextCharacter(std::string_view text, size_t &position);

void appendCharacter(std::string &text, uint32_t codePoint);

bool isValidUtf8(std::string_view text);

/// Moves what is complete of `pending` to the result and replaces what can
/// never become well formed by U+FFFD, one for each maximal ill-formed part. A
/// character's beginning stays in `pending` unless this is the `end`.
std::string takeCharacters(std::string &pending, bool end);

/// The printable character that stands for a byte in byte-level vocabularies.
uint32_t characterOfByte(uint8_t byte);

/// The byte that a character of a byte-level vocabulary stands for, or -1.
int byteOfCharacter(uint32_t codePoint);

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_UNICODE_H
