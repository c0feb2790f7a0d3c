//===- DecodeTest.cpp - Decoders: the cache and its tokens ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestArtifact.h"

#include <gtest/gtest.h>
#include <numeric>
#include <string>
#include <vector>

using namespace bitnet_test;

namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

/// What Inputs/TestModel.c puts in column 0 for the last of these tokens.
float hashOf(const std::vector<int64_t> &tokens) {
  int64_t hash = 7;
  for (int64_t token : tokens)
    hash = (hash * 31 + token) % 1000003;
  return float(hash);
}

std::vector<int64_t> someTokens(int64_t count) {
  std::vector<int64_t> tokens(count);
  for (int64_t i = 0; i < count; ++i)
    tokens[i] = (i * 7 + 3) % 16;
  return tokens;
}

class DecodeTest : public testing::Test {
protected:
  void use(const TestArtifact &artifact) {
    session.reset();
    file.write(artifact.build());
    model.reset();
    model = openModel(file.path());
    session = createSession(model);
  }

  void SetUp() override { use(TestArtifact()); }

  int32_t append(const std::vector<int64_t> &tokens) {
    all.assign(tokens.size() * 16, -1);
    return bn_session_append(session.get(), tokens.data(), tokens.size(),
                             &logits, all.data(), &status);
  }

  /// The sizes of the calls that the last append made.
  std::vector<int> calls() const {
    std::vector<int> sizes;
    for (size_t row = 0; row < all.size() / 16;) {
      sizes.push_back(int(all[row * 16 + 1]));
      row += size_t(sizes.back());
    }
    return sizes;
  }

  int64_t position() const { return bn_session_position(session.get()); }

  TemporaryFile file;
  Model model;
  Session session;
  const float *logits = nullptr;
  std::vector<float> all;
  bn_status status;
};

using Sizes = std::vector<int>;

TEST_F(DecodeTest, GivesTheSameInAnyChunks) {
  std::vector<int64_t> tokens = someTokens(70);
  for (int64_t step : {1, 2, 5, 8, 9, 31, 32, 33, 69, 70}) {
    ASSERT_EQ(bn_session_rewind(session.get(), 0, &status), BN_OK);
    for (int64_t at = 0; at < 70; at += step) {
      int64_t count = std::min<int64_t>(step, 70 - at);
      std::vector<int64_t> part(&tokens[at], &tokens[at] + count);
      ASSERT_EQ(append(part), BN_OK) << status.message;
      EXPECT_EQ(position(), at + count);
      for (int64_t i = 0; i < count; ++i) {
        std::vector<int64_t> prefix(tokens.begin(),
                                    tokens.begin() + at + i + 1);
        ASSERT_EQ(all[i * 16], hashOf(prefix)) << step << " " << at + i;
        ASSERT_EQ(all[i * 16 + 2], float(at + i));
        ASSERT_EQ(all[i * 16 + 3], float(part[i]));
      }
      EXPECT_TRUE(std::equal(logits, logits + 16, all.end() - 16));
    }
  }
}

TEST_F(DecodeTest, PicksChunks) {
  auto callsFor = [&](int64_t count, int64_t from = 0) {
    EXPECT_EQ(bn_session_rewind(session.get(), 0, &status), BN_OK);
    if (from) {
      EXPECT_EQ(append(someTokens(from)), BN_OK);
    }
    EXPECT_EQ(append(someTokens(count)), BN_OK) << status.message;
    return calls();
  };
  EXPECT_EQ(callsFor(1), Sizes({1}));
  EXPECT_EQ(callsFor(2), Sizes({8})); // padded: over an eighth
  EXPECT_EQ(callsFor(8), Sizes({8}));
  EXPECT_EQ(callsFor(9), Sizes({8, 1}));
  EXPECT_EQ(callsFor(16), Sizes({8, 8}));
  EXPECT_EQ(callsFor(24), Sizes({8, 8, 8}));
  EXPECT_EQ(callsFor(25), Sizes({32})); // padded: over three quarters
  EXPECT_EQ(callsFor(32), Sizes({32}));
  EXPECT_EQ(callsFor(64), Sizes({32, 32}));
  EXPECT_EQ(callsFor(70), Sizes({32, 32, 1, 1, 1, 1, 1, 1})); // no room
  EXPECT_EQ(callsFor(3, 67), Sizes({1, 1, 1}));
  EXPECT_EQ(callsFor(3, 62), Sizes({8}));
}

