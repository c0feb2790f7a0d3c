//===- LowerAttention.cpp - Loops of bitnet.attention ---------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// Online softmax (Milakov and Gimelshein, arXiv 1805.02867): keys are visited
/// in blocks; the running maximum, sum and weighted values are rescaled
/// whenever the maximum grows. No row of scores is ever stored whole.
///
/// Heads that share keys are visited together where the registers allow it, so
/// that a row of the cache is read once for all of them.
class AttentionLowering {
public:
  AttentionLowering(KernelBuilder &b, AttentionOp op,
                    const VectorTarget &target)
      : b(b), op(op), lanes(target.getLanes(32)),
        tokens(b.dim(op.getQuery(), 2)) {
    depth = staticDim(op.getQuery(), 3);
    valueDepth = staticDim(op.getValue(), 3);
    keyLanes = lanesFor(depth);
    valueLanes = lanesFor(valueDepth);
    chooseHeads(target);
  }

  void run() {
    Value heads = b.dim(op.getQuery(), 1), groups = b.dim(op.getKey(), 1);
    Value headsAGroup = b.createOrFold<arith::DivUIOp>(heads, groups);
    Value tiles = b.floorDiv(heads, headsAtOnce);
    Value rows = b.mul(b.mul(b.dim(op.getQuery(), 0), tiles), tokens);
    b.parallel(rows, [&](Value row) {
      Value batchTile = b.createOrFold<arith::DivUIOp>(row, tokens);
      token = b.createOrFold<arith::RemUIOp>(row, tokens);
      batch = b.createOrFold<arith::DivUIOp>(batchTile, tiles);
      firstHead =
          b.mul(b.createOrFold<arith::RemUIOp>(batchTile, tiles), headsAtOnce);
      group = b.createOrFold<arith::DivUIOp>(firstHead, headsAGroup);
      auto scope = b.create<memref::AllocaScopeOp>(TypeRange());
      OpBuilder::InsertionGuard guard(b);
      b.createBlock(&scope.getBodyRegion());
      attend();
      b.create<memref::AllocaScopeReturnOp>(ValueRange());
    });
  }

private:
  static int64_t staticDim(Value memref, int64_t dim) {
    return cast<MemRefType>(memref.getType()).getDimSize(dim);
  }

  /// The widest vector that a row is a whole number of.
  int64_t lanesFor(int64_t extent) const {
    int64_t result = lanes;
    while (extent % result)
      result /= 2;
    return result;
  }

  /// As many heads of a group as leave half of the registers free.
  void chooseHeads(const VectorTarget &target) {
    int64_t heads = staticDim(op.getQuery(), 1),
            groups = staticDim(op.getKey(), 1);
    if (ShapedType::isDynamic(heads) || ShapedType::isDynamic(groups))
      return;
    int64_t vectors = std::max(depth / keyLanes, valueDepth / valueLanes);
    headsAtOnce = std::max<int64_t>(
        1, std::min(heads / groups, target.getRegisters() / 2 / vectors));
    while (heads / groups % headsAtOnce)
      --headsAtOnce;
  }

  Value headAt(int64_t h) { return b.add(firstHead, h); }

  /// An index of the mask, which broadcasts; a dynamic extent may turn out to
  /// be 1.
  Value alongMask(int64_t dim, Value i) {
    int64_t extent = staticDim(op.getMask(), dim);
    if (extent == 1)
      return b.index(0);
    return ShapedType::isDynamic(extent)
               ? b.createOrFold<arith::RemUIOp>(i, b.dim(op.getMask(), dim))
               : i;
  }

  Value visibleKeys() {
    Value position = op.getPosition() ? op.getPosition() : b.index(0);
    if (op.getCausal())
      return b.add(b.add(position, token), 1);
    return op.getPosition() ? b.add(position, tokens) : b.dim(op.getKey(), 2);
  }

  SmallVector<Value> loadRow(Value memref, Value headIndex, Value row,
                             int64_t extent, int64_t width) {
    SmallVector<Value> parts;
    for (int64_t d = 0; d < extent; d += width)
      parts.push_back(b.toFloat(
          b.loadVector(memref, {batch, headIndex, row, b.index(d)}, width)));
    return parts;
  }

  /// Fetches a row of the cache that is read within the next block. A prompt
  /// reads each row for many tokens, so only the first time would be worth it.
  void prefetchRow(Value memref, Value row, int64_t extent) {
    if (KernelBuilder::constant(tokens) != 1)
      return;
    auto type = cast<MemRefType>(memref.getType());
    int64_t step = cacheLine * 8 / type.getElementTypeBitWidth();
    for (int64_t d = 0; d < extent; d += step)
      b.prefetch(memref, {batch, group, row, b.index(d)});
  }

  //===--------------------------------------------------------------------===//
  // Scores
  //===--------------------------------------------------------------------===//

