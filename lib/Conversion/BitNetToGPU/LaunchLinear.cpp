//===- LaunchLinear.cpp - Kernels of bitnet.linear ------------------------===//
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
  LinearLaunch(LaunchBuilder &b, LinearOp op)
      : b(b), op(op), packing(*op.getPacking()), n(op.getN()), k(op.getK()),
        blocks(packing.getPaddedColumns(k) / packing.getBlock()),
        codeBits(packing.getScheme() == PackingScheme::Planes2 ? 2 : 1),
        tokenCount(b.dim(op.getLhs(), 0)) {
    auto scaleType = cast<MemRefType>(op.getScale().getType());
    groups = scaleType.getRank() == 2 ? scaleType.getDimSize(0) : 1;
    auto lhs = cast<MemRefType>(op.getLhs().getType());
    element = lhs.getElementType();
    hasWords = element.isInteger(8) && lhs.getLayout().isIdentity();
    chooseShape();
  }

  void run() {
    weightWords = asWords(op.getWeight());
    if (hasWords)
      activationWords = asWords(op.getLhs());
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

  /// Sums of code times activation over the split's blocks: by token and row.
  SmallVector<Value> sumBlocks(Value split) {
    return b.shareReduce(split, splits, b.index(blocks),
                         zeros(tokens * words, isFloat()),
                         [&](Value block, ValueRange so) {
                           return addBlock(block, so, {}).first;
                         });
  }

  /// Scaled sums of weight times activation over the split's groups, f32.
  SmallVector<Value> sumGroups(Value split) {
    int64_t perGroup = k / groups / packing.getBlock();
    return b.shareReduce(
        split, splits, b.index(groups), zeros(tokens * words, true),
        [&](Value group, ValueRange so) {
          SmallVector<Value> initial = zeros(tokens * words, isFloat());
          llvm::append_range(initial, zeros(ownSums() ? tokens : 0, false));
          Value first = b.mul(group, perGroup);
          SmallVector<Value> part =
              b.reduce(first, b.add(first, perGroup), 1, initial,
                       [&](Value block, ValueRange state) {
                         auto [sums, own] =
                             addBlock(block, state.take_front(tokens * words),
                                      state.drop_front(tokens * words));
                         llvm::append_range(sums, own);
                         return sums;
                       });
          SmallVector<Value> totals;
          for (int64_t i = 0; i < tokens * words; ++i) {
            Value own = ownSums() ? part[tokens * words + i / words] : Value();
            Value value = finish(part[i], own);
            Value scale =
                b.load(op.getScale(), {group, existing(b.add(row, i % words))});
            totals.push_back(b.fma(value, scale, so[i]));
          }
          return totals;
        });
  }

  bool ownSums() const { return groups > 1 && element.isInteger(8); }

  /// Rows beyond N exist in the weights only.
  Value existing(Value r) {
    return n % packing.getRows() ? b.minimumIndex(r, b.index(n - 1)) : r;
  }

  std::pair<SmallVector<Value>, SmallVector<Value>>
  addBlock(Value block, ValueRange sums, ValueRange own) {
    SmallVector<Value> acc(sums), activationSums(own);
    SmallVector<Value> codes = loadWords(
        weightWords, b.add(firstWord, b.mul(block, packing.getRows())), words);
    for (int64_t t = 0; t < tokens; ++t) {
      if (hasWords || element.isInteger(8))
        addBytes(block, t, codes, acc, activationSums);
      else
        addWide(block, t, codes, acc);
    }
    return {acc, activationSums};
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
            b.load(op.getLhs(),
                   {tokenRows[t], b.add(first, 4 * field + byte)}));
        word = b.create<arith::OrIOp>(
            word, b.createOrFold<arith::ShLIOp>(value, b.i32(8 * byte)));
      }
      result.push_back(word);
    }
    return result;
  }

  int64_t packedColumns() {
    return cast<MemRefType>(op.getLhs().getType()).getDimSize(1);
  }

  /// For activations that bytes do not hold: i16, and floats.
  void addWide(Value block, int64_t t, ArrayRef<Value> codes,
               SmallVectorImpl<Value> &acc) {
    Value first = b.mul(block, packing.getBlock());
    Value mask = b.i32((1 << codeBits) - 1);
    for (int64_t field = 0; field < fields(); ++field)
      for (int64_t byte = 0; byte < 4; ++byte) {
        Value activation =
            b.load(op.getLhs(), {tokenRows[t], b.add(first, 4 * field + byte)});
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

  /// Sums of code times activation to sums of weight times activation, f32.
  Value finish(Value codeSum, Value activationSum) {
    if (isFloat())
      return codeSum;
    if (element.isInteger(8)) {
      // Ternary codes are w + 1; binary ones (w + 1) / 2.
      if (codeBits == 1)
        codeSum = b.add(codeSum, codeSum);
      codeSum = b.sub(codeSum, activationSum);
    }
    return b.create<arith::SIToFPOp>(b.getF32Type(), codeSum);
  }

  void epilogue(ArrayRef<Value> sums) {
    for (int64_t t = 0; t < tokens; ++t) {
      Value token = b.add(firstToken, t);
      for (int64_t w = 0; w < words; ++w) {
        Value output = b.add(row, w), total = sums[t * words + w];
        Value exists = b.less(output, b.index(n));
        if (tokens > 1)
          exists = b.create<arith::AndIOp>(exists, b.less(token, tokenCount));
        b.when(exists, [&] { storeOutput(total, token, output); });
      }
    }
  }

  void storeOutput(Value total, Value token, Value output) {
    Value value = total;
    if (groups == 1) {
      bool corrects = element.isInteger(8);
      value = finish(total, corrects ? b.load(op.getSum(), token) : Value());
    }
    if (Value steps = op.getStep()) {
      bool shared = cast<MemRefType>(steps.getType()).getDimSize(0) == 1;
      value = b.create<arith::MulFOp>(
          value, b.load(steps, shared ? b.index(0) : token));
    }
    if (groups == 1)
      value = b.create<arith::MulFOp>(value, loadOutput(op.getScale(), output));
    if (Value bias = op.getBias())
      value = b.create<arith::AddFOp>(value, loadOutput(bias, output));
    b.store(activate(value), op.getOutput(), {token, output});
  }

  Value loadOutput(Value memref, Value output) {
    bool shared = cast<MemRefType>(memref.getType()).getDimSize(0) == 1;
    return b.load(memref, shared ? b.index(0) : output);
  }

  Value activate(Value value) {
    if (op.getActivation() == Activation::None)
      return value;
    Value zero = b.f32(0);
    // NaN passes, as it does in the graph's Relu.
    Value negative =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, value, zero);
    value = b.create<arith::SelectOp>(negative, zero, value);
    if (op.getActivation() == Activation::ReluSquared)
      value = b.create<arith::MulFOp>(value, value);
    return value;
  }

  LaunchBuilder &b;
  LinearOp op;
  PackingAttr packing;
  int64_t n, k, blocks, codeBits, groups;
  Type element;
  bool hasWords; // activations are read as words
  int64_t rows = 1, words = 1, splits = 1, tokens = 1;
  Value tokenCount, weightWords, activationWords;
  Value row, firstToken, firstWord; // of the thread at hand
  SmallVector<Value> tokenRows;
};

} // namespace

LogicalResult bitnet::launchLinear(LaunchBuilder &b, LinearOp op) {
  if (!op.getPacking())
    return op.emitOpError(
        "has weights that are not packed: run the layout phase first");
  if (op.getPacking()->getUnit() != 4)
    return op.emitOpError("has weights packed in units of ")
           << op.getPacking()->getUnit() << " bytes; a GPU reads units of 4";
  if (op.getLowering() != Lowering::Auto && op.getLowering() != Lowering::Dot)
    return op.emitOpError("has no '") << stringifyLowering(op.getLowering())
                                      << "' lowering on a GPU; expected dot";
  LinearLaunch(b, op).run();
  return success();
}
