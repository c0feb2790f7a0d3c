//===- AddSubLoop.cpp - Inner loop of masked additions --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// Needs nothing of the machine but byte compares, adds and shifts. Bytes are
/// summed in i16 within a block (at most 5 fields of 2 * 128, or 8, each way)
/// and in i32 across blocks.
class AddSubLoop : public InnerLoop {
public:
  using InnerLoop::InnerLoop;

  SmallVector<Value> start() override {
    return SmallVector<Value>(outputs(),
                              b.zeroVector(tile.lanes, b.getI32Type()));
  }

  SmallVector<Value> block(ArrayRef<Value> weights, Value k, int64_t offset,
                           ValueRange accumulators) override {
    SmallVector<Value> words(outputs(),
                             b.zeroVector(tile.lanes * 2, b.getI16Type()));
    SmallVector<Value> packed(weights);
    for (int64_t field = 0; field < tile.fields(); ++field) {
      SmallVector<Value> bytes;
      for (int64_t token = 0; token < tile.tokens; ++token)
        bytes.push_back(broadcastActivations(token, k, offset, field));
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Value codes = reader.take(packed[v], field);
        Value plus = equals(codes, tile.codeBits() == 2 ? 2 : 1),
              minus = equals(codes, 0);
        for (int64_t token = 0; token < tile.tokens; ++token) {
          Value &sum = words[at(token, v)];
          sum =
              b.create<arith::AddIOp>(sum, sumPairs(keep(plus, bytes[token])));
          sum =
              b.create<arith::SubIOp>(sum, sumPairs(keep(minus, bytes[token])));
        }
      }
    }
    SmallVector<Value> acc;
    for (auto [sum, word] : llvm::zip(accumulators, words))
      acc.push_back(
          b.create<arith::AddIOp>(sum, foldHalves(word, b.getI32Type(), 16)));
    return acc;
  }

  SmallVector<Value> finish(ValueRange acc, ArrayRef<Value>) override {
    return llvm::to_vector(acc);
  }

private:
  Value equals(Value codes, int64_t code) {
    return b.create<arith::CmpIOp>(
        arith::CmpIPredicate::eq, codes,
        b.constantVector(tile.lanes * 4, b.getI8Type(), code));
  }

  Value keep(Value mask, Value bytes) {
    return b.create<arith::SelectOp>(
        mask, bytes, b.zeroVector(tile.lanes * 4, b.getI8Type()));
  }

  Value sumPairs(Value bytes) { return foldHalves(bytes, b.getI16Type(), 8); }

  /// Sums of the signed halves of every `element`.
  Value foldHalves(Value vector, Type element, int64_t bits) {
    Value whole = b.bitcast(vector, element);
    int64_t count = cast<VectorType>(whole.getType()).getNumElements();
    Value amount = b.constantVector(count, element, bits);
    Value high = b.create<arith::ShRSIOp>(whole, amount);
    Value low = b.create<arith::ShRSIOp>(b.create<arith::ShLIOp>(whole, amount),
                                         amount);
    return b.create<arith::AddIOp>(low, high);
  }
};

} // namespace

std::unique_ptr<InnerLoop> bitnet::makeAddSubLoop(KernelBuilder &b,
                                                  const MicroTile &tile,
                                                  const VectorTarget &target) {
  return std::make_unique<AddSubLoop>(b, tile, target);
}
