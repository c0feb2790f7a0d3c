//===- MatmulEpilogue.cpp - From integer sums to outputs ------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatmulEpilogue.h"

using namespace mlir;
using namespace bitnet;

MatmulEpilogue::MatmulEpilogue(LaunchBuilder &b, const LowBitMatmul &op)
    : b(b), op(op), element(op.getLhsElement()),
      codeBits(op.packing->getCodeBits()),
      isGrouped(op.scale &&
                cast<MemRefType>(op.scale.getType()).getRank() == 2) {}

bool MatmulEpilogue::needsOwnSums() const {
  return element.isInteger(8) && (isGrouped || !op.sum);
}

Value MatmulEpilogue::removeOffset(Value codeSum, Value activationSum) {
  if (!element.isInteger(8))
    return codeSum;
  // Ternary codes are w + 1; binary ones (w + 1) / 2.
  if (codeBits == 1)
    codeSum = b.add(codeSum, codeSum);
  return b.sub(codeSum, activationSum);
}

Value MatmulEpilogue::toFloat(Value sum) {
  return isa<FloatType>(element)
             ? sum
             : b.create<arith::SIToFPOp>(b.getF32Type(), sum).getResult();
}

void MatmulEpilogue::store(Value total, Value own, Value token, Value output) {
  Value value = total;
  if (!isGrouped) {
    if (!own && element.isInteger(8))
      own = b.load(op.sum, token);
    value = removeOffset(total, own);
  }
  if (cast<MemRefType>(op.output.getType()).getElementType().isInteger(32)) {
    b.store(value, op.output, {token, output});
    return;
  }
  if (!isGrouped)
    value = toFloat(value);
  if (op.step) {
    bool shared = cast<MemRefType>(op.step.getType()).getDimSize(0) == 1;
    value = b.create<arith::MulFOp>(
        value, b.load(op.step, shared ? b.index(0) : token));
  }
  if (op.scale && !isGrouped)
    value = b.create<arith::MulFOp>(value, loadOutput(op.scale, output));
  if (op.bias)
    value = b.create<arith::AddFOp>(value, loadOutput(op.bias, output));
  value = activate(value);
  if (op.factor)
    value = b.create<arith::MulFOp>(value, b.load(op.factor, {token, output}));
  if (op.addend)
    value = b.create<arith::AddFOp>(value, b.load(op.addend, {token, output}));
  b.store(value, op.output, {token, output});
}

Value MatmulEpilogue::loadOutput(Value memref, Value output) {
  bool shared = cast<MemRefType>(memref.getType()).getDimSize(0) == 1;
  return b.load(memref, shared ? b.index(0) : output);
}

Value MatmulEpilogue::activate(Value value) {
  if (op.activation == Activation::None)
    return value;
  Value zero = b.f32(0);
  // NaN passes, as it does in the graph's Relu.
  Value negative =
      b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, value, zero);
  value = b.create<arith::SelectOp>(negative, zero, value);
  if (op.activation == Activation::ReluSquared)
    value = b.create<arith::MulFOp>(value, value);
  return value;
}
