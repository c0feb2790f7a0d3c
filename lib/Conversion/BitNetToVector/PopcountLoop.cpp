//===- PopcountLoop.cpp - Inner loop of bit counts ------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// Activations a in {-1, 0, 1} as two words of bits a block: `minus` (a is -1)
/// and `present` (a is not 0). A ternary weight has the bits 00, 01 or 11, so
/// that their number is w + 1; complemented where a is -1, it is 1 + w * a. A
/// binary weight has half of that. So
///
///   count((weight ^ minus) & present)
///
/// is the sum of code times activation as the dot loops have it, with the
/// number of present activations in the place of their sum.
///
/// Accumulators: one i32 vector a token and vector, then one a token.
class PopcountLoop : public InnerLoop {
public:
  using InnerLoop::InnerLoop;

  SmallVector<Value> start() override {
    return SmallVector<Value>(outputs() + tile.tokens,
                              b.zeroVector(tile.lanes, b.getI32Type()));
  }

  SmallVector<Value> block(ArrayRef<Value> weights, Value k, int64_t offset,
                           ValueRange accumulators) override {
    SmallVector<Value> acc(accumulators), bits;
    for (Value vector : weights)
      bits.push_back(countable(b.bitcast(vector, b.getI32Type())));
    for (int64_t token = 0; token < tile.tokens; ++token) {
      Value minus = word(token, k, offset, 0),
            present = word(token, k, offset, 1);
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Value both = b.create<arith::AndIOp>(
            b.create<arith::XOrIOp>(bits[v], minus), present);
        acc[at(token, v)] = emitBitCount(b, target, acc[at(token, v)], both);
      }
      acc[outputs() + token] =
          emitBitCount(b, target, acc[outputs() + token], present);
    }
    return acc;
  }

  SmallVector<Value> finish(ValueRange acc, ArrayRef<Value>) override {
    SmallVector<Value> result;
    for (int64_t token = 0; token < tile.tokens; ++token) {
      // Two bits an activation beside ternary weights.
      Value count = acc[outputs() + token];
      if (tile.codeBits() == 2)
        count = b.create<arith::ShRUIOp>(count, constant(1));
      for (int64_t v = 0; v < tile.vectors; ++v)
        result.push_back(removeOffset(acc[at(token, v)], count));
    }
    return result;
  }

private:
  Value constant(int64_t value) {
    return b.constantVector(tile.lanes, b.getI32Type(), value);
  }

  /// Codes 0, 1, 2 to as many bits.
  Value countable(Value codes) {
    if (tile.codeBits() == 1)
      return codes;
    Value high = b.create<arith::AndIOp>(
        b.create<arith::ShRUIOp>(codes, constant(1)), constant(0x55555555));
    return b.create<arith::OrIOp>(codes, high);
  }

  Value word(int64_t token, Value k, int64_t offset, int64_t which) {
    Value column = b.add(b.mul(b.floorDiv(k, 4 * tile.fields()), 2),
                         offset / 4 * 2 + which);
    Value row = b.add(tile.firstToken, token);
    return b.splat(b.load(tile.prepared, {row, column}), tile.lanes);
  }
};

} // namespace

std::unique_ptr<InnerLoop>
bitnet::makePopcountLoop(KernelBuilder &b, const MicroTile &tile,
                         const VectorTarget &target) {
  return std::make_unique<PopcountLoop>(b, tile, target);
}
