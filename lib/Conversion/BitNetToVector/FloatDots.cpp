//===- FloatDots.cpp - Dot products of floats along rows ------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

SmallVector<Value> bitnet::emitFloatDots(KernelBuilder &b,
                                         const FloatDots &dots, int64_t lanes) {
  int64_t count = dots.lhsCount * dots.rhsCount;
  auto step = [&](Value k, ValueRange so, int64_t parts, int64_t width) {
    SmallVector<Value> next(so);
    for (int64_t o = 0; o < dots.rhsCount; ++o) {
      if (dots.fetch && width)
        dots.fetch(o, k);
      for (int64_t part = 0; part < parts; ++part) {
        Value at = part ? b.add(k, part * lanes) : k;
        Value rhs = dots.rhs(o, at, width);
        for (int64_t t = 0; t < dots.lhsCount; ++t) {
          Value &sum = next[t * dots.rhsCount + o];
          Value lhs = dots.lhs(t, at, width);
          if (dots.fused)
            sum = b.create<math::FmaOp>(lhs, rhs, sum);
          else
            sum =
                b.create<arith::AddFOp>(b.create<arith::MulFOp>(lhs, rhs), sum);
        }
      }
    }
    return next;
  };
  SmallVector<Value> sums(count, b.zeroVector(lanes, b.getF32Type()));
  Value from = b.index(0);
  for (int64_t parts = dots.vectorsAtOnce;; parts = 1) {
    int64_t width = parts * lanes;
    Value to = b.mul(b.floorDiv(dots.depth, width), width);
    sums = b.reduce(from, to, width, sums, [&](Value k, ValueRange so) {
      return step(k, so, parts, lanes);
    });
    from = to;
    if (parts == 1)
      break;
  }
  for (Value &sum : sums)
    sum = b.orderedSumLanes(sum);
  return b.reduce(from, dots.depth, 1, sums,
                  [&](Value k, ValueRange so) { return step(k, so, 1, 0); });
}
