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

LogicalResult bitnet::launchNorm(LaunchBuilder &b, NormOp op) {
  Value x = op.getInput(), y = op.getOutput();
  Value columns = b.dim(x, 1), rows = b.dim(x, 0);
  Type element = cast<MemRefType>(y.getType()).getElementType();
  b.forGroups(rows, threads, [&](Value m, Value thread) {
    auto average = [&](llvm::function_ref<Value(Value)> term) {
      Value part = b.shareReduce(
          thread, threads, columns, b.f32(0), [&](Value k, ValueRange so) {
            return SmallVector<Value>{b.reduceAdd(so[0], term(k))};
          })[0];
      Value sum = b.reduceGroup(thread, threads, part, [&](Value p, Value q) {
        return b.reduceAdd(p, q);
      });
      Value count = b.create<arith::SIToFPOp>(
          b.getF32Type(),
          b.create<arith::IndexCastOp>(b.getI32Type(), columns));
      return b.create<arith::DivFOp>(sum, count).getResult();
    };
    auto input = [&](Value k) { return b.toFloat(b.load(x, {m, k})); };
    Value mean;
    if (op.getKind() == NormKind::Layer)
      mean = average(input);
    auto centred = [&](Value k) {
      Value value = input(k);
      return mean ? b.create<arith::SubFOp>(value, mean).getResult() : value;
    };
    Value power = average([&](Value k) {
      Value value = centred(k);
      return b.create<arith::MulFOp>(value, value).getResult();
    });
    Value root = b.create<math::SqrtOp>(b.create<arith::AddFOp>(
        power, b.f32(op.getEpsilon().convertToDouble())));
    Value inverse = b.create<arith::DivFOp>(b.f32(1), root);
    b.share(thread, threads, columns, [&](Value k) {
      Value value = b.create<arith::MulFOp>(centred(k), inverse);
      if (Value weight = op.getWeight())
        value = b.create<arith::MulFOp>(value, b.toFloat(b.load(weight, k)));
      if (Value bias = op.getBias())
        value = b.create<arith::AddFOp>(value, b.toFloat(b.load(bias, k)));
      if (!element.isF32())
        value = b.create<arith::TruncFOp>(element, value);
      b.store(value, y, {m, k});
    });
  });
  return success();
}
