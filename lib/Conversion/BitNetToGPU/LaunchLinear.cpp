//===- LaunchLinear.cpp - Kernels of low-bit matmuls ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatmulEpilogue.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// A workgroup for `rows` rows of weights and `tokens` tokens:
///
///   threads are (split of K) x (rows, `words` to a thread)
///     for blocks, or groups that share scales, of the thread's split
///       load a word of codes for each row, meet each token's activations
///   sum over the splits in workgroup memory
///   epilogue: scales, bias, activation function, factor, addend, store
///
/// Neighbouring threads read neighbouring words of the packed weights.
class LinearLaunch {
public:
  LinearLaunch(LaunchBuilder &b, const LowBitMatmul &op)
      : b(b), op(op), finish(b, op), packing(*op.packing), n(op.n), k(op.k),
        blocks(packing.getPaddedColumns(k) / packing.getBlock()),
        codeBits(finish.getCodeBits()), element(op.getLhsElement()),
        tokenCount(b.dim(op.lhs, 0)) {
    if (auto type = op.scale ? cast<MemRefType>(op.scale.getType()) : nullptr)
      groups = type.getRank() == 2 ? type.getDimSize(0) : 1;
    hasWords = element.isInteger(8) &&
               cast<MemRefType>(op.lhs.getType()).getLayout().isIdentity();
    chooseShape();
  }

  void run() {
    weightWords = b.asWords(op.weight);
    if (hasWords)
      activationWords = b.asWords(op.lhs);
    int64_t rowGroups = llvm::divideCeil(n, rows);
    Value count = b.mul(b.ceilDiv(tokenCount, tokens), rowGroups);
    b.forGroups(count, threads(), [&](Value group, Value thread) {
      Value lane = b.rem(thread, width());
      Value split = b.floorDiv(thread, width());
      row = b.add(b.mul(b.rem(group, rowGroups), rows), b.mul(lane, words));
      firstToken = b.mul(b.floorDiv(group, rowGroups), tokens);
      locate();
      SmallVector<Value> sums =
          groups == 1 ? sumBlocks(split) : sumGroups(split);
      if (splits > 1)
        sums = b.reduceStrided(thread, threads(), width(), sums,
                               [&](Value x, Value y) { return sum(x, y); });
      b.when(b.less(thread, b.index(width())), [&] { epilogue(sums); });
    });
  }

private:
  int64_t width() const { return rows / words; }
  int64_t threads() const { return width() * splits; }
  int64_t fields() const { return 8 / codeBits; }
  bool isFloat() const { return isa<FloatType>(element); }

  /// Few rows a group where there are few: every part of the device should have
  /// some.
  void chooseShape() {
    tokens = KernelBuilder::constant(tokenCount) == 1 ? 1 : 4;
    int64_t wanted = b.getDevice().getLoadWords() == 1 ? 64
                     : n >= 16384                      ? 64
                                                       : 16;
    rows = std::gcd(packing.getRows(), wanted);
    words = std::gcd(rows, b.getDevice().getLoadWords());
    int64_t units = groups == 1 ? blocks : groups;
    splits = 1;
    while (splits < units && threads() < 256)
      splits *= 2;
    // The same number of units for every thread makes the loop's length known.
    int64_t even = std::gcd(splits, units);
    if (even * 4 >= splits)
      splits = even;
  }

  /// Where the row's words and the tokens' activations begin.
  void locate() {
    Value tile = b.floorDiv(row, packing.getRows());
    firstWord = b.add(b.mul(tile, blocks * packing.getRows()),
                      b.rem(row, packing.getRows()));
    tokenRows.clear();
    Value last = b.sub(tokenCount, b.index(1));
    for (int64_t t = 0; t < tokens; ++t) {
      // Tokens beyond the last repeat it, and are not stored.
      Value token = b.add(firstToken, t);
      tokenRows.push_back(tokens == 1 ? token : b.minimumIndex(token, last));
    }
  }

  Value sum(Value x, Value y) {
    if (isa<FloatType>(x.getType()))
      return b.reduceAdd(x, y);
    return b.add(x, y);
  }

  SmallVector<Value> zeros(int64_t count, bool asFloat) {
    return SmallVector<Value>(count, asFloat ? b.f32(0) : b.i32(0));
  }

