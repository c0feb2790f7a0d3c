//===- LUTLoop.cpp - Inner loop of table lookups --------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Half a byte of packed weights, two ternary or four binary codes, indexes a
// table of 16 sums of activations, which bitnet.prepare made. A sum needs 10
// bits, so a table has two planes, of low and of high bytes, looked up by the
// same indices; these are made once for all tokens of the tile.
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

namespace {

class LUTLoop : public InnerLoop {
public:
  LUTLoop(KernelBuilder &b, const MicroTile &tile, const VectorTarget &target)
      : InnerLoop(b, tile, target), bytes(tile.lanes * 4) {}

  SmallVector<Value> start() override {
    return SmallVector<Value>(outputs(),
                              b.zeroVector(tile.lanes, b.getI32Type()));
  }

  /// Tables hold signed sums: no offset is left to remove.
  SmallVector<Value> finish(ValueRange acc, ArrayRef<Value>) override {
    return llvm::to_vector(acc);
  }

protected:
  static constexpr int64_t halves = 2, planes = 2;

  /// Half `half` of every byte, as an index.
  Value extractHalf(Value weights, int64_t half) {
    if (half) {
      Value words = b.bitcast(weights, b.getI32Type());
      Value four = b.constantVector(tile.lanes, b.getI32Type(), 4);
      weights = b.bitcast(b.create<arith::ShRUIOp>(words, four), b.getI8Type());
    }
    return b.create<arith::AndIOp>(weights,
                                   b.constantVector(bytes, b.getI8Type(), 15));
  }

  /// `count` bytes of the tables of the block that begins at activation `k`,
  /// from those of byte `byte` of a row on.
  Value loadTables(int64_t token, Value k, int64_t half, int64_t plane,
                   int64_t byte, int64_t count) {
    Value column =
        b.add(b.mul(k, 256 / (4 * tile.fields())),
              byte / 4 * 256 + 64 * (planes * half + plane) + byte % 4 * 16);
    return b.loadVector(tile.prepared, {b.add(tile.firstToken, token), column},
                        count);
  }

  int64_t bytes; // a vector
};

/// Tables of 16 in each 128 bits, all the same (pshufb, tbl). The bytes of a
/// vector must then be of one position of K, so four vectors are transposed
/// beforehand: vector `b` has byte `b` of every output.
///
/// The two planes of a lookup interleave to i16, which sum over a chunk of
/// blocks: a block of, say, 16 activations of magnitude 128 at most adds
/// 2048, so 15 blocks stay within 16 bits. Interleaving twice, first
/// bytes and then words, also undoes the transposition.
class TransposedLUTLoop : public LUTLoop {
public:
  using LUTLoop::LUTLoop;

  int64_t getChunk() const override {
    int64_t block = tile.unit() * tile.fields();
    return std::numeric_limits<int16_t>::max() / (block * 128);
  }

  SmallVector<Value> startChunk() override {
    return SmallVector<Value>(2 * tile.tokens,
                              b.zeroVector(bytes / 2, b.getI16Type()));
  }

  SmallVector<Value> block(ArrayRef<Value> weights, Value k, int64_t offset,
                           ValueRange accumulators) override {
    SmallVector<Value> acc(accumulators);
    SmallVector<Value> positions = transpose(weights);
    for (auto [byte, codes] : llvm::enumerate(positions)) {
      for (int64_t half = 0; half < halves; ++half) {
        Value indices = extractHalf(codes, half);
        for (int64_t token = 0; token < tile.tokens; ++token) {
          Value low = lookup(token, k, half, 0, offset + byte, indices);
          Value high = lookup(token, k, half, 1, offset + byte, indices);
          for (int64_t part : {0, 1}) {
            Value sums =
                b.bitcast(interleave(low, high, 1, part), b.getI16Type());
            Value &sum = acc[2 * token + part];
            sum = b.create<arith::AddIOp>(sum, sums);
          }
        }
      }
    }
    return acc;
  }

  SmallVector<Value> flush(ValueRange sums, ValueRange totals) override {
    SmallVector<Value> result;
    for (int64_t token = 0; token < tile.tokens; ++token) {
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Value words = halfOfLanes(sums[2 * token + v / 2], v % 2);
        Value wide = b.create<arith::ExtSIOp>(
            b.vectorType(tile.lanes, b.getI32Type()), words);
        result.push_back(b.create<arith::AddIOp>(totals[at(token, v)], wide));
      }
    }
    return result;
  }

private:
  Value lookup(int64_t token, Value k, int64_t half, int64_t plane,
               int64_t byte, Value indices) {
    Value table = loadTables(token, k, half, plane, byte, 16);
    if (bytes > 16)
      table = shuffle(table, table, bytes, [](int64_t i) { return i % 16; });
    return emitTableLookup(b, target, table, indices);
  }

