//===- DecoderTest.cpp - Both ways to run a decoder -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Error.h"
#include "TinyDecoder.h"

#include <gtest/gtest.h>

using namespace bitnet::run;
using namespace bitnet_test;

namespace {

/// The parameter: with a cache of its own or by past and present.
class DecoderTest : public testing::TestWithParam<bool> {
protected:
  std::vector<float> append(const std::vector<int64_t> &tokens) {
    std::vector<float> all(tokens.size() * 16);
    const float *last =
        decoder->append(tokens.data(), int64_t(tokens.size()), all.data());
    EXPECT_TRUE(std::equal(last, last + 16, all.end() - 16));
    return all;
  }

  TemporaryFile file{tinyDecoder(GetParam()).build()};
  bitnet::run::Model model{file.path()};
  bitnet::run::Session session{model, {file.path(), 1, ""}};
  std::unique_ptr<Decoder> decoder = Decoder::create(model, session);
};

TEST_P(DecoderTest, ReadsInAnyPortions) {
  std::vector<int64_t> tokens;
  for (size_t portion : {3, 1, 11, 1, 8}) {
    std::vector<int64_t> next;
    for (size_t i = 0; i < portion; ++i)
      next.push_back(int64_t(tokens.size() + i) * 5 % 16);
    std::vector<float> all = append(next);
    for (size_t i = 0; i < portion; ++i) {
      tokens.push_back(next[i]);
      EXPECT_EQ(
          std::vector<float>(all.begin() + 16 * i, all.begin() + 16 * (i + 1)),
          tinyLogits(tokens));
    }
    EXPECT_EQ(decoder->position(), int64_t(tokens.size()));
  }
}

TEST_P(DecoderTest, GoesBack) {
  append({1, 2, 3, 4, 5});
  decoder->rewind(2);
  EXPECT_EQ(decoder->position(), 2);
  EXPECT_EQ(append({9}), tinyLogits({1, 2, 9}));
  decoder->rewind(0);
  EXPECT_EQ(append({4}), tinyLogits({4}));
  EXPECT_THROW(decoder->rewind(2), Error);
}

TEST_P(DecoderTest, RefusesUnknownTokensAndStaysAsItWas) {
  append({1, 2});
  int64_t bad[] = {3, 16};
  EXPECT_THROW(decoder->append(bad, 2), Error);
  EXPECT_EQ(decoder->position(), 2);
  EXPECT_EQ(append({3}), tinyLogits({1, 2, 3}));
}

TEST_P(DecoderTest, KnowsItsSizes) {
  EXPECT_EQ(decoder->vocabulary(), 16);
  EXPECT_EQ(decoder->maxContext(), GetParam() ? 40 : 0);
}

INSTANTIATE_TEST_SUITE_P(Paths, DecoderTest, testing::Bool(),
                         [](const auto &info) {
                           return info.param ? "Cached" : "PastAndPresent";
                         });

TEST(DecoderCreation, RefusesOtherModels) {
  TestArtifact artifact;
  artifact.entries.resize(1);
  artifact.maxContext = artifact.vocabulary = 0;
  TemporaryFile file(artifact.build());
  bitnet::run::Model model(file.path());
  bitnet::run::Session session(model, {file.path(), 1, ""});
  try {
    Decoder::create(model, session);
    FAIL() << "made a decoder";
  } catch (const Error &error) {
    EXPECT_NE(std::string(error.what()).find("its input x"), std::string::npos);
  }
}

} // namespace