TEST_F(DecodeTest, FillsInTwoLengths) {
  TestArtifact artifact;
  artifact.entries[1] = cachedEntry("fill8", 8, BN_ENTRY_FILL);
  artifact.entries[3] = cachedEntry("fill32", 32, BN_ENTRY_FILL);
  use(artifact);
  for (int64_t count = 1; count <= 70; ++count) {
    std::vector<int64_t> tokens = someTokens(count);
    ASSERT_EQ(bn_session_rewind(session.get(), 0, &status), BN_OK);
    ASSERT_EQ(bn_session_append(session.get(), tokens.data(), tokens.size(),
                                &logits, nullptr, &status),
              BN_OK)
        << status.message;
    EXPECT_EQ(position(), count);
    EXPECT_EQ(logits[0], hashOf(tokens)) << count;
    EXPECT_EQ(logits[1], 1) << "from the entry of one token";
  }
  // All logits of a text come from entries that have some.
  ASSERT_EQ(bn_session_rewind(session.get(), 0, &status), BN_OK);
  ASSERT_EQ(append(someTokens(40)), BN_OK);
  EXPECT_EQ(calls(), Sizes(40, 1));
}

TEST_F(DecodeTest, ManagesWithOneEntry) {
  TestArtifact artifact;
  artifact.entries.resize(3); // main, 8 and 1
  use(artifact);
  ASSERT_EQ(append(someTokens(19)), BN_OK) << status.message;
  EXPECT_EQ(calls(), Sizes({8, 8, 8}));

  artifact.entries.resize(2); // main and 8
  use(artifact);
  ASSERT_EQ(append(someTokens(1)), BN_OK) << status.message;
  EXPECT_EQ(calls(), Sizes({8}));
  ASSERT_EQ(append(someTokens(64)), BN_OK) << status.message;
  EXPECT_EQ(position(), 65);
  EXPECT_EQ(append(someTokens(1)), BN_UNSUPPORTED);
  EXPECT_EQ(position(), 65);
}

TEST_F(DecodeTest, Rewinds) {
  std::vector<int64_t> tokens = someTokens(20);
  ASSERT_EQ(append(tokens), BN_OK);
  ASSERT_EQ(bn_session_rewind(session.get(), 5, &status), BN_OK);
  EXPECT_EQ(position(), 5);
  ASSERT_EQ(append({9}), BN_OK);
  tokens.resize(5);
  tokens.push_back(9);
  EXPECT_EQ(logits[0], hashOf(tokens));
  EXPECT_EQ(bn_session_rewind(session.get(), 7, &status), BN_INVALID);
  EXPECT_EQ(bn_session_rewind(session.get(), -1, &status), BN_INVALID);
  EXPECT_EQ(position(), 6);
}

TEST_F(DecodeTest, RefusesBadTokens) {
  ASSERT_EQ(append({1, 2, 3}), BN_OK);
  EXPECT_EQ(append({1, 16}), BN_INVALID);
  EXPECT_TRUE(contains(status.message, "token 16")) << status.message;
  EXPECT_EQ(append({-1}), BN_INVALID);
  EXPECT_EQ(append({}), BN_INVALID);
  EXPECT_EQ(position(), 3);
  ASSERT_EQ(append({4}), BN_OK);
  EXPECT_EQ(logits[0], hashOf({1, 2, 3, 4}));
}

TEST_F(DecodeTest, RefusesTooManyTokens) {
  EXPECT_EQ(append(someTokens(71)), BN_INVALID);
  EXPECT_TRUE(contains(status.message, "context of 70")) << status.message;
  EXPECT_EQ(position(), 0);
  ASSERT_EQ(append(someTokens(70)), BN_OK);
  EXPECT_EQ(append({1}), BN_INVALID);
  EXPECT_EQ(position(), 70);
}

TEST_F(DecodeTest, RefusesModelsWithoutACache) {
  TestArtifact artifact;
  artifact.entries.resize(1);
  use(artifact);
  EXPECT_EQ(append({1}), BN_UNSUPPORTED);
}

TEST_F(DecodeTest, SessionsAreIndependent) {
  Session other = createSession(model, 3, "base");
  ASSERT_EQ(append({1, 2}), BN_OK);
  const int64_t token = 5;
  const float *otherLogits = nullptr;
  ASSERT_EQ(
      bn_session_append(other.get(), &token, 1, &otherLogits, nullptr, &status),
      BN_OK);
  EXPECT_EQ(logits[0], hashOf({1, 2}));
  EXPECT_EQ(otherLogits[0], hashOf({5}));
  EXPECT_EQ(bn_session_position(other.get()), 1);
}

} // namespace
