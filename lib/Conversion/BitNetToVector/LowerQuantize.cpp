//===- LowerQuantize.cpp - Loops of bitnet.quantize -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NormArithmetic.h"
#include "QuantizerArithmetic.h"

#include <optional>

using namespace mlir;
using namespace bitnet;

namespace {

/// The loops of one bitnet.quantize. They are scalar: LLVM vectorises them.
class QuantizeLowering {
public:
  QuantizeLowering(KernelBuilder &b, QuantizeOp op)
      : b(b), op(op), quantizer(b, op), rows(b.dim(op.getInput(), 0)),
        columns(b.dim(op.getInput(), 1)) {
    if (op.getNorm())
      norm.emplace(b, op);
  }

  void run() {
    if (op.getGranularity() == Granularity::Token)
      return b.parallel(rows, [&](Value m) {
        if (norm)
          norm->start(m);
        Value absmax = quantizer.clamp(absmaxOfRow(m, b.i32(0)));
        b.store(quantizer.step(absmax), op.getSteps(), m);
        quantizeRow(m, absmax);
      });
    Value bits =
        b.reduce(b.index(0), rows, 1, b.i32(0), [&](Value m, ValueRange so) {
          return SmallVector<Value>{absmaxOfRow(m, so[0])};
        })[0];
    Value absmax = quantizer.clamp(bits);
    b.store(quantizer.step(absmax), op.getSteps(), b.index(0));
    b.parallel(rows, [&](Value m) { quantizeRow(m, absmax); });
  }

private:
  /// A norm is computed twice, for the step and for the integers: it costs no
  /// more than storing and loading what it is would.
  Value input(Value m, Value k) {
    if (norm)
      return norm->at(k);
    return b.toFloat(b.load(op.getInput(), {m, k}));
  }

  Value absmaxOfRow(Value m, Value initial) {
    return b.reduce(b.index(0), columns, 1, initial,
                    [&](Value k, ValueRange so) {
                      return SmallVector<Value>{b.create<arith::MaxSIOp>(
                          so[0], quantizer.magnitude(input(m, k)))};
                    })[0];
  }

  void quantizeRow(Value m, Value absmax) {
    Value factor = quantizer.rowFactor(absmax);
    Type element = cast<MemRefType>(op.getValues().getType()).getElementType();
    Value sum =
        b.reduce(b.index(0), columns, 1, b.i32(0), [&](Value k, ValueRange so) {
          Value wide = quantizer.quantize(input(m, k), factor);
          b.store(b.create<arith::TruncIOp>(element, wide), op.getValues(),
                  {m, k});
          return SmallVector<Value>{b.add(so[0], wide)};
        })[0];
    Value zero = b.create<arith::ConstantOp>(b.getZeroAttr(element));
    b.loop(columns, b.dim(op.getValues(), 1), 1,
           [&](Value k) { b.store(zero, op.getValues(), {m, k}); });
    b.store(sum, op.getSums(), m);
  }

  KernelBuilder &b;
  QuantizeOp op;
  QuantizerArithmetic quantizer;
  std::optional<NormArithmetic> norm;
  Value rows, columns;
};

} // namespace

LogicalResult bitnet::lowerQuantize(KernelBuilder &b, QuantizeOp op) {
  QuantizeLowering(b, op).run();
  return success();
}
