//===- Sampler.h - From logits to tokens ------------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_SAMPLER_H
#define BITNET_RUN_SAMPLER_H

#include <cstdint>
#include <random>
#include <vector>

namespace bitnet::run {

struct SamplingOptions {
  double temperature = 0.8; // 0: always the most likely token
  int64_t topK = 40;        // 0: all tokens
  double topP = 0.95;       // 1: all tokens
};

/// Chooses tokens. The same seed and logits give the same tokens everywhere.
class Sampler {
public:
  Sampler(const SamplingOptions &options, uint64_t seed)
      : options(options), generator(seed) {}

  /// How many of the largest logits `choose` looks at; 0: all.
  int64_t considered() const {
    return options.temperature == 0 ? 1 : options.topK;
  }

  /// Throws Error where a logit is not a number.
  int64_t choose(const float *logits, int64_t count);

private:
  struct Candidate {
    int64_t token;
    double weight;
  };
  /// The tokens that may be chosen, the likeliest first.
  std::vector<Candidate> candidates(const float *logits, int64_t count) const;

  SamplingOptions options;
  std::mt19937_64 generator;
};

/// The first of the largest logits. Throws Error where one is not a number.
int64_t mostLikely(const float *logits, int64_t count);

/// -log softmax(logits)[token].
double negativeLogLikelihood(const float *logits, int64_t count, int64_t token);

} // namespace bitnet::run

#endif // BITNET_RUN_SAMPLER_H
