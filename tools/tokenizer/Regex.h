//===- Regex.h - Regular expressions of tokenizer.json ----------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TOKENIZER_REGEX_H
#define BITNET_TOKENIZER_REGEX_H

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::tokenizer {

/// A range of bytes of a text.
struct Span {
  size_t begin, end;
};

/// A regular expression as tokenizer.json writes it: Oniguruma's Ruby syntax,
/// Unicode 16. PCRE2 executes it.
class Regex {
public:
  /// `field` names the pattern in errors. Throws TokenizerError.
  Regex(std::string_view pattern, const std::string &field);

  /// Successive matches that are not empty. The text is valid UTF-8.
  std::vector<Span> findAll(std::string_view text) const;

  /// Rewrites a pattern for PCRE2 with UTF and UCP, so that character classes
  /// hold the same characters. Throws TokenizerError.
  static std::string translate(std::string_view pattern,
                               const std::string &field);

private:
  std::shared_ptr<void> code; // pcre2_code
  std::string field;
};

} // namespace bitnet::tokenizer

#endif // BITNET_TOKENIZER_REGEX_H
