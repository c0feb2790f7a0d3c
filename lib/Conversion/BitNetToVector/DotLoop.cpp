//===- DotLoop.cpp - Inner loop of integer dot products -------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// Accumulators, in this order: for each scale that fields have, one i32 vector
/// a token and vector; then, with own sums, one a token.
class DotLoop : public InnerLoop {
public:
  DotLoop(KernelBuilder &b, const MicroTile &tile, const VectorTarget &target,
          bool spread)
      : InnerLoop(b, tile, target), kind(target.getDotKind()), spread(spread) {
    for (int64_t field = 0; field < tile.fields(); ++field) {
      int64_t scale = spread ? reader.getScale(field) : 1;
      auto *known = llvm::find(scales, scale);
      slots.push_back((known - scales.begin()) * outputs());
      if (known == scales.end())
        scales.push_back(scale);
    }
  }

  SmallVector<Value> start() override {
    int64_t count = sumSlot() + (tile.ownSums ? tile.tokens : 0);
    return SmallVector<Value>(count, b.zeroVector(tile.lanes, b.getI32Type()));
  }

  SmallVector<Value> block(ArrayRef<Value> weights, Value k, int64_t offset,
                           ValueRange accumulators) override {
    SmallVector<Value> acc(accumulators);
    // In 16 bits, fields are summed before they are widened: at most 8 of
    // 2 * 1 * 128, or 5 of 2 * 2 * 128, well within range.
    SmallVector<PartialSums> partial(outputs()), sumPartial(tile.tokens);
    SmallVector<Value> packed(weights);
    for (int64_t field = 0; field < tile.fields(); ++field) {
      SmallVector<Value> codes;
      for (Value &vector : packed)
        codes.push_back(spread ? reader.takeScaled(vector, field)
                               : reader.take(vector, field));
      for (int64_t token = 0; token < tile.tokens; ++token) {
        Value bytes = broadcastActivations(token, k, offset, field);
        for (int64_t v = 0; v < tile.vectors; ++v)
          emitDot(b, kind, acc[slots[field] + at(token, v)],
                  partial[at(token, v)], codes[v], bytes);
        if (tile.ownSums)
          emitDot(b, kind, acc[sumSlot() + token], sumPartial[token], ones(),
                  bytes);
      }
    }
    for (int64_t i = 0; i < outputs(); ++i)
      acc[i] = emitWiden(b, acc[i], partial[i]);
    for (int64_t token = 0; tile.ownSums && token < tile.tokens; ++token)
      acc[sumSlot() + token] =
          emitWiden(b, acc[sumSlot() + token], sumPartial[token]);
    return acc;
  }

  SmallVector<Value> finish(ValueRange acc, ArrayRef<Value> rowSums) override {
    SmallVector<Value> result;
    for (int64_t token = 0; token < tile.tokens; ++token) {
      Value sum = tile.ownSums ? acc[sumSlot() + token]
                               : b.splat(rowSums[token], tile.lanes);
      for (int64_t v = 0; v < tile.vectors; ++v)
        result.push_back(removeOffset(gather(acc, at(token, v)), sum));
    }
    return result;
  }

private:
  int64_t sumSlot() const { return outputs() * scales.size(); }
  Value ones() { return b.constantVector(tile.lanes * 4, b.getI8Type(), 1); }

  /// The sum over scales, each divided by its scale, which is exact.
  Value gather(ValueRange acc, int64_t output) {
    Value total;
    for (auto [i, scale] : llvm::enumerate(scales)) {
      Value part = divide(acc[i * outputs() + output], scale);
      total = total ? b.create<arith::AddIOp>(total, part) : part;
    }
    return total;
  }

  Value divide(Value multiple, int64_t scale) {
    auto constant = [&](int64_t value) {
      return b.constantVector(tile.lanes, b.getI32Type(), value);
    };
    int64_t twos = llvm::countr_zero(uint64_t(scale));
    if (twos)
      multiple = b.create<arith::ShRSIOp>(multiple, constant(twos));
    uint32_t odd = scale >> twos, inverse = odd;
    if (odd == 1)
      return multiple;
    // An odd number has an inverse modulo 2^32.
    for (int i = 0; i < 4; ++i)
      inverse *= 2 - odd * inverse;
    return b.create<arith::MulIOp>(multiple, constant(int32_t(inverse)));
  }

  DotKind kind;
  /// Whether fields are left where they stand, in accumulators by their scale.
  bool spread;
  SmallVector<int64_t> scales;
  /// Of each field, the first accumulator.
  SmallVector<int64_t> slots;
};

} // namespace

std::unique_ptr<InnerLoop> bitnet::makeDotLoop(KernelBuilder &b,
                                               const MicroTile &tile,
                                               const VectorTarget &target,
                                               bool spread) {
  return std::make_unique<DotLoop>(b, tile, target,
                                   spread && !target.hasPartialSums());
}
