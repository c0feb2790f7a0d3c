//===- LaunchMatrixMatmul.cpp - Low-bit matmuls on matrix units -----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatmulEpilogue.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// A subgroup (32 threads) for 64 rows of weights and `columns` times 8 tokens,
/// by the device's product of 16 x 32 by 32 x 8 bytes. Nothing passes through
/// workgroup memory, as the order of K and of the rows within a product is
/// free:
///
///   thread 4 * g + q holds the words of codes of rows 8 * g .. 8 * g + 7 at
///   block 4 * step + q, and the activations of token g (and g + 8, ...) at
///   that block. Field by field these are the operands of the product, whose
///   row slots g and g + 8 are the rows 8 * g + 2 * i and 8 * g + 2 * i + 1 in
///   the i-th of four products.
///
/// So a subgroup reads a whole contiguous piece of the packed weights, and 16
/// bytes or more of a token at a time. The words of the next step are loaded
/// before those at hand are used.
class MatrixMatmulLaunch {
public:
  MatrixMatmulLaunch(LaunchBuilder &b, const LowBitMatmul &op)
      : b(b), op(op), epilogue(b, op), packing(*op.packing), n(op.n),
        blocks(packing.getPaddedColumns(op.k) / packing.getBlock()),
        fields(8 / epilogue.getCodeBits()), tokenCount(b.dim(op.lhs, 0)) {
    chooseShape();
  }

  void run() {
    weightWords = b.asWords(op.weight);
    activationWords = b.asWords(op.lhs);
    int64_t rowTiles = llvm::divideCeil(n, rows);
    int64_t rowGroups = llvm::divideCeil(rowTiles, rowSubgroups);
    Value tokenTiles = b.ceilDiv(tokenCount, 8 * columns);
    Value tokenGroups = b.ceilDiv(tokenTiles, tokenSubgroups);
    // Neighbouring groups share rows of weights, the larger operand.
    Value count = b.mul(tokenGroups, rowGroups);
    b.forGroups(count, threads(), [&](Value group, Value thread) {
      Value subgroup = b.floorDiv(thread, subgroupSize);
      Value lane = b.rem(thread, subgroupSize);
      Value split = b.rem(subgroup, splits);
      Value place = b.floorDiv(subgroup, splits);
      Value tokenGroup = b.createOrFold<arith::RemUIOp>(group, tokenGroups);
      Value rowGroup = b.createOrFold<arith::DivUIOp>(group, tokenGroups);
      Value tokenTile = b.add(b.mul(tokenGroup, tokenSubgroups),
                              b.rem(place, tokenSubgroups));
      Value rowTile = b.add(b.mul(rowGroup, rowSubgroups),
                            b.floorDiv(place, tokenSubgroups));
      quad = b.floorDiv(lane, 4);
      inQuad = b.rem(lane, 4);
      firstRow = b.mul(rowTile, rows);
      firstToken = b.mul(tokenTile, 8 * columns);
      // Tiles beyond the last repeat it, and are not stored.
      locate(b.minimumIndex(rowTile, b.index(rowTiles - 1)));
      SmallVector<Value> sums = sumSteps(split);
      if (splits > 1) {
        sums = b.reduceStrided(thread, threads(), subgroupSize, sums,
                               [&](Value x, Value y) { return b.add(x, y); });
        b.when(b.less(thread, b.index(subgroupSize)), [&] { store(sums); });
      } else {
        store(sums);
      }
    });
  }

private:
  static constexpr int64_t subgroupSize = 32, rows = 64, rowProducts = 4;

  int64_t threads() const {
    return subgroupSize * rowSubgroups * tokenSubgroups * splits;
  }

  /// Few tokens: subgroups split K, so that the device is busy. Many: the
  /// subgroups of a group share rows and tokens through its cache.
  void chooseShape() {
    std::optional<int64_t> known = KernelBuilder::constant(tokenCount);
    int64_t count = known.value_or(32);
    columns = std::clamp<int64_t>(llvm::divideCeil(count, 8), 1, 4);
    int64_t steps = llvm::divideCeil(blocks, 4);
    if (count <= 64) {
      splits = 8;
      while (splits > 1 && splits * 2 > steps)
        splits /= 2;
      return;
    }
    rowSubgroups = 2;
    tokenSubgroups = 2;
  }

  void locate(Value rowTile) {
    // The packing's tiles are a whole number of this kernel's.
    int64_t perTile = packing.getRows() / rows;
    Value tile = b.floorDiv(rowTile, perTile);
    firstWord =
        b.add(b.mul(tile, blocks * packing.getRows()),
              b.add(b.mul(b.rem(rowTile, perTile), rows), b.mul(quad, 8)));
    int64_t pitch = cast<MemRefType>(op.lhs.getType()).getDimSize(1) / 4;
    tokenWords.clear();
    Value last = b.sub(tokenCount, b.index(1));
    for (int64_t c = 0; c < columns; ++c) {
      Value token = b.add(firstToken, b.add(quad, 8 * c));
      tokenWords.push_back(b.mul(b.minimumIndex(token, last), pitch));
    }
  }

  //===--------------------------------------------------------------------===//
  // Sums
  //===--------------------------------------------------------------------===//

  int64_t sumCount() const { return rowProducts * columns * 4; }

