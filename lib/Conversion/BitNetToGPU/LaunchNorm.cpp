//===- LaunchNorm.cpp - Kernels of bitnet.norm ----------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

/// Threads that share a row.
static constexpr int64_t threads = 128;

void bitnet::startNormOfGroup(LaunchBuilder &b, NormArithmetic &norm, Value m,
                              Value thread, int64_t threads, Value columns) {
  Value count = b.create<arith::SIToFPOp>(
      b.getF32Type(), b.create<arith::IndexCastOp>(b.getI32Type(), columns));
  norm.start(m, count, [&](llvm::function_ref<Value(Value)> term) {
    Value part = b.shareReduce(
        thread, threads, columns, b.f32(0), [&](Value k, ValueRange so) {
          return SmallVector<Value>{b.reduceAdd(so[0], term(k))};
        })[0];
    return b.reduceGroup(thread, threads, part,
                         [&](Value p, Value q) { return b.reduceAdd(p, q); });
  });
}

LogicalResult bitnet::launchNorm(LaunchBuilder &b, NormOp op) {
  Value columns = b.dim(op.getInput(), 1), rows = b.dim(op.getInput(), 0);
  NormArithmetic norm(b, op);
  b.forGroups(rows, threads, [&](Value m, Value thread) {
    startNormOfGroup(b, norm, m, thread, threads, columns);
    b.share(thread, threads, columns,
            [&](Value k) { b.store(norm.at(k), op.getOutput(), {m, k}); });
  });
  return success();
}
