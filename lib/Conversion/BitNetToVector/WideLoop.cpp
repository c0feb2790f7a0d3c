//===- WideLoop.cpp - Inner loop of 32-bit multiplications ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// For activations that bytes do not hold: i16 (Qb over 127) and floats
/// (weight-only models). Each byte of a lane becomes a 32-bit weight.
class WideLoop : public InnerLoop {
public:
  WideLoop(KernelBuilder &b, const MicroTile &tile, const VectorTarget &target)
      : InnerLoop(b, tile, target) {
    Type element =
        cast<MemRefType>(tile.activations.getType()).getElementType();
    isFloat = isa<FloatType>(element);
  }

  SmallVector<Value> start() override {
    Type type = isFloat ? Type(b.getF32Type()) : Type(b.getI32Type());
    return SmallVector<Value>(outputs(), b.zeroVector(tile.lanes, type));
  }

  SmallVector<Value> block(ArrayRef<Value> weights, Value k, int64_t offset,
                           ValueRange accumulators) override {
    SmallVector<Value> acc(accumulators);
    SmallVector<Value> packed(weights);
    for (int64_t field = 0; field < tile.fields(); ++field) {
      SmallVector<Value> codes;
      for (Value &vector : packed)
        codes.push_back(reader.take(vector, field));
      for (int64_t byte = 0; byte < 4; ++byte) {
        SmallVector<Value> values;
        for (Value vector : codes)
          values.push_back(weight(vector, byte));
        for (int64_t token = 0; token < tile.tokens; ++token) {
          Value activation =
              load(token, b.add(k, tile.unit() * field + offset + byte));
          for (int64_t v = 0; v < tile.vectors; ++v) {
            Value &sum = acc[at(token, v)];
            sum = multiplyAdd(values[v], activation, sum);
          }
        }
      }
    }
    return acc;
  }

  SmallVector<Value> finish(ValueRange acc, ArrayRef<Value>) override {
    return llvm::to_vector(acc);
  }

private:
  /// The weight itself, from the code in a byte of each lane.
  Value weight(Value vector, int64_t byte) {
    auto constant = [&](int64_t value) {
      return b.constantVector(tile.lanes, b.getI32Type(), value);
    };
    Value word = b.bitcast(vector, b.getI32Type());
    Value code = b.create<arith::AndIOp>(
        b.create<arith::ShRUIOp>(word, constant(8 * byte)), constant(255));
    if (tile.codeBits() == 1)
      code = b.create<arith::AddIOp>(code, code);
    Value value = b.create<arith::SubIOp>(code, constant(1));
    if (!isFloat)
      return value;
    return b.create<arith::SIToFPOp>(b.vectorType(tile.lanes, b.getF32Type()),
                                     value);
  }

  Value load(int64_t token, Value k) {
    Value value = b.load(tile.activations, {b.add(tile.firstToken, token), k});
    value = isFloat
                ? b.toFloat(value)
                : b.create<arith::ExtSIOp>(b.getI32Type(), value).getResult();
    return b.splat(value, tile.lanes);
  }

  Value multiplyAdd(Value weight, Value activation, Value sum) {
    if (isFloat)
      return b.fma(weight, activation, sum);
    return b.create<arith::AddIOp>(sum,
                                   b.create<arith::MulIOp>(weight, activation));
  }

  bool isFloat;
};

} // namespace

std::unique_ptr<InnerLoop> bitnet::makeWideLoop(KernelBuilder &b,
                                                const MicroTile &tile,
                                                const VectorTarget &target) {
  return std::make_unique<WideLoop>(b, tile, target);
}
