//===- LaunchQuantize.cpp - Kernels of bitnet.quantize --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// A workgroup a row. The float operations are those of the loops for CPUs, so
/// that integers are equal.
class QuantizeLaunch {
public:
  QuantizeLaunch(LaunchBuilder &b, QuantizeOp op)
      : b(b), op(op), rows(b.dim(op.getInput(), 0)),
        columns(b.dim(op.getInput(), 1)), padded(b.dim(op.getValues(), 1)) {}

  void run() {
    if (op.getGranularity() == Granularity::Token) {
      b.forGroups(rows, threads, [&](Value m, Value thread) {
        Value absmax =
            clamp(maximumOverGroup(thread, absmaxOfRow(m, thread, b.i32(0))));
        whenFirst(thread, [&] { b.store(step(absmax), op.getSteps(), m); });
        quantizeRow(m, thread, absmax);
      });
      return;
    }
    // The magnitude itself goes through the step's place from launch to launch.
    b.forGroups(b.index(1), threads, [&](Value zero, Value thread) {
      Value bits =
          b.reduce(b.index(0), rows, 1, b.i32(0), [&](Value m, ValueRange so) {
            return SmallVector<Value>{absmaxOfRow(m, thread, so[0])};
          })[0];
      Value absmax = clamp(maximumOverGroup(thread, bits));
      whenFirst(thread, [&] { b.store(absmax, op.getSteps(), b.index(0)); });
    });
    b.forGroups(rows, threads, [&](Value m, Value thread) {
      quantizeRow(m, thread, b.load(op.getSteps(), b.index(0)));
    });
    b.forGroups(b.index(1), 1, [&](Value, Value) {
      Value absmax = b.load(op.getSteps(), b.index(0));
      b.store(step(absmax), op.getSteps(), b.index(0));
    });
  }

private:
  void whenFirst(Value thread, llvm::function_ref<void()> body) {
    b.when(b.less(thread, b.index(1)), body);
  }

  Value input(Value m, Value k) {
    return b.toFloat(b.load(op.getInput(), {m, k}));
  }

  /// Magnitudes are compared as integers, in which NaN is the largest.
  Value absmaxOfRow(Value m, Value thread, Value initial) {
    return b.shareReduce(
        thread, threads, columns, initial, [&](Value k, ValueRange so) {
          Value bits = b.create<arith::BitcastOp>(b.getI32Type(), input(m, k));
          Value magnitude = b.create<arith::AndIOp>(bits, b.i32(0x7fffffff));
          return SmallVector<Value>{b.create<arith::MaxSIOp>(so[0], magnitude)};
        })[0];
  }

  Value maximumOverGroup(Value thread, Value bits) {
    return b.reduceGroup(thread, threads, bits, [&](Value x, Value y) {
      return b.create<arith::MaxSIOp>(x, y).getResult();
    });
  }

  Value clamp(Value bits) {
    Value absmax = b.create<arith::BitcastOp>(b.getF32Type(), bits);
    double epsilon = op.getEpsilon().convertToDouble();
    if (epsilon <= 0)
      return absmax;
    // The NaN of a poisoned row stays one.
    Value low = b.f32(epsilon);
    Value below =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, absmax, low);
    return b.create<arith::SelectOp>(below, low, absmax);
  }

  Value bound() { return b.f32(op.getBound().convertToDouble()); }
  Value step(Value absmax) { return b.create<arith::DivFOp>(absmax, bound()); }

  /// What of the scaling does not depend on the element.
  Value rowFactor(Value absmax) {
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

  Value scaled(Value x, Value factor) {
    switch (op.getScaling()) {
    case Scaling::ReciprocalMultiply:
    case Scaling::DivideMultiply:
    case Scaling::ReciprocalStep:
      return b.create<arith::MulFOp>(x, factor);
    case Scaling::MultiplyDivide:
      return b.create<arith::DivFOp>(b.create<arith::MulFOp>(x, bound()),
                                     factor);
    case Scaling::DivideStep:
      return b.create<arith::DivFOp>(x, factor);
    case Scaling::NormalizeMultiply:
      return b.create<arith::MulFOp>(b.create<arith::DivFOp>(x, factor),
                                     bound());
    }
    llvm_unreachable("unknown scaling");
  }

  void quantizeRow(Value m, Value thread, Value absmax) {
    Value factor = rowFactor(absmax);
    Value low = b.f32(op.getQminAttr().getInt()),
          high = b.f32(op.getQmaxAttr().getInt());
    Type element = cast<MemRefType>(op.getValues().getType()).getElementType();
    Value sum = b.shareReduce(
        thread, threads, columns, b.i32(0), [&](Value k, ValueRange so) {
          Value rounded =
              b.create<math::RoundEvenOp>(scaled(input(m, k), factor));
          Value clipped = b.minimum(b.maximum(rounded, low), high);
          Value wide = b.create<arith::FPToSIOp>(b.getI32Type(), clipped);
          b.store(b.create<arith::TruncIOp>(element, wide), op.getValues(),
                  {m, k});
          return SmallVector<Value>{b.add(so[0], wide)};
        })[0];
    Value zero = b.create<arith::ConstantOp>(b.getZeroAttr(element));
    if (padded != columns)
      b.share(b.add(columns, thread), threads, padded,
              [&](Value k) { b.store(zero, op.getValues(), {m, k}); });
    Value total = b.reduceGroup(thread, threads, sum,
                                [&](Value x, Value y) { return b.add(x, y); });
    whenFirst(thread, [&] { b.store(total, op.getSums(), m); });
  }

  static constexpr int64_t threads = 128;

  LaunchBuilder &b;
  QuantizeOp op;
  Value rows, columns, padded;
};

} // namespace

LogicalResult bitnet::launchQuantize(LaunchBuilder &b, QuantizeOp op) {
  QuantizeLaunch(b, op).run();
  return success();
}
