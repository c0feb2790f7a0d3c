//===- NormArithmetic.cpp - A norm's operations ---------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NormArithmetic.h"

using namespace mlir;
using namespace bitnet;

void NormArithmetic::start(Value m, Value count, SumOverRow sum) {
  row = m;
  mean = Value();
  auto average = [&](llvm::function_ref<Value(Value)> term) {
    return b.create<arith::DivFOp>(sum(term), count).getResult();
  };
  if (kind == NormKind::Layer)
    mean = average([&](Value k) { return b.load(input, {row, k}); });
  Value power = average([&](Value k) {
    Value value = centred(k);
    return b.create<arith::MulFOp>(value, value).getResult();
  });
  Value root = b.create<math::SqrtOp>(
      b.create<arith::AddFOp>(power, b.f32(epsilon.convertToDouble())));
  inverse = b.create<arith::DivFOp>(b.f32(1), root);
}

void NormArithmetic::start(Value m) {
  Value columns = b.dim(input, 1);
  Value count = b.create<arith::SIToFPOp>(
      b.getF32Type(), b.create<arith::IndexCastOp>(b.getI64Type(), columns));
  start(m, count, [&](llvm::function_ref<Value(Value)> term) {
    return b.reduce(b.index(0), columns, 1, b.f32(0),
                    [&](Value k, ValueRange so) {
                      return SmallVector<Value>{b.reduceAdd(so[0], term(k))};
                    })[0];
  });
}

Value NormArithmetic::centred(Value k) {
  Value value = b.load(input, {row, k});
  return mean ? b.create<arith::SubFOp>(value, mean).getResult() : value;
}

Value NormArithmetic::at(Value k) {
  Value value = b.create<arith::MulFOp>(centred(k), inverse);
  if (weight)
    value = b.create<arith::MulFOp>(value, b.load(weight, k));
  if (bias)
    value = b.create<arith::AddFOp>(value, b.load(bias, k));
  return value;
}
