//===- SamplerTest.cpp - Choosing tokens ----------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sampler.h"
#include "Error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

using namespace bitnet::run;

namespace {

const std::vector<float> logits = {0.0f, 2.0f, 1.0f, -1.0f, 2.0f};

std::vector<double> frequencies(const SamplingOptions &options) {
  Sampler sampler(options, 42);
  std::vector<double> counts(logits.size());
  constexpr int draws = 20000;
  for (int i = 0; i < draws; ++i)
    counts[size_t(sampler.choose(logits.data(), int64_t(logits.size())))] +=
        1.0 / draws;
  return counts;
}

TEST(Sampler, TakesTheFirstOfTheLikeliest) {
  EXPECT_EQ(mostLikely(logits.data(), 5), 1);
  Sampler sampler({0, 0, 1}, 1);
  EXPECT_EQ(sampler.choose(logits.data(), 5), 1);
}

TEST(Sampler, FollowsTheDistribution) {
  for (double temperature : {0.5, 1.0, 3.0}) {
    double total = 0;
    for (float logit : logits)
      total += std::exp(logit / temperature);
    std::vector<double> seen = frequencies({temperature, 0, 1});
    for (size_t i = 0; i < logits.size(); ++i)
      EXPECT_NEAR(seen[i], std::exp(logits[i] / temperature) / total, 0.015);
  }
}

TEST(Sampler, KeepsTheTopK) {
  std::vector<double> seen = frequencies({1, 3, 1});
  EXPECT_GT(seen[1], 0);
  EXPECT_GT(seen[2], 0);
  EXPECT_GT(seen[4], 0);
  EXPECT_EQ(seen[0] + seen[3], 0);
  // Of equal ones the first.
  EXPECT_NEAR(frequencies({1, 1, 1})[1], 1, 1e-9);
}

TEST(Sampler, KeepsTheTopP) {
  // The two largest have 0.39 each, the third 0.14.
  std::vector<double> seen = frequencies({1, 0, 0.7});
  EXPECT_EQ(seen[0] + seen[2] + seen[3], 0);
  EXPECT_GT(frequencies({1, 0, 0.85})[2], 0);
  EXPECT_NEAR(frequencies({1, 0, 0})[1], 1, 1e-9);
}

TEST(Sampler, RepeatsWithTheSeed) {
  std::set<std::vector<int64_t>> runs;
  for (uint64_t seed : {1, 1, 2}) {
    Sampler sampler({1, 0, 1}, seed);
    std::vector<int64_t> tokens;
    for (int i = 0; i < 30; ++i)
      tokens.push_back(sampler.choose(logits.data(), 5));
    runs.insert(tokens);
  }
  EXPECT_EQ(runs.size(), 2u);
}

TEST(Sampler, RefusesWhatIsNoNumber) {
  float bad[] = {0, std::nanf(""), 1};
  EXPECT_THROW(mostLikely(bad, 3), Error);
  EXPECT_THROW(negativeLogLikelihood(bad, 3, 0), Error);
  bad[1] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(Sampler({1, 0, 1}, 1).choose(bad, 3), Error);
  bad[1] = -std::numeric_limits<float>::infinity(); // masked
  EXPECT_NE(Sampler({1, 0, 1}, 1).choose(bad, 3), 1);
}

TEST(Sampler, MeasuresLikelihood) {
  float far[] = {1000, 1000};
  EXPECT_NEAR(negativeLogLikelihood(far, 2, 0), std::log(2), 1e-12);
  EXPECT_NEAR(negativeLogLikelihood(logits.data(), 5, 3), 3.9372698, 1e-6);
}

} // namespace
