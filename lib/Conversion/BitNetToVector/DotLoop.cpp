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

/// Accumulators, in this order: one i32 vector a spread field (or one for all),
/// token and vector; then, with own sums, one a token.
class DotLoop : public InnerLoop {
public:
  DotLoop(KernelBuilder &b, const MicroTile &tile, const VectorTarget &target,
          bool spread)
      : InnerLoop(b, tile, target), kind(target.getDotKind()) {
    // As many fields as leave their codes in the range of a dot product.
    int64_t largest = tile.codeBits == 2 ? 2 : 1;
    while (spread && spreadFields < tile.fields() &&
           largest << (spreadFields * tile.codeBits) < target.getCodeLimit())
      ++spreadFields;
  }

  SmallVector<Value> start() override {
    int64_t count = outputs() * spreadFields + (tile.ownSums ? tile.tokens : 0);
    return SmallVector<Value>(count, b.zeroVector(tile.lanes, b.getI32Type()));
  }

  SmallVector<Value> block(ArrayRef<Value> weights, Value k, int64_t offset,
                           ValueRange accumulators) override {
    SmallVector<Value> acc(accumulators);
    // In 16 bits, fields are summed before they are widened: at most 8 of
    // 2 * 1 * 128, or 4 of 2 * 2 * 128, well within range.
    SmallVector<PartialSums> partial(outputs()), sumPartial(tile.tokens);
    for (int64_t field = 0; field < tile.fields(); ++field) {
      SmallVector<Value> codes;
      for (Value vector : weights)
        codes.push_back(field < spreadFields ? maskField(vector, field)
                                             : extractField(vector, field));
      for (int64_t token = 0; token < tile.tokens; ++token) {
        Value bytes = broadcastActivations(token, k, offset, field);
        for (int64_t v = 0; v < tile.vectors; ++v)
          emitDot(b, kind, acc[slot(field) + at(token, v)],
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
  int64_t slot(int64_t field) const {
    return field < spreadFields ? field * outputs() : 0;
  }
  int64_t sumSlot() const { return outputs() * spreadFields; }
  Value ones() { return b.constantVector(tile.lanes * 4, b.getI8Type(), 1); }

  /// The field where it stands: codes times 2^(codeBits * field).
  Value maskField(Value weights, int64_t field) {
    int64_t mask = tile.codeMask() << (field * tile.codeBits);
    return b.create<arith::AndIOp>(
        weights, b.constantVector(tile.lanes * 4, b.getI8Type(), int8_t(mask)));
  }

  /// The sum over fields; with spread ones, each is divided by its power of
  /// two, which is exact.
  Value gather(ValueRange acc, int64_t output) {
    Value total = acc[output];
    for (int64_t field = 1; field < spreadFields; ++field) {
      Value amount =
          b.constantVector(tile.lanes, b.getI32Type(), field * tile.codeBits);
      Value part = b.create<arith::ShRSIOp>(acc[slot(field) + output], amount);
      total = b.create<arith::AddIOp>(total, part);
    }
    return total;
  }

  DotKind kind;
  /// Fields, from the lowest on, that have accumulators of their own.
  int64_t spreadFields = 1;
};

} // namespace

std::unique_ptr<InnerLoop> bitnet::makeDotLoop(KernelBuilder &b,
                                               const MicroTile &tile,
                                               const VectorTarget &target,
                                               bool spread) {
  return std::make_unique<DotLoop>(b, tile, target,
                                   spread && !target.hasPartialSums());
}
