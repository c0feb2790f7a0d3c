//===- TokenTables.cpp - Lookups that many tokens share -------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Half a byte of packed weights, a scalar, selects an entry of a table: a
// vector with the sums of a block of tokens, which is loaded and added. Nothing
// is asked of the machine but vectors of i16. K goes by chunks, whose tables
// stay in the nearest cache while all rows of a tile use them, so the sums of
// the tile are kept in memory.
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

static SmallVector<ReassociationIndices> getFlattening() { return {{0, 1}}; }

bool TokenTables::fit(Value prepared) {
  return memref::CollapseShapeOp::isGuaranteedCollapsible(
      cast<MemRefType>(prepared.getType()), getFlattening());
}

TokenTables::TokenTables(KernelBuilder &b, Value prepared, int64_t tokens)
    : tokens(tokens),
      columns(cast<MemRefType>(prepared.getType()).getDimSize(1)) {
  bytes = b.create<memref::CollapseShapeOp>(prepared, getFlattening());
}

Value TokenTables::getOffset(KernelBuilder &b, Value token) const {
  return b.mul(token, columns);
}

Value TokenTables::load(KernelBuilder &b, Value offset) const {
  return b.bitcast(b.loadVector(bytes, offset, getEntryBytes()),
                   b.getI16Type());
}

void TokenTables::store(KernelBuilder &b, Value sums, Value offset) const {
  b.storeVector(b.bitcast(sums, b.getI8Type()), bytes, offset);
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

namespace {

class TokenBlockSums {
public:
  TokenBlockSums(KernelBuilder &b, const LowBitMatmul &op, Value firstTile,
                 Value tiles, Value token, Value sums)
      : b(b), op(op), packing(*op.packing),
        tokens(cast<MemRefType>(sums.getType()).getDimSize(1)),
        blocks(op.getBlocks()), tables(b, op.prepared, tokens),
        firstTile(firstTile), tiles(tiles), sums(sums),
        firstTable(tables.getOffset(b, token)) {}

  void run() {
    Value rows = b.index(packing.getRows()), last = b.index(blocks);
    Value zero = b.zeroVector(tokens, b.getI32Type());
    b.loop(b.index(0), b.mul(tiles, packing.getRows()), 1,
           [&](Value row) { b.storeVector(zero, sums, {row, b.index(0)}); });
    int64_t chunk = getChunk();
    b.loop(b.index(0), last, chunk, [&](Value begin) {
      Value end = b.createOrFold<arith::MinUIOp>(b.add(begin, chunk), last);
      b.loop(b.index(0), tiles, 1, [&](Value tile) {
        Value first =
            b.mul(b.add(firstTile, tile), blocks * packing.getBlockBytes());
        b.loop(b.index(0), rows, 1, [&](Value row) {
          Value bytes = b.add(first, b.mul(row, packing.getUnit()));
          widen(sumChunk(bytes, begin, end),
                b.add(b.mul(tile, packing.getRows()), row));
        });
      });
    });
  }

private:
  /// What the tables of a chunk may take of the nearest cache.
  static constexpr int64_t cacheBytes = 32 << 10;

  int64_t parts() const { return packing.getUnit() / 4; }

  /// Blocks of K whose sums stay within 16 bits, whatever the activations.
  int64_t getChunk() const {
    int64_t exact =
        std::numeric_limits<int16_t>::max() / (packing.getBlock() * 128);
    int64_t cached = cacheBytes / (parts() * tables.getPartBytes());
    return std::max<int64_t>(1, std::min(exact, cached));
  }

  /// The sums of the row that begins at `firstByte`, in 16 bits.
  Value sumChunk(Value firstByte, Value begin, Value end) {
    Value zero = b.zeroVector(tokens, b.getI16Type());
    auto body = [&](Value block, ValueRange so) -> SmallVector<Value> {
      Value byte = b.add(firstByte, b.mul(block, packing.getBlockBytes()));
      Value table =
          b.add(firstTable, b.mul(block, parts() * tables.getPartBytes()));
      Value sum = so[0];
      for (int64_t part = 0; part < parts(); ++part)
        sum = addEntries(sum, b.add(byte, 4 * part),
                         b.add(table, part * tables.getPartBytes()));
      return {sum};
    };
    return b.reduce(begin, end, 1, zero, body)[0];
  }

  /// sum + the entries that the half bytes of the four bytes at `byte` select.
  Value addEntries(Value sum, Value byte, Value table) {
    Value four = b.loadVector(op.weight, byte, 4);
    Value word =
        b.create<vector::ExtractOp>(b.bitcast(four, b.getI32Type()), 0);
    for (int64_t i = 0; i < TokenTables::tables; ++i) {
      Value entry = b.add(selectEntry(word, i), i * tables.getTableBytes());
      sum = b.create<arith::AddIOp>(sum, tables.load(b, b.add(table, entry)));
    }
    return sum;
  }

  /// Half byte `i` of a word times the bytes of an entry: a shift and a mask.
  Value selectEntry(Value word, int64_t i) {
    int64_t scale = llvm::Log2_64(tables.getEntryBytes()), down = 4 * i - scale;
    Value amount = b.i32(std::abs(down));
    Value moved = down > 0 ? b.createOrFold<arith::ShRUIOp>(word, amount)
                           : b.createOrFold<arith::ShLIOp>(word, amount);
    Value entry = b.create<arith::AndIOp>(
        moved, b.i32((TokenTables::entries - 1) << scale));
    return b.create<arith::IndexCastUIOp>(b.getIndexType(), entry);
  }

  void widen(Value words, Value row) {
    SmallVector<Value> at = {row, b.index(0)};
    Value wide =
        b.create<arith::ExtSIOp>(b.vectorType(tokens, b.getI32Type()), words);
    Value total = b.loadVector(sums, at, tokens);
    b.storeVector(b.create<arith::AddIOp>(total, wide), sums, at);
  }

  KernelBuilder &b;
  const LowBitMatmul &op;
  PackingAttr packing;
  int64_t tokens, blocks;
  TokenTables tables;
  Value firstTile, tiles, sums, firstTable;
};

} // namespace

void bitnet::emitTokenBlockSums(KernelBuilder &b, const LowBitMatmul &matmul,
                                Value firstTile, Value tiles, Value token,
                                Value sums) {
  TokenBlockSums(b, matmul, firstTile, tiles, token, sums).run();
}
