//===- LowerPrepare.cpp - Loops of bitnet.prepare -------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

namespace {

class PrepareLowering {
public:
  PrepareLowering(KernelBuilder &b, PrepareOp op)
      : b(b), op(op), unit(op.getPacking().getUnit()),
        block(op.getPacking().getBlock()), fields(op.getPacking().getFields()),
        codeBits(op.getPacking().getCodeBits()) {}

  void run() {
    bool lut = op.getLowering() == Lowering::LUT;
    // Of four bytes of a row.
    int64_t width = lut ? 256 : 2, parts = unit / 4;
    blocks = cast<MemRefType>(op.getOutput().getType()).getDimSize(1) /
             (width * parts);
    if (!op.getTokenBlocks().empty())
      return overTokenBlocks();
    b.parallel(b.dim(op.getInput(), 0), [&](Value token) {
      b.loop(b.index(0), b.index(blocks), 1, [&](Value i) {
        for (int64_t part = 0; part < parts; ++part) {
          Value k = b.add(b.mul(i, block), 4 * part);
          Value column = b.add(b.mul(i, width * parts), width * part);
          lut ? storeTables(token, k, column) : storeBits(token, k, column);
        }
      });
    });
  }

private:
  static constexpr int64_t entries = 16;
  /// Activations of a token that are transposed at a time: a divisor of every
  /// block, and the shortest vector.
  static constexpr int64_t pieceBytes = 16;

  //===--------------------------------------------------------------------===//
  // lut
  //===--------------------------------------------------------------------===//

  void storeTables(Value token, Value k, Value column) {
    int64_t perTable = fields / 2;
    for (int64_t half : {0, 1}) {
      for (int64_t byte = 0; byte < 4; ++byte) {
        Value sums;
        for (int64_t i = 0; i < perTable; ++i) {
          int64_t field = half * perTable + i;
          Value activation =
              b.load(op.getInput(), {token, b.add(k, unit * field + byte)});
          Value wide = b.create<arith::ExtSIOp>(b.getI16Type(), activation);
          Value products =
              b.create<arith::MulIOp>(b.splat(wide, entries), weightsOf(i));
          sums = sums ? b.create<arith::AddIOp>(sums, products).getResult()
                      : products;
        }
        Value eight = b.constantVector(entries, b.getI16Type(), 8);
        Value at = b.add(column, 128 * half + 16 * byte);
        storeBytes(sums, token, at);
        storeBytes(b.create<arith::ShRSIOp>(sums, eight), token, b.add(at, 64));
      }
    }
  }

  /// The i-th weight of an index, for every index. The code 3 stands for none.
  Value weightsOf(int64_t i) {
    SmallVector<int16_t> weights;
    for (int64_t index = 0; index < entries; ++index) {
      int64_t code = index >> (i * codeBits) & ((1 << codeBits) - 1);
      weights.push_back(codeBits == 2 ? code - 1 : 2 * code - 1);
    }
    return b.create<arith::ConstantOp>(DenseElementsAttr::get(
        b.vectorType(entries, b.getI16Type()), ArrayRef<int16_t>(weights)));
  }

  void storeBytes(Value words, Value token, Value column) {
    Value bytes =
        b.create<arith::TruncIOp>(b.vectorType(entries, b.getI8Type()), words);
    b.storeVector(bytes, op.getOutput(), {token, column});
  }

  void overTokenBlocks() {
    Value tokens = b.dim(op.getInput(), 0), rest;
    for (TokenBlocks part : splitTokens(b, tokens, op.getTokenBlocks(), rest)) {
      TokenTables tables(b, op.getOutput(), part.size);
      b.parallel(b.mul(part.count, blocks), [&](Value i) {
        Value token = b.mul(b.floorDiv(i, blocks), part.size);
        storeTokenTables(tables, b.add(part.first, token), b.rem(i, blocks));
      });
    }
  }

  /// Those of the i-th block of K for the tokens from `token` on.
  void storeTokenTables(const TokenTables &tables, Value token, Value i) {
    SmallVector<Value> activations =
        loadTokens(tables.getTokens(), token, b.mul(i, block));
    int64_t parts = unit / 4;
    Value offset = b.add(tables.getOffset(b, token),
                         b.mul(i, parts * tables.getPartBytes()));
    for (int64_t n = 0; n < parts * TokenTables::tables; ++n) {
      // Table n is that of half n % 2 of byte n / 2.
      SmallVector<Value> ofTable;
      for (int64_t f = n % 2 * (fields / 2), e = f + fields / 2; f < e; ++f)
        ofTable.push_back(activations[unit * f + n / 2]);
      storeEntries(tables, ofTable, b.add(offset, n * tables.getTableBytes()));
    }
  }