  /// For each head, the products of the query and key `key` before their lanes
  /// are summed.
  SmallVector<Value> multiplyKey(Value key) {
    SmallVector<Value> row = loadRow(op.getKey(), group, key, depth, keyLanes);
    prefetchRow(op.getValue(), key, valueDepth);
    SmallVector<Value> sums;
    for (ArrayRef<Value> query : queries) {
      Value sum;
      for (auto [q, k] : llvm::zip(query, row))
        sum =
            sum ? b.fma(q, k, sum) : b.create<arith::MulFOp>(q, k).getResult();
      sums.push_back(sum);
    }
    return sums;
  }

  /// Neighbouring lanes of [lhs, rhs] summed.
  Value addPairs(Value lhs, Value rhs) {
    SmallVector<int64_t> even, odd;
    for (int64_t i = 0; i < keyLanes; ++i) {
      even.push_back(2 * i);
      odd.push_back(2 * i + 1);
    }
    return b.reduceAdd(b.create<vector::ShuffleOp>(lhs, rhs, even),
                       b.create<vector::ShuffleOp>(lhs, rhs, odd));
  }

  /// For each head, the products with `count` keys, summed as far as fits one
  /// vector: with keyLanes keys, lane i is the score of the i-th. Halves are
  /// finished one after the other, so that few vectors are alive.
  SmallVector<Value> multiplyKeys(Value key, int64_t count) {
    if (count == 1)
      return multiplyKey(key);
    SmallVector<Value> sums = multiplyKeys(key, count / 2);
    for (auto [sum, high] :
         llvm::zip(sums, multiplyKeys(b.add(key, count / 2), count / 2)))
      sum = addPairs(sum, high);
    return sums;
  }

  /// The scores of `width` keys (1: a scalar) from the sums of products.
  Value finishScore(Value sum, int64_t h, Value key, int64_t width) {
    Value scale = b.f32(op.getScale().convertToDouble());
    Value result = b.create<arith::MulFOp>(
        sum, width == 1 ? scale : b.splat(scale, width));
    Value mask = op.getMask();
    if (!mask)
      return result;
    SmallVector<Value> at{alongMask(0, batch), alongMask(1, headAt(h)),
                          alongMask(2, token), key};
    Value bias = width == 1 ? b.load(mask, at) : b.loadVector(mask, at, width);
    return b.create<arith::AddFOp>(result, b.toFloat(bias));
  }

  /// Writes the scores of keys [first, first + count), then -inf up to a whole
  /// vector.
  void computeScores(Value first, Value count) {
    Value whole = b.index(0);
    if (keyLanes > 1) {
      whole = b.mul(b.floorDiv(count, keyLanes), keyLanes);
      b.loop(b.index(0), whole, keyLanes, [&](Value j) {
        Value key = b.add(first, j);
        for (auto [h, sum] : llvm::enumerate(multiplyKeys(key, keyLanes)))
          b.storeVector(finishScore(sum, h, key, keyLanes), scores,
                        {b.index(h), j});
      });
    }
    Value padding = b.splat(lowest(), lanes);
    for (int64_t h = 0; h < headsAtOnce; ++h)
      b.storeVector(padding, scores, {b.index(h), count});
    b.loop(whole, count, 1, [&](Value j) {
      Value key = b.add(first, j);
      for (auto [h, sum] : llvm::enumerate(multiplyKey(key)))
        b.store(finishScore(b.sumLanes(sum), h, key, 1), scores,
                {b.index(h), j});
    });
  }

  //===--------------------------------------------------------------------===//
  // Softmax and values
  //===--------------------------------------------------------------------===//

  Value lowest() { return b.f32(-std::numeric_limits<double>::infinity()); }

  void attend() {
    scores = b.create<memref::AllocaOp>(
        MemRefType::get({headsAtOnce, keyBlock + lanes}, b.getF32Type()));
    queries.clear();
    for (int64_t h = 0; h < headsAtOnce; ++h)
      queries.push_back(
          loadRow(op.getQuery(), headAt(h), token, depth, keyLanes));
    Value keys = visibleKeys();
    int64_t parts = valueDepth / valueLanes;

    // Maxima, sums, then weighted values, each by head.
    SmallVector<Value> state(headsAtOnce, lowest());
    state.append(headsAtOnce, b.f32(0));
    state.append(headsAtOnce * parts, b.zeroVector(valueLanes, b.getF32Type()));
    state = b.reduce(
        b.index(0), keys, keyBlock, state, [&](Value first, ValueRange so) {
          Value count =
              b.create<arith::MinSIOp>(b.sub(keys, first), b.index(keyBlock));
          return visitBlock(first, count, so);
        });
    for (int64_t h = 0; h < headsAtOnce; ++h)
      writeOutput(h, state[headsAtOnce + h],
                  ArrayRef(state).slice(2 * headsAtOnce + h * parts, parts));
  }

