//===- PreTokenizer.cpp - From texts to words -----------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PreTokenizer.h"
#include "Pattern.h"
#include "Unicode.h"

namespace bitnet::tokenizer {

namespace {

/// What becomes of the delimiters of a split.
enum class Behavior {
  Removed,
  Isolated,
  MergedWithPrevious,
  MergedWithNext,
  Contiguous
};

struct Part {
  Span span;
  bool delimiter;
};

Behavior readBehavior(const Field &field) {
  const std::string &name = field.string();
  if (name == "Removed")
    return Behavior::Removed;
  if (name == "Isolated")
    return Behavior::Isolated;
  if (name == "MergedWithPrevious")
    return Behavior::MergedWithPrevious;
  if (name == "MergedWithNext")
    return Behavior::MergedWithNext;
  if (name == "Contiguous")
    return Behavior::Contiguous;
  field.fail("is " + name + ", which is no known behavior");
}

/// The whole text as an alternation of delimiters and what lies between.
std::vector<Part> partition(std::string_view text, const Pattern &pattern,
                            bool invert) {
  std::vector<Part> parts;
  size_t position = 0;
  for (Span match : pattern.findAll(text)) {
    if (position < match.begin)
      parts.push_back({{position, match.begin}, invert});
    parts.push_back({match, !invert});
    position = match.end;
  }
  if (position < text.size())
    parts.push_back({{position, text.size()}, invert});
  return parts;
}

/// Whether `part`, which follows `previous`, is of one word with it.
bool joins(Behavior behavior, const Part &previous, const Part &part) {
  switch (behavior) {
  case Behavior::MergedWithPrevious:
    return part.delimiter && !previous.delimiter;
  case Behavior::MergedWithNext:
    return previous.delimiter && !part.delimiter;
  case Behavior::Contiguous:
    return part.delimiter == previous.delimiter;
  case Behavior::Removed:
  case Behavior::Isolated:
    return false;
  }
  return false;
}

void splitWord(const std::string &word, const Pattern &pattern, bool invert,
               Behavior behavior, std::vector<std::string> &words) {
  const Part *previous = nullptr;
  std::vector<Part> parts = partition(word, pattern, invert);
  for (const Part &part : parts) {
    if (behavior == Behavior::Removed && part.delimiter)
      continue;
    std::string text =
        word.substr(part.span.begin, part.span.end - part.span.begin);
    if (previous && joins(behavior, *previous, part))
      words.back() += text;
    else
      words.push_back(std::move(text));
    previous = &part;
  }
}

std::string spellBytes(const std::string &word) {
  std::string spelled;
  for (char byte : word)
    appendCharacter(spelled, characterOfByte(uint8_t(byte)));
  return spelled;
}

/// How GPT-2 cuts: contractions, then runs of letters, numbers and others, each
/// with one leading space; of other white space the last may lead a word.
constexpr const char *byteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// The package's Punctuation: a character of ASCII or of Unicode 7's category
/// P, whence the list of later ones.
constexpr const char *punctuationPattern =
    R"((?![)"
    R"(\x{61d}\x{9fd}\x{a76}\x{c77}\x{c84}\x{1b4e}-\x{1b4f})"
    R"(\x{1b7d}-\x{1b7f}\x{2e43}-\x{2e4f}\x{2e52}-\x{2e5d}\x{10d6e})"
    R"(\x{10ead}\x{10f55}-\x{10f59}\x{10f86}-\x{10f89}\x{113d4}-\x{113d5})"
    R"(\x{113d7}-\x{113d8}\x{1144b}-\x{1144f}\x{1145a}-\x{1145b}\x{1145d})"
    R"(\x{11660}-\x{1166c}\x{116b9}\x{1183b}\x{11944}-\x{11946}\x{119e2})"
    R"(\x{11a3f}-\x{11a46}\x{11a9a}-\x{11a9c}\x{11a9e}-\x{11aa2})"
    R"(\x{11b00}-\x{11b09}\x{11be1}\x{11c41}-\x{11c45}\x{11c70}-\x{11c71})"
    R"(\x{11ef7}-\x{11ef8}\x{11f43}-\x{11f4f}\x{11fff}\x{12ff1}-\x{12ff2})"
    R"(\x{16d6d}-\x{16d6f}\x{16e97}-\x{16e9a}\x{16fe2}\x{1e5ff})"
    R"(\x{1e95e}-\x{1e95f})"
    R"(])[\p{P}$+<=>^`|~\x{166d}\x{111c9}])";

/// Its Digits go by Unicode 17.
constexpr const char *digitPattern =
    R"([\p{N}\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}])";

} // namespace

void PreTokenizer::addByteLevel(const Field &field) {
  if (field["add_prefix_space"].boolean(true))
    steps.push_back([](const std::string &word, Words &words) {
      words.push_back(word[0] == ' ' ? word : " " + word);
    });
  if (field["use_regex"].boolean(true))
    steps.push_back([pattern = Pattern(Regex(byteLevelPattern, "ByteLevel"))](
                        const std::string &word, Words &words) {
      splitWord(word, pattern, false, Behavior::Isolated, words);
    });
  steps.push_back([](const std::string &word, Words &words) {
    words.push_back(spellBytes(word));
  });
}

void PreTokenizer::add(const Field &field) {
  if (field.isNull())
    return;
  auto addSplit = [&](Pattern pattern, Behavior behavior, bool invert) {
    steps.push_back([pattern = std::move(pattern), behavior,
                     invert](const std::string &word, Words &words) {
      splitWord(word, pattern, invert, behavior, words);
    });
  };
  const std::string &type = field["type"].string();
  if (type == "Sequence") {
    Field members = field["pretokenizers"];
    for (size_t i = 0, e = members.size(); i < e; ++i)
      add(members[i]);
  } else if (type == "ByteLevel") {
    addByteLevel(field);
  } else if (type == "Split") {
    addSplit(Pattern(field["pattern"]), readBehavior(field["behavior"]),
             field["invert"].boolean());
  } else if (type == "Digits") {
    bool individual = field["individual_digits"].boolean();
    std::string pattern = digitPattern;
    addSplit(Pattern(Regex(individual ? pattern : pattern + "+", field.name())),
             Behavior::Isolated, false);
  } else if (type == "Punctuation") {
    addSplit(Pattern(Regex(punctuationPattern, field.name())),
             field["behavior"].isNull() ? Behavior::Isolated
                                        : readBehavior(field["behavior"]),
             false);
  } else {
    field.fail("is of the type " + type +
               ", which is not supported (Sequence, ByteLevel, Split, Digits "
               "and Punctuation are)");
  }
}

std::vector<std::string> PreTokenizer::split(std::string text) const {
  Words words;
  if (!text.empty())
    words.push_back(std::move(text));
  for (const auto &step : steps) {
    Words next;
    for (const std::string &word : words)
      step(word, next);
    words = std::move(next);
  }
  return words;
}

} // namespace bitnet::tokenizer
