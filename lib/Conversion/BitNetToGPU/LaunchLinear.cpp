//===- LaunchLinear.cpp - Kernels of low-bit matmuls ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// A workgroup for `rows` rows of weights and `tokens` tokens:
///
///   threads are (split of K) x (rows, `words` to a thread)
///     for blocks, or groups that share scales, of the thread's split
///       load a word of codes for each row, meet each token's activations
///   sum over the splits in workgroup memory
///   epilogue: scales, bias, activation function, store
///
/// Neighbouring threads read neighbouring words of the packed weights.
class LinearLaunch {
public:
  LinearLaunch(LaunchBuilder &b, const LowBitMatmul &op)
      : b(b), op(op), packing(*op.packing), n(op.n), k(op.k),
        blocks(packing.getPaddedColumns(k) / packing.getBlock()),
        codeBits(packing.getScheme() == PackingScheme::Planes2 ? 2 : 1),
        element(op.getLhsElement()), tokenCount(b.dim(op.lhs, 0)) {
    if (auto type = op.scale ? cast<MemRefType>(op.scale.getType()) : nullptr)
      groups = type.getRank() == 2 ? type.getDimSize(0) : 1;
    hasWords = element.isInteger(8) &&
               cast<MemRefType>(op.lhs.getType()).getLayout().isIdentity();
    chooseShape();
  }

  void run() {
    weightWords = asWords(op.weight);
    if (hasWords)
      activationWords = asWords(op.lhs);
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

  /// Bytes as 32-bit words; they are a whole number of words, and aligned.
  Value asWords(Value bytes) {
    auto type = cast<MemRefType>(bytes.getType());
    if (type.getRank() > 1) {
      ReassociationIndices all;
      for (int64_t i = 0; i < type.getRank(); ++i)
        all.push_back(i);
      bytes = b.create<memref::CollapseShapeOp>(
          bytes, ArrayRef<ReassociationIndices>{all});
      type = cast<MemRefType>(bytes.getType());
    }
    SmallVector<Value> sizes;
    int64_t extent = ShapedType::kDynamic;
    if (type.isDynamicDim(0))
      sizes.push_back(b.floorDiv(b.dim(bytes, 0), 4));
    else
      extent = type.getDimSize(0) / 4;
    return b.create<memref::ViewOp>(MemRefType::get({extent}, b.getI32Type()),
                                    bytes, b.index(0), sizes);
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
            Value value = toFloat(finish(part[i], own));
            Value scale =
                b.load(op.scale, {group, existing(b.add(row, i % words))});
            totals.push_back(b.fma(value, scale, so[i]));
          }
          return totals;
        });
  }

  /// The sums of activations that offset codes need are not known beforehand.
  bool ownSums() const {
    return element.isInteger(8) && (groups > 1 || !op.sum);
  }

  /// Rows beyond N exist in the weights only.
  Value existing(Value r) {
    return n % packing.getRows() ? b.minimumIndex(r, b.index(n - 1)) : r;
  }

  SmallVector<Value> addBlock(Value block, ValueRange state) {
    SmallVector<Value> acc(state.take_front(tokens * words)),
        activationSums(state.drop_front(tokens * words));
    SmallVector<Value> codes = loadWords(
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
            result, loadWords(activationWords, b.add(first, field), step));
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

  SmallVector<Value> loadWords(Value memref, Value at, int64_t count) {
    if (count == 1)
      return {b.load(memref, at)};
    auto type = VectorType::get({count}, b.getI32Type());
    Value vector = b.create<vector::LoadOp>(
        type, memref, at, /*nontemporal=*/false, llvm::MaybeAlign(count * 4));
    SmallVector<Value> result;
    for (int64_t i = 0; i < count; ++i)
      result.push_back(b.create<vector::ExtractOp>(vector, i));
    return result;
  }

  //===--------------------------------------------------------------------===//
  // Epilogue
  //===--------------------------------------------------------------------===//

  /// Sums of code times activation to sums of weight times activation.
  Value finish(Value codeSum, Value activationSum) {
    if (!element.isInteger(8))
      return codeSum;
    // Ternary codes are w + 1; binary ones (w + 1) / 2.
    if (codeBits == 1)
      codeSum = b.add(codeSum, codeSum);
    return b.sub(codeSum, activationSum);
  }

  Value toFloat(Value sum) {
    return isFloat()
               ? sum
               : b.create<arith::SIToFPOp>(b.getF32Type(), sum).getResult();
  }

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
        b.when(exists, [&] { storeOutput(total, own, token, output); });
      }
    }
  }

  void storeOutput(Value total, Value own, Value token, Value output) {
    Value value = total;
    if (groups == 1) {
      if (!own && element.isInteger(8))
        own = b.load(op.sum, token);
      value = finish(total, own);
    }
    if (cast<MemRefType>(op.output.getType()).getElementType().isInteger(32)) {
      b.store(value, op.output, {token, output});
      return;
    }
    if (groups == 1)
      value = toFloat(value);
    if (op.step) {
      bool shared = cast<MemRefType>(op.step.getType()).getDimSize(0) == 1;
      value = b.create<arith::MulFOp>(
          value, b.load(op.step, shared ? b.index(0) : token));
    }
    if (op.scale && groups == 1)
      value = b.create<arith::MulFOp>(value, loadOutput(op.scale, output));
    if (op.bias)
      value = b.create<arith::AddFOp>(value, loadOutput(op.bias, output));
    b.store(activate(value), op.output, {token, output});
  }

  Value loadOutput(Value memref, Value output) {
    bool shared = cast<MemRefType>(memref.getType()).getDimSize(0) == 1;
    return b.load(memref, shared ? b.index(0) : output);
  }

  Value activate(Value value) {
    if (op.activation == Activation::None)
      return value;
    Value zero = b.f32(0);
    // NaN passes, as it does in the graph's Relu.
    Value negative =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, value, zero);
    value = b.create<arith::SelectOp>(negative, zero, value);
    if (op.activation == Activation::ReluSquared)
      value = b.create<arith::MulFOp>(value, value);
    return value;
  }

  LaunchBuilder &b;
  const LowBitMatmul &op;
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
  if (matmul.packing->getUnit() != 4)
    return matmul.op->emitOpError("has weights packed in units of ")
           << matmul.packing->getUnit() << " bytes; a GPU reads units of 4";
  LinearLaunch(b, matmul).run();
  return success();
}
