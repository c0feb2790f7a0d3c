//===- Sampler.cpp - From logits to tokens --------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sampler.h"
#include "Error.h"

#include <algorithm>
#include <cmath>

namespace bitnet::run {

int64_t mostLikely(const float *logits, int64_t count) {
  int64_t best = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (std::isnan(logits[i]))
      throw Error("the model's logits are not numbers");
    if (logits[i] > logits[best])
      best = i;
  }
  return best;
}

static double largestLogit(const float *logits, int64_t count) {
  double largest = logits[mostLikely(logits, count)];
  if (!std::isfinite(largest))
    throw Error("the model's logits are not finite");
  return largest;
}

double negativeLogLikelihood(const float *logits, int64_t count,
                             int64_t token) {
  double largest = largestLogit(logits, count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += std::exp(double(logits[i]) - largest);
  return std::log(sum) + largest - double(logits[token]);
}

std::vector<Sampler::Candidate> Sampler::candidates(const float *logits,
                                                    int64_t count) const {
  double largest = largestLogit(logits, count);
  std::vector<Candidate> result(size_t(count), Candidate{0, 0});
  for (int64_t i = 0; i < count; ++i)
    result[size_t(i)] = {
        i, std::exp((double(logits[i]) - largest) / options.temperature)};
  auto likelier = [](const Candidate &a, const Candidate &b) {
    return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
  };
  if (options.topK > 0 && options.topK < count) {
    std::partial_sort(result.begin(), result.begin() + options.topK,
                      result.end(), likelier);
    result.resize(size_t(options.topK));
  } else {
    std::sort(result.begin(), result.end(), likelier);
  }
  if (options.topP >= 1)
    return result;
  double total = 0;
  for (const Candidate &candidate : result)
    total += candidate.weight;
  // The likeliest token stays in any case.
  double sum = 0;
  size_t kept = 0;
  while (kept < result.size() && (kept == 0 || sum < options.topP * total))
    sum += result[kept++].weight;
  result.resize(kept);
  return result;
}

int64_t Sampler::choose(const float *logits, int64_t count) {
  if (options.temperature == 0)
    return mostLikely(logits, count);
  std::vector<Candidate> allowed = candidates(logits, count);
  double total = 0;
  for (const Candidate &candidate : allowed)
    total += candidate.weight;
  // 53 random bits, since the library's distributions differ between systems.
  double draw = double(generator() >> 11) * 0x1p-53 * total;
  for (const Candidate &candidate : allowed) {
    draw -= candidate.weight;
    if (draw < 0)
      return candidate.token;
  }
  return allowed.back().token;
}

} // namespace bitnet::run
