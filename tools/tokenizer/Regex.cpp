//===- Regex.cpp - Regular expressions of tokenizer.json ------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Regex.h"
#include "TokenizerError.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace bitnet::tokenizer {

static std::string messageOf(int code) {
  char text[160] = "unknown error";
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR *>(text),
                          sizeof text);
  return text;
}

Regex::Regex(std::string_view pattern, const std::string &field)
    : field(field) {
  std::string translated = translate(pattern, field);
  std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)>
      context(pcre2_compile_context_create(nullptr),
              pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error;
  PCRE2_SIZE offset;
  // ^ and $ match at every line in Ruby's syntax.
  pcre2_code *compiled = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset, context.get());
  if (!compiled)
    throw TokenizerError(
        field + ": the pattern cannot be compiled: " + messageOf(error));
  code.reset(compiled,
             [](void *p) { pcre2_code_free(static_cast<pcre2_code *>(p)); });
}

std::vector<Span> Regex::findAll(std::string_view text) const {
  std::vector<Span> spans;
  auto *compiled = static_cast<pcre2_code *>(code.get());
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create_from_pattern(compiled, nullptr),
      pcre2_match_data_free);
  size_t position = 0;
  while (position < text.size()) {
    int found = pcre2_match(
        compiled, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
        position, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match.get(), nullptr);
    if (found == PCRE2_ERROR_NOMATCH)
      break;
    if (found < 0)
      throw TokenizerError(
          field + ": the pattern cannot be matched: " + messageOf(found));
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(match.get());
    spans.push_back({range[0], range[1]});
    position = range[1];
  }
  return spans;
}

} // namespace bitnet::tokenizer
