//===- ContextSlope.cpp - What a token costs by what came before ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContextSlope.h"

#include "BenchRun.h"
#include "Machine.h"

#include <algorithm>
#include <cmath>

namespace bitnet::run {

void fitLine(ContextSlope &slope) {
  double count = double(slope.points.size()), x = 0, y = 0, xx = 0, xy = 0;
  for (const ContextSlope::Point &point : slope.points) {
    x += point.meanPosition / count;
    y += point.seconds / count;
  }
  for (const ContextSlope::Point &point : slope.points) {
    xx += (point.meanPosition - x) * (point.meanPosition - x);
    xy += (point.meanPosition - x) * (point.seconds - y);
  }
  slope.secondsPerPosition = xx > 0 ? xy / xx : 0;
  slope.deviation = 0;
  for (const ContextSlope::Point &point : slope.points) {
    double line = y + slope.secondsPerPosition * (point.meanPosition - x);
    slope.deviation = std::max(slope.deviation,
                               std::abs(point.seconds - line) / point.seconds);
  }
}

ContextSlope measureContextSlope(const BenchOptions &options, Decoder &decoder,
                                 const std::vector<int64_t> &tokens) {
  // The longest first: the others are what is left when it is forgotten.
  std::vector<int64_t> contexts = options.contexts;
  std::sort(contexts.rbegin(), contexts.rend());
  decoder.rewind(0);
  decoder.appendTop(tokens.data(), contexts.front(), 1);
  ContextSlope slope;
  for (int64_t context : contexts) {
    std::vector<double> seconds;
    // The first repetition warms caches and clocks and does not count.
    for (int repetition = 0; repetition <= options.repetitions; ++repetition) {
      decoder.rewind(context);
      auto begin = std::chrono::steady_clock::now();
      for (int64_t i = 0; i < options.generatedTokens; ++i)
        decoder.appendTop(&tokens[size_t(context + i)], 1, 1);
      if (repetition > 0)
        seconds.push_back(secondsSince(begin) /
                          double(options.generatedTokens));
    }
    slope.points.push_back(
        {context, double(context) + double(options.generatedTokens - 1) / 2,
         median(seconds)});
  }
  std::reverse(slope.points.begin(), slope.points.end());
  fitLine(slope);
  return slope;
}

} // namespace bitnet::run
