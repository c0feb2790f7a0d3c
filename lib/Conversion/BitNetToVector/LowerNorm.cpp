//===- LowerNorm.cpp - Loops of bitnet.norm -------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

void bitnet::emitNormRow(KernelBuilder &b, NormOp op, Value m, Value count,
                         SumOverRow sum, EachOfRow each) {
  Value x = op.getInput(), y = op.getOutput();
  Type element = cast<MemRefType>(y.getType()).getElementType();
  auto average = [&](llvm::function_ref<Value(Value)> term) {
    return b.create<arith::DivFOp>(sum(term), count).getResult();
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
  Value root = b.create<math::SqrtOp>(
      b.create<arith::AddFOp>(power, b.f32(op.getEpsilon().convertToDouble())));
  Value inverse = b.create<arith::DivFOp>(b.f32(1), root);
  each([&](Value k) {
    Value value = b.create<arith::MulFOp>(centred(k), inverse);
    if (Value weight = op.getWeight())
      value = b.create<arith::MulFOp>(value, b.toFloat(b.load(weight, k)));
    if (Value bias = op.getBias())
      value = b.create<arith::AddFOp>(value, b.toFloat(b.load(bias, k)));
    if (!element.isF32())
      value = b.create<arith::TruncFOp>(element, value);
    b.store(value, y, {m, k});
  });
}

LogicalResult bitnet::lowerNorm(KernelBuilder &b, NormOp op) {
  Value columns = b.dim(op.getInput(), 1);
  b.parallel(b.dim(op.getInput(), 0), [&](Value m) {
    Value count = b.create<arith::SIToFPOp>(
        b.getF32Type(), b.create<arith::IndexCastOp>(b.getI64Type(), columns));
    emitNormRow(
        b, op, m, count,
        [&](llvm::function_ref<Value(Value)> term) {
          return b.reduce(
              b.index(0), columns, 1, b.f32(0), [&](Value k, ValueRange so) {
                return SmallVector<Value>{b.reduceAdd(so[0], term(k))};
              })[0];
        },
        [&](llvm::function_ref<void(Value)> visit) {
          b.loop(b.index(0), columns, 1, visit);
        });
  });
  return success();
}
