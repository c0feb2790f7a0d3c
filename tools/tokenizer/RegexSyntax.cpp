//===- RegexSyntax.cpp - From Oniguruma's syntax to PCRE2's ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What differs between the two syntaxes, as far as tokenizers use them:
//  - PCRE2's \s also holds U+180E, its \w lacks marks, its \h is another class;
//  - PCRE2 10.42 knows Unicode 14: later characters are added to \p{...};
//  - a script name means the script in Oniguruma, script extensions in PCRE2;
//  - Oniguruma nests and intersects classes, and {n,m}+ is not possessive:
//    these are refused.
//
//===----------------------------------------------------------------------===//

#include "Regex.h"
#include "TokenizerError.h"

#include <cctype>
#include <cstdint>
#include <cstdio>

namespace bitnet::tokenizer {

namespace {

struct Addition {
  uint32_t first, last;
  std::string_view category;
};
constexpr Addition additions[] = {
#include "UnicodeAdditions.inc"
};

constexpr const char *spaces =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr const char *notSpaces =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff})";
/// Characters of \w beside \p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}: Other_Alphabetic, and
/// fractions and superscript digits of Latin-1, these outside [...] only.
constexpr const char *otherWordCharacters =
    R"(\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189})";
constexpr const char *latinWordCharacters =
    R"(\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";

class Translator {
public:
  Translator(std::string_view pattern, const std::string &field)
      : pattern(pattern), field(field) {}

  std::string run() {
    while (position < pattern.size()) {
      char c = pattern[position];
      if (c == '\\')
        escape();
      else if (inClass)
        classCharacter(c);
      else
        character(c);
    }
    if (inClass)
      fail("an unclosed character class");
    return std::move(result);
  }

private:
  [[noreturn]] void fail(const std::string &what) const {
    throw TokenizerError(field + ": the pattern has " + what);
  }

  void character(char c) {
    if (c == '[') {
      inClass = true;
      result += c;
      ++position;
      if (position < pattern.size() && pattern[position] == '^')
        result += pattern[position++];
      return;
    }
    if (c == '{')
      return braces();
    result += c;
    ++position;
  }

  /// An interval {n}, {n,}, {n,m} or {,m}; other braces are literal in both.
  void braces() {
    size_t end = position + 1;
    while (end < pattern.size() &&
           (isdigit(uint8_t(pattern[end])) || pattern[end] == ','))
      ++end;
    std::string_view body = pattern.substr(position + 1, end - position - 1);
    bool interval = end < pattern.size() && pattern[end] == '}' &&
                    body.find_first_of("0123456789") != body.npos;
    if (!interval) {
      result += "\\{";
      ++position;
      return;
    }
    if (end + 1 < pattern.size() && pattern[end + 1] == '+')
      fail("{n,m}+, which is not supported");
    result += body[0] == ',' ? "{0" : "{";
    result += body;
    result += '}';
    position = end + 1;
  }

  void classCharacter(char c) {
    if (c == '[') {
      size_t end = pattern.find(":]", position);
      if (pattern.substr(position, 2) != "[:" || end == pattern.npos)
        fail("a class in a class, which is not supported");
      result += pattern.substr(position, end + 2 - position);
      position = end + 2;
      return;
    }
    if (pattern.substr(position, 2) == "&&")
      fail("an intersection of classes, which is not supported");
    if (c == ']')
      inClass = false;
    result += c;
    ++position;
  }

  void escape() {
    if (position + 1 >= pattern.size())
      fail("a backslash at its end");
    char c = pattern[position + 1];
    position += 2;
    switch (c) {
    case 's':
      return emit(spaces);
    case 'S':
      return inClass ? emit(notSpaces) : emit(spaces, /*negated=*/true);
    case 'd':
    case 'D':
      return emit(property("Nd"), c == 'D');
    case 'h':
    case 'H':
      return emit("0-9A-Fa-f", c == 'H');
    case 'w':
    case 'W':
      return emit(property("L") + property("M") + property("Nd") +
                      property("Nl") + property("Pc") + otherWordCharacters +
                      (inClass ? "" : latinWordCharacters),
                  c == 'W');
    case 'p':
    case 'P':
      return propertyEscape(c == 'P');
    default:
      result += '\\';
      result += c;
    }
  }

  void propertyEscape(bool negated) {
    size_t end = pattern.find('}', position);
    if (position >= pattern.size() || pattern[position] != '{' ||
        end == pattern.npos)
      fail("\\p without {name}");
    std::string name(pattern.substr(position + 1, end - position - 1));
    position = end + 1;
    if (!name.empty() && name[0] == '^') {
      negated = !negated;
      name.erase(0, 1);
    }
    emit(property(name), negated);
  }

  /// The members of \p{name}, to be put into a class.
  std::string property(const std::string &name) const {
    if (name == "Han")
      return R"(\p{sc:Han}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})";
    if (name.size() > 2)
      return "\\p{sc:" + name + "}";
    std::string members = "\\p{" + name + "}";
    for (const Addition &addition : additions) {
      if (addition.category.substr(0, name.size()) != name)
        continue;
      char range[32];
      snprintf(range, sizeof range, "\\x{%x}-\\x{%x}", addition.first,
               addition.last);
      members += range;
    }
    return members;
  }

  void emit(const std::string &members, bool negated = false) {
    if (!inClass) {
      result += negated ? "[^" : "[";
      result += members;
      result += ']';
      return;
    }
    if (negated)
      fail("a negated class in a class, which is not supported");
    result += members;
  }

  std::string_view pattern;
  const std::string &field;
  size_t position = 0;
  bool inClass = false;
  std::string result;
};

} // namespace

std::string Regex::translate(std::string_view pattern,
                             const std::string &field) {
  return Translator(pattern, field).run();
}

} // namespace bitnet::tokenizer