  /// The activations of a block of K, each as a vector of tokens, of i16.
  SmallVector<Value> loadTokens(int64_t tokens, Value token, Value k) {
    Type words = b.vectorType(tokens, b.getI16Type());
    SmallVector<Value> result;
    for (int64_t piece = 0; piece < block; piece += pieceBytes) {
      SmallVector<Value> rows;
      for (int64_t t = 0; t < tokens; ++t)
        rows.push_back(b.loadVector(
            op.getInput(), {b.add(token, t), b.add(k, piece)}, pieceBytes));
      SmallVector<Value> columns = b.transpose(rows);
      for (int64_t i = 0; i < pieceBytes; ++i)
        result.push_back(
            b.create<arith::ExtSIOp>(words, take(columns, i * tokens, tokens)));
    }
    return result;
  }

  /// Elements of vectors of `pieceBytes` that follow one another.
  Value take(ArrayRef<Value> vectors, int64_t first, int64_t count) {
    if (count <= pieceBytes)
      return b.createOrFold<vector::ExtractStridedSliceOp>(
          vectors[first / pieceBytes], ArrayRef<int64_t>{first % pieceBytes},
          ArrayRef<int64_t>{count}, ArrayRef<int64_t>{1});
    Value low = take(vectors, first, count / 2);
    Value high = take(vectors, first + count / 2, count / 2);
    return b.create<vector::ShuffleOp>(
        low, high, llvm::to_vector(llvm::seq<int64_t>(0, count)));
  }

  /// The sums of every choice of weights: each weight in turn is added to all
  /// that there are of those before it.
  void storeEntries(const TokenTables &tables, ArrayRef<Value> activations,
                    Value offset) {
    SmallVector<std::pair<int64_t, Value>> sums = {{0, Value()}};
    for (auto [i, activation] : llvm::enumerate(activations)) {
      SmallVector<std::pair<int64_t, Value>> longer;
      for (auto [index, sum] : sums)
        for (int64_t weight = -1; weight <= 1;
             weight += codeBits == 2 ? 1 : 2) {
          int64_t code = codeBits == 2 ? weight + 1 : (weight + 1) / 2;
          longer.emplace_back(index | code << (i * codeBits),
                              addWeighted(sum, activation, weight));
        }
      sums = std::move(longer);
    }
    for (auto [index, sum] : sums)
      tables.store(b, sum, b.add(offset, index * tables.getEntryBytes()));
  }

  /// sum + weight * activation; no sum is 0.
  Value addWeighted(Value sum, Value activation, int64_t weight) {
    if (!sum)
      sum = b.create<arith::ConstantOp>(b.getZeroAttr(activation.getType()));
    if (weight == 0)
      return sum;
    return weight > 0 ? b.create<arith::AddIOp>(sum, activation).getResult()
                      : b.create<arith::SubIOp>(sum, activation).getResult();
  }

  //===--------------------------------------------------------------------===//
  // popcount
  //===--------------------------------------------------------------------===//

  /// Four activations at a time: bit 0 of a byte in {-1, 0, 1} is set where it
  /// is not 0, bit 7 where it is -1.
  void storeBits(Value token, Value k, Value column) {
    Value minus = b.i32(0), present = b.i32(0);
    for (int64_t field = 0; field < fields; ++field) {
      Value four =
          b.loadVector(op.getInput(), {token, b.add(k, unit * field)}, 4);
      Value word =
          b.create<vector::ExtractOp>(b.bitcast(four, b.getI32Type()), 0);
      Value sign = b.create<arith::ShRUIOp>(word, b.i32(7));
      minus = b.create<arith::OrIOp>(minus, spread(sign, field));
      present = b.create<arith::OrIOp>(present, spread(word, field));
    }
    b.store(minus, op.getOutput(), {token, column});
    b.store(present, op.getOutput(), {token, b.add(column, 1)});
  }

  /// Bit 0 of every byte, in each bit of field `field`.
  Value spread(Value word, int64_t field) {
    Value bits = b.create<arith::AndIOp>(word, b.i32(0x01010101));
    if (codeBits == 2)
      bits =
          b.create<arith::OrIOp>(bits, b.create<arith::ShLIOp>(bits, b.i32(1)));
    return b.create<arith::ShLIOp>(bits, b.i32(field * codeBits));
  }

  KernelBuilder &b;
  PrepareOp op;
  int64_t unit, block, fields, codeBits;
  int64_t blocks = 0; // along K
};

} // namespace

LogicalResult bitnet::lowerPrepare(KernelBuilder &b, PrepareOp op) {
  if (!op.getTokenBlocks().empty() && !TokenTables::fit(op.getOutput()))
    return op.emitOpError("has 'token_blocks' in an output with gaps");
  PrepareLowering(b, op).run();
  return success();
}