  /// Words of codes of the thread's eight rows, then of each token's
  /// activations, at a step. Blocks beyond the last meet activations of zero.
  SmallVector<Value> loadStep(Value step) {
    Value block = b.add(b.mul(step, 4), inQuad), exists;
    if (blocks % 4) {
      exists = b.less(block, b.index(blocks));
      block = b.minimumIndex(block, b.index(blocks - 1));
    }
    SmallVector<Value> words = b.loadWords(
        weightWords, b.add(firstWord, b.mul(block, packing.getRows())), 8);
    for (Value token : tokenWords)
      for (Value word : b.loadWords(activationWords,
                                    b.add(token, b.mul(block, fields)), fields))
        words.push_back(
            exists ? b.create<arith::SelectOp>(exists, word, b.i32(0)) : word);
    return words;
  }

  /// Sums of code times activation over the split's steps, by product of rows,
  /// eight tokens, and word of the result.
  SmallVector<Value> sumSteps(Value split) {
    int64_t steps = llvm::divideCeil(blocks, 4);
    int64_t share = llvm::divideCeil(steps, splits);
    Value first = b.mul(split, share);
    Value last = b.minimumIndex(b.add(first, share), b.index(steps));
    SmallVector<Value> state(sumCount(), b.i32(0));
    llvm::append_range(state, loadStep(clampStep(first)));
    state = b.reduce(first, last, 1, state, [&](Value step, ValueRange so) {
      SmallVector<Value> next = loadStep(clampStep(b.add(step, 1)));
      SmallVector<Value> sums =
          multiply(so.take_front(sumCount()), so.drop_front(sumCount()));
      llvm::append_range(sums, next);
      return sums;
    });
    state.resize(sumCount());
    return state;
  }

  Value clampStep(Value step) {
    return b.minimumIndex(step, b.index(llvm::divideCeil(blocks, 4) - 1));
  }

  SmallVector<Value> multiply(ValueRange sums, ValueRange words) {
    SmallVector<Value> result(sums);
    for (int64_t field = 0; field < fields; field += 2)
      for (int64_t i = 0; i < rowProducts; ++i) {
        Value even = words[2 * i], odd = words[2 * i + 1];
        SmallVector<Value> codes{extract(even, field), extract(odd, field),
                                 extract(even, field + 1),
                                 extract(odd, field + 1)};
        for (int64_t c = 0; c < columns; ++c) {
          ValueRange bytes = words.slice(8 + c * fields + field, 2);
          int64_t at = (i * columns + c) * 4;
          SmallVector<Value> next = b.getDevice().multiplyBytes(
              b, ArrayRef(result).slice(at, 4), codes, bytes);
          llvm::copy(next, result.begin() + at);
        }
      }
    return result;
  }

  /// A field of each byte, shifted down.
  Value extract(Value word, int64_t field) {
    int64_t bits = epilogue.getCodeBits();
    if (field)
      word = b.create<arith::ShRUIOp>(word, b.i32(field * bits));
    return b.create<arith::AndIOp>(word,
                                   b.i32(bits == 2 ? 0x03030303 : 0x01010101));
  }

  //===--------------------------------------------------------------------===//
  // Outputs
  //===--------------------------------------------------------------------===//

  /// Words 0 and 1 of a product's result are row slot g, tokens 2 * q and
  /// 2 * q + 1; words 2 and 3 the same of slot g + 8.
  void store(ArrayRef<Value> sums) {
    for (int64_t c = 0; c < columns; ++c)
      for (int64_t j = 0; j < 2; ++j) {
        Value token = b.add(firstToken, b.add(b.mul(inQuad, 2), 8 * c + j));
        b.when(b.less(token, tokenCount), [&] {
          for (int64_t row = 0; row < 8; ++row) {
            Value output = b.add(b.add(firstRow, b.mul(quad, 8)), row);
            Value sum = sums[(row / 2 * columns + c) * 4 + row % 2 * 2 + j];
            b.when(b.less(output, b.index(n)), [&] {
              epilogue.store(sum, /*own=*/Value(), token, output);
            });
          }
        });
      }
  }

  LaunchBuilder &b;
  const LowBitMatmul &op;
  MatmulEpilogue epilogue;
  PackingAttr packing;
  int64_t n, blocks, fields;
  Value tokenCount;
  int64_t columns = 1; // of eight tokens
  int64_t rowSubgroups = 1, tokenSubgroups = 1, splits = 1;
  Value weightWords, activationWords;
  // Of the thread at hand:
  Value quad, inQuad, firstRow, firstToken, firstWord;
  SmallVector<Value> tokenWords;
};

} // namespace

bool bitnet::fitsMatrixUnits(LaunchBuilder &b, const LowBitMatmul &matmul) {
  auto lhs = cast<MemRefType>(matmul.lhs.getType());
  return b.getDevice().hasMatrixUnits() &&
         matmul.getLhsElement().isInteger(8) && lhs.getLayout().isIdentity() &&
         matmul.sum && KernelBuilder::constant(b.dim(matmul.lhs, 0)) != 1 &&
         !(matmul.scale &&
           cast<MemRefType>(matmul.scale.getType()).getRank() == 2) &&
         matmul.packing->getRows() % 64 == 0;
}

void bitnet::launchMatrixMatmul(LaunchBuilder &b, const LowBitMatmul &matmul) {
  MatrixMatmulLaunch(b, matmul).run();
}
