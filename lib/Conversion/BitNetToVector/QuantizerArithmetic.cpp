//===- QuantizerArithmetic.cpp - A quantiser's operations -----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantizerArithmetic.h"

using namespace mlir;
using namespace bitnet;

Value QuantizerArithmetic::magnitude(Value x) {
  Value bits = b.create<arith::BitcastOp>(b.getI32Type(), x);
  return b.create<arith::AndIOp>(bits, b.i32(0x7fffffff));
}

Value QuantizerArithmetic::clamp(Value bits) {
  Value absmax = b.create<arith::BitcastOp>(b.getF32Type(), bits);
  double epsilon = op.getEpsilon().convertToDouble();
  if (epsilon <= 0)
    return absmax;
  // Not `maximum`: the NaN of a poisoned row must stay one.
  Value low = b.f32(epsilon);
  Value below = b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, absmax, low);
  return b.create<arith::SelectOp>(below, low, absmax);
}

Value QuantizerArithmetic::bound() {
  return b.f32(op.getBound().convertToDouble());
}

Value QuantizerArithmetic::step(Value absmax) {
  return b.create<arith::DivFOp>(absmax, bound());
}

Value QuantizerArithmetic::rowFactor(Value absmax) {
  switch (op.getScaling()) {
  case Scaling::ReciprocalMultiply:
    return b.create<arith::MulFOp>(b.create<arith::DivFOp>(b.f32(1), absmax),
                                   bound());
  case Scaling::DivideMultiply:
    return b.create<arith::DivFOp>(bound(), absmax);
  case Scaling::MultiplyDivide:
  case Scaling::NormalizeMultiply:
    return absmax;
  case Scaling::DivideStep:
    return step(absmax);
  case Scaling::ReciprocalStep:
    return b.create<arith::DivFOp>(b.f32(1), step(absmax));
  }
  llvm_unreachable("unknown scaling");
}

Value QuantizerArithmetic::scaled(Value x, Value factor) {
  switch (op.getScaling()) {
  case Scaling::ReciprocalMultiply:
  case Scaling::DivideMultiply:
  case Scaling::ReciprocalStep:
    return b.create<arith::MulFOp>(x, factor);
  case Scaling::MultiplyDivide:
    return b.create<arith::DivFOp>(b.create<arith::MulFOp>(x, bound()), factor);
  case Scaling::DivideStep:
    return b.create<arith::DivFOp>(x, factor);
  case Scaling::NormalizeMultiply:
    return b.create<arith::MulFOp>(b.create<arith::DivFOp>(x, factor), bound());
  }
  llvm_unreachable("unknown scaling");
}

Value QuantizerArithmetic::quantize(Value x, Value rowFactor) {
  Value rounded = b.create<math::RoundEvenOp>(scaled(x, rowFactor));
  Value clipped =
      b.minimum(b.maximum(rounded, b.f32(op.getQminAttr().getInt())),
                b.f32(op.getQmaxAttr().getInt()));
  return b.create<arith::FPToSIOp>(b.getI32Type(), clipped);
}
