//===- LowerNorm.cpp - Loops of bitnet.norm -------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

LogicalResult bitnet::lowerNorm(KernelBuilder &b, NormOp op) {
  Value x = op.getInput(), y = op.getOutput();
  Value columns = b.dim(x, 1), zero = b.f32(0);
  Type element = cast<MemRefType>(y.getType()).getElementType();
  auto average = [&](llvm::function_ref<Value(Value)> term) {
    Value sum =
        b.reduce(b.index(0), columns, 1, zero, [&](Value k, ValueRange so) {
          return SmallVector<Value>{b.reduceAdd(so[0], term(k))};
        })[0];
    Value count = b.create<arith::SIToFPOp>(
        b.getF32Type(), b.create<arith::IndexCastOp>(b.getI64Type(), columns));
    return b.create<arith::DivFOp>(sum, count).getResult();
  };
  b.parallel(b.dim(x, 0), [&](Value m) {
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
    b.loop(b.index(0), columns, 1, [&](Value k) {
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