  //===--------------------------------------------------------------------===//
  // Sums
  //===--------------------------------------------------------------------===//

  /// Sums of code times activation over the split's blocks: by token and row,
  /// and then, with own sums, those of activations by token.
  SmallVector<Value> sumBlocks(Value split) {
    if (blocks % splits == 0)
      return b.reduce(b.index(0), b.index(blocks / splits), 1, startBlocks(),
                      [&](Value i, ValueRange so) {
                        return addBlock(b.add(b.mul(i, splits), split), so);
                      });
    return b.shareReduce(
        split, splits, b.index(blocks), startBlocks(),
        [&](Value block, ValueRange so) { return addBlock(block, so); });
  }

  SmallVector<Value> startBlocks() {
    SmallVector<Value> initial = zeros(tokens * words, isFloat());
    llvm::append_range(initial, zeros(ownSums() ? tokens : 0, false));
    return initial;
  }

  /// Scaled sums of weight times activation over the split's groups, f32.
  SmallVector<Value> sumGroups(Value split) {
    int64_t perGroup = k / groups / packing.getBlock();
    return b.shareReduce(
        split, splits, b.index(groups), zeros(tokens * words, true),
        [&](Value group, ValueRange so) {
          Value first = b.mul(group, perGroup);
          SmallVector<Value> part = b.reduce(
              first, b.add(first, perGroup), 1, startBlocks(),
              [&](Value block, ValueRange so) { return addBlock(block, so); });
          SmallVector<Value> totals;
          for (int64_t i = 0; i < tokens * words; ++i) {
            Value own = ownSums() ? part[tokens * words + i / words] : Value();
            Value value = finish.toFloat(finish.removeOffset(part[i], own));
            Value scale =
                b.load(op.scale, {group, existing(b.add(row, i % words))});
            totals.push_back(b.fma(value, scale, so[i]));
          }
          return totals;
        });
  }

  bool ownSums() const { return finish.needsOwnSums(); }

  /// Rows beyond N exist in the weights only.
  Value existing(Value r) {
    return n % packing.getRows() ? b.minimumIndex(r, b.index(n - 1)) : r;
  }

  SmallVector<Value> addBlock(Value block, ValueRange state) {
    SmallVector<Value> acc(state.take_front(tokens * words)),
        activationSums(state.drop_front(tokens * words));
    SmallVector<Value> codes = b.loadWords(
        weightWords, b.add(firstWord, b.mul(block, packing.getRows())), words);
    for (int64_t t = 0; t < tokens; ++t) {
      if (element.isInteger(8))
        addBytes(block, t, codes, acc, activationSums);
      else
        addWide(block, t, codes, acc);
    }
    llvm::append_range(acc, activationSums);
    return acc;
  }

  void addBytes(Value block, int64_t t, ArrayRef<Value> codes,
                SmallVectorImpl<Value> &acc,
                SmallVectorImpl<Value> &activationSums) {
    const DeviceTarget &device = b.getDevice();
    Value mask = b.i32(codeBits == 2 ? 0x03030303 : 0x01010101);
    SmallVector<Value> bytes = loadActivations(block, t);
    for (int64_t field = 0; field < fields(); ++field) {
      for (int64_t w = 0; w < words; ++w) {
        Value code = b.createOrFold<arith::AndIOp>(
            shifted(codes[w], field * codeBits), mask);
        Value &sum = acc[t * words + w];
        sum = device.dotAccumulate(b, sum, code, bytes[field]);
      }
      if (!activationSums.empty())
        activationSums[t] = device.dotAccumulate(
            b, activationSums[t], b.i32(0x01010101), bytes[field]);
    }
  }

