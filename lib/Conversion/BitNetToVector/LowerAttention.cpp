//===- LowerAttention.cpp - Loops of bitnet.attention
//-----------------------------------===//
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
class AttentionLowering {
public:
  AttentionLowering(KernelBuilder &b, AttentionOp op,
                    const VectorTarget &target)
      : b(b), op(op), heads(b.dim(op.getQuery(), 1)),
        tokens(b.dim(op.getQuery(), 2)) {
    depth = staticDim(op.getQuery(), 3);
    valueDepth = staticDim(op.getValue(), 3);
    keyLanes = lanesFor(depth, target);
    valueLanes = lanesFor(valueDepth, target);
  }

  void run() {
    Value groups = b.dim(op.getKey(), 1);
    Value headsAGroup = b.createOrFold<arith::DivUIOp>(heads, groups);
    Value rows = b.mul(b.mul(b.dim(op.getQuery(), 0), heads), tokens);
    b.parallel(rows, [&](Value row) {
      Value batchHead = b.createOrFold<arith::DivUIOp>(row, tokens);
      token = b.createOrFold<arith::RemUIOp>(row, tokens);
      batch = b.createOrFold<arith::DivUIOp>(batchHead, heads);
      head = b.createOrFold<arith::RemUIOp>(batchHead, heads);
      group = b.createOrFold<arith::DivUIOp>(head, headsAGroup);
      if (op.getMask())
        maskIndices = {alongMask(0, batch), alongMask(1, head),
                       alongMask(2, token)};
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
  static int64_t lanesFor(int64_t extent, const VectorTarget &target) {
    int64_t lanes = target.getLanes(32);
    while (extent % lanes)
      lanes /= 2;
    return lanes;
  }

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
                             int64_t extent, int64_t lanes) {
    SmallVector<Value> parts;
    for (int64_t d = 0; d < extent; d += lanes)
      parts.push_back(b.toFloat(
          b.loadVector(memref, {batch, headIndex, row, b.index(d)}, lanes)));
    return parts;
  }

  Value score(ArrayRef<Value> query, Value key) {
    Value sum;
    for (auto [q, k] :
         llvm::zip(query, loadRow(op.getKey(), group, key, depth, keyLanes)))
      sum = sum ? b.fma(q, k, sum) : b.create<arith::MulFOp>(q, k).getResult();
    Value result = b.create<arith::MulFOp>(
        b.sumLanes(sum), b.f32(op.getScale().convertToDouble()));
    if (Value mask = op.getMask()) {
      SmallVector<Value> at = maskIndices;
      at.push_back(key);
      Value bias = b.load(mask, at);
      result = b.create<arith::AddFOp>(result, b.toFloat(bias));
    }
    return result;
  }

  void attend() {
    Value scores =
        b.create<memref::AllocaOp>(MemRefType::get({keyBlock}, b.getF32Type()));
    SmallVector<Value> query =
        loadRow(op.getQuery(), head, token, depth, keyLanes);
    Value keys = visibleKeys();
    Value lowest = b.f32(-std::numeric_limits<double>::infinity());

    SmallVector<Value> state{lowest, b.f32(0)};
    state.append(valueDepth / valueLanes,
                 b.zeroVector(valueLanes, b.getF32Type()));
    state = b.reduce(
        b.index(0), keys, keyBlock, state, [&](Value first, ValueRange so) {
          Value count =
              b.create<arith::MinSIOp>(b.sub(keys, first), b.index(keyBlock));
          return visitBlock(scores, query, first, count, so);
        });
    // A row whose keys are all masked by -inf is 0.
    Value empty =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, state[1], b.f32(0));
    Value inverse = b.create<arith::SelectOp>(
        empty, b.f32(0), b.create<arith::DivFOp>(b.f32(1), state[1]));
    Type element = cast<MemRefType>(op.getOutput().getType()).getElementType();
    for (int64_t i = 0; i < valueDepth / valueLanes; ++i) {
      Value part =
          b.create<arith::MulFOp>(state[2 + i], b.splat(inverse, valueLanes));
      if (!element.isF32())
        part =
            b.create<arith::TruncFOp>(b.vectorType(valueLanes, element), part);
      b.storeVector(part, op.getOutput(),
                    {batch, head, token, b.index(i * valueLanes)});
    }
  }

  SmallVector<Value> visitBlock(Value scores, ArrayRef<Value> query,
                                Value first, Value count, ValueRange so) {
    Value largest =
        b.reduce(b.index(0), count, 1, so[0], [&](Value j, ValueRange max) {
          Value value = score(query, b.add(first, j));
          b.store(value, scores, j);
          return SmallVector<Value>{b.create<arith::MaximumFOp>(max[0], value)};
        })[0];
    // While every key so far is masked by -inf there is nothing to subtract.
    Value infinite = b.create<arith::CmpFOp>(
        arith::CmpFPredicate::OEQ, largest,
        b.f32(-std::numeric_limits<double>::infinity()));
    Value shift = b.create<arith::SelectOp>(infinite, b.f32(0), largest);
    auto exponential = [&](Value x) {
      return b.create<math::ExpOp>(b.create<arith::SubFOp>(x, shift))
          .getResult();
    };
    Value rescale = exponential(so[0]);
    Value sum = b.reduce(
        b.index(0), count, 1, b.f32(0), [&](Value j, ValueRange partial) {
          Value weight = exponential(b.load(scores, j));
          b.store(weight, scores, j);
          return SmallVector<Value>{b.reduceAdd(partial[0], weight)};
        })[0];

    SmallVector<Value> values;
    for (Value part : so.drop_front(2))
      values.push_back(
          b.create<arith::MulFOp>(part, b.splat(rescale, valueLanes)));
    values = b.reduce(
        b.index(0), count, 1, values, [&](Value j, ValueRange partial) {
          Value weight = b.splat(b.load(scores, j), valueLanes);
          SmallVector<Value> next = loadRow(
              op.getValue(), group, b.add(first, j), valueDepth, valueLanes);
          for (auto [value, acc] : llvm::zip(next, partial))
            value = b.fma(weight, value, acc);
          return next;
        });
    SmallVector<Value> state{
        largest,
        b.create<arith::AddFOp>(b.create<arith::MulFOp>(so[1], rescale), sum)};
    state.append(values);
    return state;
  }

  /// Keys whose scores are held at a time.
  static constexpr int64_t keyBlock = 64;

  KernelBuilder &b;
  AttentionOp op;
  Value heads, tokens;
  int64_t depth, valueDepth, keyLanes, valueLanes;
  Value batch, head, token, group; // of the row at hand
  SmallVector<Value> maskIndices;
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
