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

/// Accumulators, in this order: one i32 vector a field (if spread), token and
/// vector; then, with own sums, one a token.
class DotLoop : public InnerLoop {
public:
  DotLoop(KernelBuilder &b, const MicroTile &tile, DotKind kind, bool spread)
      : InnerLoop(b, tile), kind(kind), spread(spread) {}

  SmallVector<Value> start() override {
    int64_t count = outputs() * (spread ? tile.fields() : 1) +
                    (tile.ownSums ? tile.tokens : 0);
    return SmallVector<Value>(count, b.zeroVector(tile.lanes, b.getI32Type()));
  }

  SmallVector<Value> block(ArrayRef<Value> weights, Value k,
                           ValueRange accumulators) override {
    SmallVector<Value> acc(accumulators);
    // With pairs in i16, fields are summed there before they are widened: at
    // most 8 fields of 2 * 1 * 128, or 4 of 2 * 2 * 128, well within 16 bits.
    SmallVector<Value> pairs(outputs()), sumPairs(tile.tokens);
    for (int64_t field = 0; field < tile.fields(); ++field) {
      SmallVector<Value> codes;
      for (Value vector : weights)
        codes.push_back(spread ? maskField(vector, field)
                               : extractField(vector, field));
      for (int64_t token = 0; token < tile.tokens; ++token) {
        Value bytes = broadcastActivations(token, b.add(k, 4 * field));
        for (int64_t v = 0; v < tile.vectors; ++v)
          accumulate(acc[slot(field) + at(token, v)], pairs[at(token, v)],
                     codes[v], bytes);
        if (tile.ownSums)
          accumulate(acc[sumSlot() + token], sumPairs[token], ones(), bytes);
      }
    }
    if (kind == DotKind::MultiplyAddPairs) {
      for (int64_t i = 0; i < outputs(); ++i)
        widen(acc[i], pairs[i]);
      for (int64_t token = 0; tile.ownSums && token < tile.tokens; ++token)
        widen(acc[sumSlot() + token], sumPairs[token]);
    }
    return acc;
  }

  SmallVector<Value> finish(ValueRange acc, ArrayRef<Value> rowSums) override {
    SmallVector<Value> result;
    for (int64_t token = 0; token < tile.tokens; ++token) {
      Value sum = tile.ownSums ? acc[sumSlot() + token]
                               : b.splat(rowSums[token], tile.lanes);
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Value total = removeOffset(gather(acc, at(token, v)), sum);
        result.push_back(b.create<arith::SIToFPOp>(
            b.vectorType(tile.lanes, b.getF32Type()), total));
      }
    }
    return result;
  }

private:
  int64_t slot(int64_t field) const { return spread ? field * outputs() : 0; }
  int64_t sumSlot() const { return outputs() * (spread ? tile.fields() : 1); }
  Value ones() { return b.constantVector(tile.lanes * 4, b.getI8Type(), 1); }

  /// The field where it stands: codes times 2^(codeBits * field).
  Value maskField(Value weights, int64_t field) {
    int64_t mask = tile.codeMask() << (field * tile.codeBits);
    return b.create<arith::AndIOp>(
        weights, b.constantVector(tile.lanes * 4, b.getI8Type(), int8_t(mask)));
  }

  void accumulate(Value &acc, Value &pairs, Value codes, Value bytes) {
    if (kind == DotKind::DotAccumulate) {
      acc = emitDotAccumulate(b, acc, codes, bytes);
      return;
    }
    Value product = emitMultiplyAddPairs(b, codes, bytes);
    pairs =
        pairs ? b.create<arith::AddIOp>(pairs, product).getResult() : product;
  }

  void widen(Value &acc, Value pairs) {
    acc = b.create<arith::AddIOp>(acc, emitAddPairs(b, pairs));
  }

  /// The sum over fields; with spread ones, each is divided by its power of
  /// two, which is exact.
  Value gather(ValueRange acc, int64_t output) {
    Value total = acc[output];
    for (int64_t field = 1; spread && field < tile.fields(); ++field) {
      Value amount =
          b.constantVector(tile.lanes, b.getI32Type(), field * tile.codeBits);
      Value part = b.create<arith::ShRSIOp>(acc[slot(field) + output], amount);
      total = b.create<arith::AddIOp>(total, part);
    }
    return total;
  }

  DotKind kind;
  bool spread;
};

} // namespace

std::unique_ptr<InnerLoop> bitnet::makeDotLoop(KernelBuilder &b,
                                               const MicroTile &tile,
                                               const VectorTarget &target,
                                               bool spread) {
  DotKind kind = getDotKind(target);
  return std::make_unique<DotLoop>(b, tile, kind,
                                   spread && kind == DotKind::DotAccumulate);
}
