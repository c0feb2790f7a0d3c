//===- TokenizerTest.cpp - The parts of the tokenizer ---------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tokenizer.h"
#include "Regex.h"
#include "Unicode.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace bitnet::tokenizer;
using nlohmann::json;

namespace {

/// A byte-level file: every byte, in order of the byte alphabet, then merges.
json byteLevelFile() {
  json vocabulary = json::object();
  for (int byte = 0; byte < 256; ++byte) {
    std::string token;
    appendCharacter(token, characterOfByte(uint8_t(byte)));
    vocabulary[token] = byte;
  }
  vocabulary["ab"] = 256;
  vocabulary["bc"] = 257;
  vocabulary["abc"] = 258;
  vocabulary["<end>"] = 300;
  return {{"added_tokens",
           {{{"id", 300}, {"content", "<end>"}, {"special", true}},
            {{"id", 301}, {"content", "<end>>"}, {"special", true}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer",
           {{"type", "ByteLevel"},
            {"add_prefix_space", false},
            {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model",
           {{"type", "BPE"},
            {"vocab", vocabulary},
            {"merges", {"b c", json::array({"a", "b"}), "a bc"}}}}};
}

std::string errorOf(const json &file) {
  try {
    Tokenizer tokenizer(file.dump());
  } catch (const TokenizerError &error) {
    return error.what();
  }
  return "";
}

using Ids = std::vector<int64_t>;

TEST(TokenizerTest, MergesByRank) {
  Tokenizer tokenizer(byteLevelFile().dump());
  EXPECT_EQ(tokenizer.encode("abc"), Ids{258}); // b c, then a bc
  EXPECT_EQ(tokenizer.encode("abab"), (Ids{256, 256}));
  EXPECT_EQ(tokenizer.encode("ab c"), (Ids{256, ' ', 'c'}));
  EXPECT_EQ(tokenizer.encode(""), Ids{});
}

TEST(TokenizerTest, FindsTheLongestAddedToken) {
  Tokenizer tokenizer(byteLevelFile().dump());
  EXPECT_EQ(tokenizer.encode("a<end>b<end>>c<end"),
            (Ids{'a', 300, 'b', 301, 'c', '<', 'e', 'n', 'd'}));
}

TEST(TokenizerTest, AddsWhatTheTemplateSays) {
  json file = byteLevelFile();
  file["post_processor"] = json::parse(R"({"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<end>", "type_id": 0}},
               {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
    "special_tokens": {"<end>": {"id": "<end>", "ids": [300]}}})");
  Tokenizer tokenizer(file.dump());
  EXPECT_EQ(tokenizer.encode("a"), (Ids{300, 'a'}));
  EXPECT_EQ(tokenizer.encode("a", false), Ids{'a'});
}

TEST(TokenizerTest, RefusesInvalidText) {
  Tokenizer tokenizer(byteLevelFile().dump());
  for (const char *text : {"\xFF", "a\xC3", "\xED\xA0\x80", "\xC0\x80"})
    EXPECT_THROW(tokenizer.encode(text), TokenizerError);
}

TEST(TokenizerTest, HoldsBackIncompleteCharacters) {
  Tokenizer tokenizer(byteLevelFile().dump());
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push('a'), "a");
  EXPECT_EQ(decoder.push(0xE2), "");
  EXPECT_EQ(decoder.push(0x82), "");
  EXPECT_EQ(decoder.push(0xAC), "\u20AC");
  EXPECT_EQ(decoder.push(300), ""); // special
  EXPECT_EQ(decoder.push(12345), "");
  EXPECT_EQ(decoder.push(0xE2), "");
  EXPECT_EQ(decoder.push('b'), "\uFFFDb");
  EXPECT_EQ(decoder.push(0xF0), "");
  EXPECT_EQ(decoder.push(0x9F), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(tokenizer.decode({0xFF, 0xC3, 0xC3, 0xA4}), "\uFFFD\uFFFD\u00E4");
}

TEST(TokenizerTest, NamesTheFieldThatIsNotSupported) {
  const std::tuple<const char *, json, const char *> cases[] = {
      {"/normalizer", {{"type", "NFC"}}, "normalizer is of the type NFC"},
      {"/pre_tokenizer", {{"type", "Whitespace"}}, "type Whitespace"},
      {"/decoder", {{"type", "WordPiece"}}, "decoder is of the type WordPiece"},
      {"/post_processor", {{"type", "BertProcessing"}}, "BertProcessing"},
      {"/model/type", "Unigram", "model.type is Unigram"},
      {"/model/dropout", 0.1, "model.dropout"},
      {"/model/end_of_word_suffix", "</w>", "model.end_of_word_suffix"},
      {"/model/unk_token", "?!", "model.unk_token"},
      {"/model/merges", json::array({"a bb"}), "model.merges[0]"},
      {"/model/merges", json::array({"abc"}), "model.merges[0]"},
      {"/model/merges", 3, "model.merges is not a list"},
      {"/model/vocab", json::array(), "model.vocab is not an object"},
      {"/model/vocab/a", -1, "model.vocab.a is not a token id"},
      {"/added_tokens/0/id", "x", "added_tokens[0].id"},
  };
  for (const auto &[path, value, part] : cases) {
    json file = byteLevelFile();
    file[json::json_pointer(path)] = value;
    EXPECT_NE(errorOf(file).find(part), std::string::npos)
        << path << ": " << errorOf(file);
  }
  EXPECT_NE(errorOf(json::array()), "");
  EXPECT_THROW(Tokenizer("{"), TokenizerError);
}

size_t matches(const char *pattern, const std::string &text) {
  return Regex(pattern, "p").findAll(text).size();
}

TEST(RegexTest, HasOnigurumasClasses) {
  EXPECT_EQ(matches("\\s", "\u0085\u3000\u180E\u200B"), 2u);
  EXPECT_EQ(matches("[^\\S]", "\u180E "), 1u);
  EXPECT_EQ(matches("\\w", "e\u0301_\u0663\u00B2"), 5u);
  EXPECT_EQ(matches("[\\w]", "e\u00B2\u24B6"), 2u);
  EXPECT_EQ(matches("\\p{L}", "\U00031350\U000105C0"), 2u); // Unicode 15, 16
  EXPECT_EQ(matches("\\P{N}", "\U00010D40x"), 1u);
  EXPECT_EQ(matches("[\\p{Lu}]", "A\u1C89a"), 2u);
  EXPECT_EQ(matches("\\h", "g fF0"), 3u);
  EXPECT_EQ(matches("^a$", "a\na"), 2u);
  EXPECT_EQ(matches("a{,2}b", "aab"), 1u);
}

TEST(RegexTest, RefusesWhatDiffers) {
  for (const char *pattern :
       {"[a[b]]", "[a&&b]", "a{1,3}+", "[a", "(", "\\p", "[\\P{L}]", "a\\"})
    EXPECT_THROW(Regex(pattern, "p"), TokenizerError) << pattern;
}

} // namespace