  Value shuffle(Value lhs, Value rhs, int64_t count,
                llvm::function_ref<int64_t(int64_t)> from) {
    SmallVector<int64_t> mask;
    for (int64_t i = 0; i < count; ++i)
      mask.push_back(from(i));
    return b.create<vector::ShuffleOp>(lhs, rhs, mask);
  }

  /// Elements of `size` bytes of the low (part 0) or high half of each 128
  /// bits, from both vectors in turn.
  Value interleave(Value lhs, Value rhs, int64_t size, int64_t part) {
    return shuffle(lhs, rhs, bytes, [&](int64_t i) {
      int64_t lane = i / 16, element = i % 16 / size, within = i % size;
      int64_t from = lane * 16 + (part * 8 / size + element / 2) * size;
      return (element % 2 ? bytes : 0) + from + within;
    });
  }

  /// Half the i16 of every 128 bits.
  Value halfOfLanes(Value words, int64_t part) {
    return shuffle(words, words, tile.lanes,
                   [&](int64_t i) { return i / 4 * 8 + part * 4 + i % 4; });
  }

  SmallVector<Value> transpose(ArrayRef<Value> weights) {
    SmallVector<Value, 4> grouped;
    for (Value vector : weights)
      grouped.push_back(shuffle(vector, vector, bytes, [](int64_t i) {
        int64_t lane = i / 16, byte = i % 16 / 4, output = i % 4;
        return lane * 16 + output * 4 + byte;
      }));
    SmallVector<Value> result;
    for (int64_t outer : {0, 1}) {
      Value first = interleave(grouped[0], grouped[1], 4, outer);
      Value second = interleave(grouped[2], grouped[3], 4, outer);
      for (int64_t inner : {0, 1})
        result.push_back(interleave(first, second, 8, inner));
    }
    return result;
  }
};

/// One table of 64 over the vector (vpermb): the four tables of a lane's bytes
/// side by side, two bits of the index being the byte's position. Nothing is
/// transposed, and the four bytes of an output are summed by a dot product.
class WholeLUTLoop : public LUTLoop {
public:
  WholeLUTLoop(KernelBuilder &b, const MicroTile &tile,
               const VectorTarget &target)
      : LUTLoop(b, tile, target), kind(target.getDotKind()) {}

  SmallVector<Value> block(ArrayRef<Value> weights, Value k, int64_t offset,
                           ValueRange accumulators) override {
    SmallVector<Value> acc(accumulators);
    SmallVector<Value> indices[halves];
    for (int64_t half = 0; half < halves; ++half)
      for (Value vector : weights)
        indices[half].push_back(
            b.create<arith::OrIOp>(extractHalf(vector, half), positions()));
    Value ones = b.constantVector(bytes, b.getI8Type(), 1);
    for (int64_t token = 0; token < tile.tokens; ++token) {
      Value low[halves], high[halves];
      for (int64_t half = 0; half < halves; ++half) {
        low[half] = loadTables(token, k, half, 0, offset, 64);
        high[half] = loadTables(token, k, half, 1, offset, 64);
      }
      for (int64_t v = 0; v < tile.vectors; ++v) {
        Value &sum = acc[at(token, v)];
        // At most 2 * 2 * 255 and 2 * 128 * 8 in partial sums of pairs.
        PartialSums partial;
        Value top[halves];
        for (int64_t half = 0; half < halves; ++half) {
          Value index = indices[half][v];
          Value bottom = emitTableLookup(b, target, low[half], index);
          emitDot(b, kind, sum, partial, bottom, ones);
          top[half] = emitTableLookup(b, target, high[half], index);
        }
        // A high byte is within 2, and counts 256 times: twice its double, by
        // an unsigned 128.
        Value both = b.create<arith::AddIOp>(top[0], top[1]);
        both = b.create<arith::AddIOp>(both, both);
        emitDot(b, kind, sum, partial,
                b.constantVector(bytes, b.getI8Type(), -128), both);
        sum = emitWiden(b, sum, partial);
      }
    }
    return acc;
  }

private:
  Value positions() {
    SmallVector<int8_t> values;
    for (int64_t i = 0; i < bytes; ++i)
      values.push_back(i % 4 * 16);
    return b.create<arith::ConstantOp>(DenseElementsAttr::get(
        b.vectorType(bytes, b.getI8Type()), ArrayRef<int8_t>(values)));
  }

  DotKind kind;
};

} // namespace

std::unique_ptr<InnerLoop> bitnet::makeLUTLoop(KernelBuilder &b,
                                               const MicroTile &tile,
                                               const VectorTarget &target) {
  if (target.getLookupKind() == LookupKind::SixtyFour)
    return std::make_unique<WholeLUTLoop>(b, tile, target);
  return std::make_unique<TransposedLUTLoop>(b, tile, target);
}