  void writeOutput(int64_t h, Value sum, ArrayRef<Value> values) {
    // A row whose keys are all masked by -inf is 0.
    Value empty =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, sum, b.f32(0));
    Value inverse = b.create<arith::SelectOp>(
        empty, b.f32(0), b.create<arith::DivFOp>(b.f32(1), sum));
    Type element = cast<MemRefType>(op.getOutput().getType()).getElementType();
    for (auto [i, value] : llvm::enumerate(values)) {
      Value part = b.create<arith::MulFOp>(value, b.splat(inverse, valueLanes));
      if (!element.isF32())
        part =
            b.create<arith::TruncFOp>(b.vectorType(valueLanes, element), part);
      b.storeVector(part, op.getOutput(),
                    {batch, headAt(h), token, b.index(i * valueLanes)});
    }
  }

  SmallVector<Value> visitBlock(Value first, Value count, ValueRange so) {
    computeScores(first, count);
    SmallVector<Value> maxima, sums, values;
    int64_t parts = valueDepth / valueLanes;
    for (int64_t h = 0; h < headsAtOnce; ++h) {
      auto [largest, sum, rescale] =
          weigh(h, count, so[h], so[headsAtOnce + h]);
      maxima.push_back(largest);
      sums.push_back(sum);
      for (Value part : so.slice(2 * headsAtOnce + h * parts, parts))
        values.push_back(
            b.create<arith::MulFOp>(part, b.splat(rescale, valueLanes)));
    }
    values = b.reduce(b.index(0), count, 1, values,
                      [&](Value j, ValueRange partial) {
                        return addValues(j, b.add(first, j), partial);
                      });
    llvm::append_range(maxima, sums);
    llvm::append_range(maxima, values);
    return maxima;
  }

  struct Weighed {
    Value largest, sum, rescale;
  };

  /// Replaces a head's scores of a block by their exponentials.
  Weighed weigh(int64_t h, Value count, Value largest, Value sum) {
    Value head = b.index(h);
    auto each = [&](ValueRange initial, auto body) {
      return b.reduce(
          b.index(0), count, lanes, initial, [&](Value j, ValueRange so) {
            return SmallVector<Value>{
                body(j, b.loadVector(scores, {head, j}, lanes), so[0])};
          })[0];
    };
    Value maxima =
        each(b.splat(largest, lanes), [&](Value, Value score, Value so) {
          return b.maximum(score, so);
        });
    Value next =
        b.create<vector::ReductionOp>(vector::CombiningKind::MAXNUMF, maxima);
    // While every key so far is masked by -inf there is nothing to subtract.
    Value infinite =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, next, lowest());
    Value shift = b.create<arith::SelectOp>(infinite, b.f32(0), next);
    Value shifts = b.splat(shift, lanes);
    Value zero = b.zeroVector(lanes, b.getF32Type());
    Value partial = each(zero, [&](Value j, Value score, Value so) {
      Value weight =
          b.create<math::ExpOp>(b.create<arith::SubFOp>(score, shifts));
      b.storeVector(weight, scores, {head, j});
      return b.reduceAdd(so, weight);
    });
    Value rescale =
        b.create<math::ExpOp>(b.create<arith::SubFOp>(largest, shift));
    sum = b.create<arith::AddFOp>(b.create<arith::MulFOp>(sum, rescale),
                                  b.sumLanes(partial));
    return {next, sum, rescale};
  }

  /// Adds the values of `key` by the weights of entry `j` of the block.
  SmallVector<Value> addValues(Value j, Value key, ValueRange partial) {
    SmallVector<Value> row =
        loadRow(op.getValue(), group, key, valueDepth, valueLanes);
    prefetchRow(op.getKey(), b.add(key, keyBlock), depth);
    SmallVector<Value> next;
    for (int64_t h = 0; h < headsAtOnce; ++h) {
      Value weight = b.splat(b.load(scores, {b.index(h), j}), valueLanes);
      for (Value part : row)
        next.push_back(b.fma(weight, part, partial[next.size()]));
    }
    return next;
  }

  /// Keys whose scores are held at a time; a whole number of vectors.
  static constexpr int64_t keyBlock = 64;
  /// Bytes that a prefetch brings.
  static constexpr int64_t cacheLine = 64;

  KernelBuilder &b;
  AttentionOp op;
  int64_t lanes; // of the machine's vectors
  Value tokens;
  int64_t depth, valueDepth, keyLanes, valueLanes, headsAtOnce = 1;
  // Of the row at hand:
  Value batch, firstHead, token, group;
  Value scores; // [head, key of the block]
  SmallVector<SmallVector<Value>> queries;
};

} // namespace

LogicalResult bitnet::lowerAttention(KernelBuilder &b, AttentionOp op,
                                     const VectorTarget &target) {
  for (Value memref : {op.getQuery(), op.getValue()})
    if (cast<MemRefType>(memref.getType()).isDynamicDim(3))
      return op.emitOpError("needs static head dimensions");
  AttentionLowering(b, op, target).run();
  return success();
}
