//===- Tokenizer.h - Hugging Face's tokenizer.json --------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_TOKENIZER_H
#define BITNET_TOKENIZER_TOKENIZER_H

#include "TokenizerError.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::tokenizer {

/// A byte-pair tokenizer in Hugging Face's format. Its ids are those of the
/// `tokenizers` package. `truncation` and `padding` are not applied: they shape
/// batches, not texts.
class Tokenizer {
public:
  /// Reads tokenizer.json. Throws TokenizerError, which names the field, where
  /// it is ill formed or has something that is not supported.
  explicit Tokenizer(std::string_view json);
  ~Tokenizer();
  Tokenizer(Tokenizer &&) noexcept;
  Tokenizer &operator=(Tokenizer &&) noexcept;

  /// `addSpecialTokens` adds what the post-processor puts around a text (a
  /// beginning-of-text token, say). Throws TokenizerError on invalid UTF-8.
  std::vector<int64_t> encode(std::string_view text,
                              bool addSpecialTokens = true) const;

  /// Special tokens and unknown ids have no text.
  std::string decode(const std::vector<int64_t> &ids) const;

private:
  friend class StreamDecoder;
  struct Parts;
  std::unique_ptr<Parts> parts;
};

/// Decodes token by token. A character whose bytes are spread over tokens comes
/// with the last of them.
class StreamDecoder {
public:
  explicit StreamDecoder(const Tokenizer &tokenizer);

  std::string push(int64_t id);
  /// What was held back; the end of the text.
  std::string finish();

private:
  const Tokenizer &tokenizer;
  std::string pending;
  int64_t toStrip;
};

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_TOKENIZER_H
