//===- ContextSlope.h - What a token costs by what came before --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_CONTEXTSLOPE_H
#define BITNET_RUN_CONTEXTSLOPE_H

#include "Commands.h"
#include "Decoder.h"

namespace bitnet::run {

/// Times of decoding after contexts of several lengths, and the line through
/// them.
struct ContextSlope {
  struct Point {
    int64_t context;     // tokens in the cache before the first that is timed
    double meanPosition; // of those that are
    double seconds;      // a token
  };
  std::vector<Point> points;
  double secondsPerPosition = 0;
  /// How far a point is from the line at most, as a fraction of its time.
  double deviation = 0;
};

/// Decodes `generatedTokens` of `tokens` after each of the contexts, again and
/// again; `tokens` are as many as the longest needs.
ContextSlope measureContextSlope(const BenchOptions &options, Decoder &decoder,
                                 const std::vector<int64_t> &tokens);

/// Puts the line of least squares through the points.
void fitLine(ContextSlope &slope);

} // namespace bitnet::run

#endif // BITNET_RUN_CONTEXTSLOPE_H
