//===- LaunchQuantize.cpp - Kernels of bitnet.quantize --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../BitNetToVector/QuantizerArithmetic.h"
#include "Lowerings.h"

#include <optional>

using namespace mlir;
using namespace bitnet;

namespace {

/// A workgroup a row. The float operations are those of the loops for CPUs, so
/// that integers are equal.
class QuantizeLaunch {
public:
  QuantizeLaunch(LaunchBuilder &b, QuantizeOp op)
      : b(b), op(op), quantizer(b, op), rows(b.dim(op.getInput(), 0)),
        columns(b.dim(op.getInput(), 1)), padded(b.dim(op.getValues(), 1)) {
    if (op.getNorm())
      norm.emplace(b, op);
  }

  void run() {
    if (op.getGranularity() == Granularity::Token) {
      b.forGroups(rows, threads, [&](Value m, Value thread) {
        if (norm)
          startNormOfGroup(b, *norm, m, thread, threads, columns);
        Value absmax = quantizer.clamp(
            maximumOverGroup(thread, absmaxOfRow(m, thread, b.i32(0))));
        whenFirst(thread,
                  [&] { b.store(quantizer.step(absmax), op.getSteps(), m); });
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
      Value absmax = quantizer.clamp(maximumOverGroup(thread, bits));
      whenFirst(thread, [&] { b.store(absmax, op.getSteps(), b.index(0)); });
    });
    b.forGroups(rows, threads, [&](Value m, Value thread) {
      quantizeRow(m, thread, b.load(op.getSteps(), b.index(0)));
    });
    b.forGroups(b.index(1), 1, [&](Value, Value) {
      Value absmax = b.load(op.getSteps(), b.index(0));
      b.store(quantizer.step(absmax), op.getSteps(), b.index(0));
    });
  }

private:
  void whenFirst(Value thread, llvm::function_ref<void()> body) {
    b.when(b.less(thread, b.index(1)), body);
  }

  Value input(Value m, Value k) {
    if (norm)
      return norm->at(k);
    return b.toFloat(b.load(op.getInput(), {m, k}));
  }

  Value absmaxOfRow(Value m, Value thread, Value initial) {
    return b.shareReduce(thread, threads, columns, initial,
                         [&](Value k, ValueRange so) {
                           return SmallVector<Value>{b.create<arith::MaxSIOp>(
                               so[0], quantizer.magnitude(input(m, k)))};
                         })[0];
  }

  Value maximumOverGroup(Value thread, Value bits) {
    return b.reduceGroup(thread, threads, bits, [&](Value x, Value y) {
      return b.create<arith::MaxSIOp>(x, y).getResult();
    });
  }

  void quantizeRow(Value m, Value thread, Value absmax) {
    Value factor = quantizer.rowFactor(absmax);
    Type element = cast<MemRefType>(op.getValues().getType()).getElementType();
    Value sum = b.shareReduce(
        thread, threads, columns, b.i32(0), [&](Value k, ValueRange so) {
          Value wide = quantizer.quantize(input(m, k), factor);
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
  QuantizerArithmetic quantizer;
  std::optional<NormArithmetic> norm;
  Value rows, columns, padded;
};

} // namespace

LogicalResult bitnet::launchQuantize(LaunchBuilder &b, QuantizeOp op) {
  QuantizeLaunch(b, op).run();
  return success();
}
