//===- MatrixLoop.cpp - Inner loop of products of small matrices ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// Two tokens by two rows, eight K at a time (ARM's smmla). A vector of weights
/// has two rows, one of activations two tokens, so an accumulator is
/// (t0 r0, t0 r1, t1 r0, t1 r1). Accumulators are by pair of tokens, then by
/// vector of weights. An odd last token is its own partner.
class MatrixLoop : public InnerLoop {
public:
  using InnerLoop::InnerLoop;

  int64_t unit() const override { return 8; }

  SmallVector<Value> start() override {
    return SmallVector<Value>(pairs() * 2 * tile.vectors,
                              b.zeroVector(4, b.getI32Type()));
  }

  SmallVector<Value> block(ArrayRef<Value> weights, Value k, int64_t,
                           ValueRange accumulators) override {
    SmallVector<Value> acc(accumulators);
    SmallVector<Value> packed(weights);
    for (int64_t field = 0; field < tile.fields(); ++field) {
      SmallVector<Value> bytes;
      for (int64_t pair = 0; pair < pairs(); ++pair)
        bytes.push_back(pairOfTokens(pair, k, field));
      for (auto [w, vector] : llvm::enumerate(packed)) {
        Value codes = reader.take(vector, field);
        for (int64_t pair = 0; pair < pairs(); ++pair) {
          Value &sum = acc[pair * weights.size() + w];
          sum = emitMatrixProduct(b, sum, bytes[pair], codes);
        }
      }
    }
    return acc;
  }

  SmallVector<Value> finish(ValueRange acc, ArrayRef<Value> rowSums) override {
    SmallVector<Value> result;
    for (int64_t token = 0; token < tile.tokens; ++token) {
      Value sum = b.splat(rowSums[token], tile.lanes);
      for (int64_t v = 0; v < tile.vectors; ++v) {
        int64_t first = token / 2 * 2 * tile.vectors + 2 * v;
        Value total = b.bitcast(pick(acc[first], acc[first + 1], token % 2),
                                b.getI32Type());
        result.push_back(removeOffset(total, sum));
      }
    }
    return result;
  }

private:
  int64_t pairs() const { return (tile.tokens + 1) / 2; }

  /// Halves `half` of both vectors.
  Value pick(Value first, Value second, int64_t half) {
    Type word = b.getI64Type();
    return b.create<vector::ShuffleOp>(b.bitcast(first, word),
                                       b.bitcast(second, word),
                                       ArrayRef<int64_t>{half, 2 + half});
  }

  /// The eight activations of each of two tokens that a field meets.
  Value pairOfTokens(int64_t pair, Value k, int64_t field) {
    int64_t first = 2 * pair, second = std::min(first + 1, tile.tokens - 1);
    int64_t byte = field / 2 * 16;
    return b.bitcast(pick(loadActivations(first, k, byte),
                          loadActivations(second, k, byte), field % 2),
                     b.getI8Type());
  }
};

} // namespace

std::unique_ptr<InnerLoop> bitnet::makeMatrixLoop(KernelBuilder &b,
                                                  const MicroTile &tile,
                                                  const VectorTarget &target) {
  return std::make_unique<MatrixLoop>(b, tile, target);
}