  /// The words of activations that meet a block, one a field.
  SmallVector<Value> loadActivations(Value block, int64_t t) {
    if (hasWords) {
      int64_t pitch = packedColumns() / 4;
      Value first = b.add(b.mul(tokenRows[t], pitch), b.mul(block, fields()));
      SmallVector<Value> result;
      int64_t step = std::min(fields(), b.getDevice().getLoadWords());
      for (int64_t field = 0; field < fields(); field += step)
        llvm::append_range(
            result, b.loadWords(activationWords, b.add(first, field), step));
      return result;
    }
    SmallVector<Value> result;
    Value first = b.mul(block, packing.getBlock());
    for (int64_t field = 0; field < fields(); ++field) {
      Value word = b.i32(0);
      for (int64_t byte = 0; byte < 4; ++byte) {
        Value value = b.create<arith::ExtUIOp>(
            b.getI32Type(),
            b.load(op.lhs, {tokenRows[t], b.add(first, 4 * field + byte)}));
        word = b.create<arith::OrIOp>(
            word, b.createOrFold<arith::ShLIOp>(value, b.i32(8 * byte)));
      }
      result.push_back(word);
    }
    return result;
  }

  int64_t packedColumns() {
    return cast<MemRefType>(op.lhs.getType()).getDimSize(1);
  }

  /// For activations that bytes do not hold: i16, and floats.
  void addWide(Value block, int64_t t, ArrayRef<Value> codes,
               SmallVectorImpl<Value> &acc) {
    Value first = b.mul(block, packing.getBlock());
    Value mask = b.i32((1 << codeBits) - 1);
    for (int64_t field = 0; field < fields(); ++field)
      for (int64_t byte = 0; byte < 4; ++byte) {
        Value activation =
            b.load(op.lhs, {tokenRows[t], b.add(first, 4 * field + byte)});
        activation = isFloat()
                         ? b.toFloat(activation)
                         : b.create<arith::ExtSIOp>(b.getI32Type(), activation)
                               .getResult();
        for (int64_t w = 0; w < words; ++w) {
          Value code = b.create<arith::AndIOp>(
              shifted(codes[w], 8 * byte + field * codeBits), mask);
          if (codeBits == 1)
            code = b.add(code, code);
          Value weight = b.sub(code, b.i32(1));
          Value &sum = acc[t * words + w];
          if (isFloat())
            sum = b.fma(b.create<arith::SIToFPOp>(b.getF32Type(), weight),
                        activation, sum);
          else
            sum = b.add(sum, b.create<arith::MulIOp>(weight, activation));
        }
      }
  }

  Value shifted(Value word, int64_t amount) {
    return amount ? b.create<arith::ShRUIOp>(word, b.i32(amount)).getResult()
                  : word;
  }

  //===--------------------------------------------------------------------===//
  // Epilogue
  //===--------------------------------------------------------------------===//

  void epilogue(ArrayRef<Value> sums) {
    for (int64_t t = 0; t < tokens; ++t) {
      Value token = b.add(firstToken, t);
      for (int64_t w = 0; w < words; ++w) {
        Value output = b.add(row, w), total = sums[t * words + w];
        Value own =
            ownSums() && groups == 1 ? sums[tokens * words + t] : Value();
        Value exists = b.less(output, b.index(n));
        if (tokens > 1)
          exists = b.create<arith::AndIOp>(exists, b.less(token, tokenCount));
        b.when(exists, [&] { finish.store(total, own, token, output); });
      }
    }
  }

  LaunchBuilder &b;
  const LowBitMatmul &op;
  MatmulEpilogue finish;
  PackingAttr packing;
  int64_t n, k, blocks, codeBits, groups = 1;
  Type element;
  bool hasWords; // activations are read as words
  int64_t rows = 1, words = 1, splits = 1, tokens = 1;
  Value tokenCount, weightWords, activationWords;
  Value row, firstToken, firstWord; // of the thread at hand
  SmallVector<Value> tokenRows;
};

} // namespace

LogicalResult bitnet::launchMatmul(LaunchBuilder &b,
                                   const LowBitMatmul &matmul) {
  if (!matmul.packing)
    return matmul.op->emitOpError(
        "has weights that are not packed: run the layout phase first");
  if (matmul.packing->getScheme() == PackingScheme::Base3)
    return matmul.op->emitOpError(
        "has weights packed as base3, which only CPUs "
        "read; a GPU needs ternary-packing=planes2");
  if (matmul.packing->getUnit() != 4)
    return matmul.op->emitOpError("has weights packed in units of ")
           << matmul.packing->getUnit() << " bytes; a GPU reads units of 4";
  if (fitsMatrixUnits(b, matmul))
    launchMatrixMatmul(b, matmul);
  else
    LinearLaunch(b, matmul).run();
  return success();
}
