//===- LaunchAttention.cpp - Kernels of bitnet.attention ------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// A workgroup for each query of each head. Its threads score a block of keys,
/// one each, and then sum the block's values, a component each, or one of a
/// part of the keys where there are threads to spare; the running maximum, sum
/// and values are rescaled from block to block (online softmax).
class AttentionLaunch {
public:
  AttentionLaunch(LaunchBuilder &b, AttentionOp op)
      : b(b), op(op), heads(b.dim(op.getQuery(), 1)),
        tokens(b.dim(op.getQuery(), 2)), capacity(b.dim(op.getKey(), 2)) {
    depth = cast<MemRefType>(op.getQuery().getType()).getDimSize(3);
    valueDepth = cast<MemRefType>(op.getValue().getType()).getDimSize(3);
    // A device with shuffles waits seldom, and so gains by larger groups.
    threads = b.getDevice().getShuffleWidth() > 1 ? 1024 : 128;
    if (threads % valueDepth == 0 && llvm::isPowerOf2_64(valueDepth))
      parts = threads / valueDepth;
    if (op.getMask())
      for (int64_t i = 0; i < 3; ++i)
        maskExtents.push_back(b.dim(op.getMask(), i));
  }

  void run() {
    Value groups = b.dim(op.getKey(), 1);
    Value headsAGroup = b.createOrFold<arith::DivUIOp>(heads, groups);
    Value rows = b.mul(b.mul(b.dim(op.getQuery(), 0), heads), tokens);
    b.forGroups(rows, threads, [&](Value row, Value thread) {
      Value batchHead = b.createOrFold<arith::DivUIOp>(row, tokens);
      token = b.createOrFold<arith::RemUIOp>(row, tokens);
      batch = b.createOrFold<arith::DivUIOp>(batchHead, heads);
      head = b.createOrFold<arith::RemUIOp>(batchHead, heads);
      group = b.createOrFold<arith::DivUIOp>(head, headsAGroup);
      if (op.getMask())
        maskIndices = {alongMask(0, batch), alongMask(1, head),
                       alongMask(2, token)};
      attend(thread);
    });
  }

private:
  /// An index of the mask, which broadcasts; a dynamic extent may turn out to
  /// be 1.
  Value alongMask(int64_t dim, Value i) {
    std::optional<int64_t> extent = KernelBuilder::constant(maskExtents[dim]);
    if (extent == 1)
      return b.index(0);
    return extent ? i : b.createOrFold<arith::RemUIOp>(i, maskExtents[dim]);
  }

  Value visibleKeys() {
    Value position = op.getPosition() ? op.getPosition() : b.index(0);
    if (op.getCausal())
      return b.add(b.add(position, token), 1);
    return op.getPosition() ? b.add(position, tokens) : capacity;
  }

  Value lowest() { return b.f32(-std::numeric_limits<double>::infinity()); }

  /// Whether a row can be loaded in aligned vectors of four floats.
  bool isWide(Value memref) const {
    auto type = cast<MemRefType>(memref.getType());
    return b.getDevice().getLoadWords() >= 4 && type.getElementType().isF32() &&
           type.getLayout().isIdentity() && type.getDimSize(3) % 4 == 0;
  }

  SmallVector<Value> loadPart(Value memref, ValueRange at, int64_t width) {
    if (width == 1)
      return {b.toFloat(b.load(memref, at))};
    Value vector = b.create<vector::LoadOp>(
        VectorType::get({width}, b.getF32Type()), memref, at,
        /*nontemporal=*/false, llvm::MaybeAlign(width * 4));
    SmallVector<Value> elements;
    for (int64_t i = 0; i < width; ++i)
      elements.push_back(b.create<vector::ExtractOp>(vector, i));
    return elements;
  }

  Value score(Value key) {
    int64_t width = isWide(op.getQuery()) && isWide(op.getKey()) ? 4 : 1;
    Value sum = b.reduce(
        b.index(0), b.index(depth), width, b.f32(0),
        [&](Value d, ValueRange so) {
          Value total = so[0];
          for (auto [q, k] : llvm::zip(
                   loadPart(op.getQuery(), {batch, head, token, d}, width),
                   loadPart(op.getKey(), {batch, group, key, d}, width)))
            total = b.fma(q, k, total);
          return SmallVector<Value>{total};
        })[0];
    Value result =
        b.create<arith::MulFOp>(sum, b.f32(op.getScale().convertToDouble()));
    if (Value mask = op.getMask()) {
      SmallVector<Value> at = maskIndices;
      at.push_back(key);
      result = b.create<arith::AddFOp>(result, b.toFloat(b.load(mask, at)));
    }
    return result;
  }

  /// The score of `key`, or that of a masked one where there is no such key.
  Value scoreIf(Value exists, Value key) {
    auto branch =
        b.create<scf::IfOp>(b.getF32Type(), exists, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    b.create<scf::YieldOp>(score(key));
    b.setInsertionPointToStart(branch.elseBlock());
    b.create<scf::YieldOp>(lowest());
    return branch.getResult(0);
  }

  /// Component `i` of the values that a thread sums; threads beyond the last
  /// component repeat it.
  Value component(Value thread, int64_t i) {
    if (parts > 1)
      return b.rem(thread, valueDepth);
    return b.minimumIndex(b.add(thread, b.index(i * threads)),
                          b.index(valueDepth - 1));
  }

  void attend(Value thread) {
    Value weights = b.allocShared(threads, b.getF32Type());
    Value keys = visibleKeys();
    SmallVector<Value> state{lowest(), b.f32(0)};
    state.append(llvm::divideCeil(valueDepth, threads), b.f32(0));
    auto loop = b.create<scf::ForOp>(b.index(0), keys, b.index(threads), state);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      b.create<scf::YieldOp>(visitBlock(weights, thread, loop.getInductionVar(),
                                        keys, loop.getRegionIterArgs()));
    }
    ValueRange end = loop.getResults();
    // A row whose keys are all masked by -inf is 0.
    Value empty =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, end[1], b.f32(0));
    Value inverse = b.create<arith::SelectOp>(
        empty, b.f32(0), b.create<arith::DivFOp>(b.f32(1), end[1]));
    Type element = cast<MemRefType>(op.getOutput().getType()).getElementType();
    SmallVector<Value> sums(end.drop_front(2));
    if (parts > 1)
      sums =
          b.reduceStrided(thread, threads, valueDepth, sums,
                          [&](Value x, Value y) { return b.reduceAdd(x, y); });
    for (auto [i, sum] : llvm::enumerate(sums)) {
      Value e = b.add(thread, b.index(i * threads));
      b.when(b.less(e, b.index(valueDepth)), [&, sum = sum] {
        Value value = b.create<arith::MulFOp>(sum, inverse);
        if (!element.isF32())
          value = b.create<arith::TruncFOp>(element, value);
        b.store(value, op.getOutput(), {batch, head, token, e});
      });
    }
  }

  SmallVector<Value> visitBlock(Value weights, Value thread, Value first,
                                Value keys, ValueRange so) {
    Value key = b.add(first, thread);
    Value value = scoreIf(b.less(key, keys), key);
    auto maximum = [&](Value x, Value y) {
      return b.create<arith::MaximumFOp>(x, y).getResult();
    };
    Value largest =
        maximum(so[0], b.reduceGroup(thread, threads, value, maximum));
    // While every key so far is masked by -inf there is nothing to subtract.
    Value infinite =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, largest, lowest());
    Value shift = b.create<arith::SelectOp>(infinite, b.f32(0), largest);
    auto exponential = [&](Value x) {
      return b.create<math::ExpOp>(b.create<arith::SubFOp>(x, shift))
          .getResult();
    };
    Value rescale = exponential(so[0]), weight = exponential(value);
    // The sum waits for every thread, and so for all of these stores.
    b.store(weight, weights, thread);
    Value sum = b.reduceGroup(thread, threads, weight, [&](Value x, Value y) {
      return b.reduceAdd(x, y);
    });
    b.barrier();
    Value count = b.minimumIndex(b.sub(keys, first), b.index(threads));

    SmallVector<Value> sums;
    for (Value part : so.drop_front(2))
      sums.push_back(b.create<arith::MulFOp>(part, rescale));
    Value part = parts > 1 ? b.floorDiv(thread, valueDepth) : b.index(0);
    auto over = b.create<scf::ForOp>(part, count, b.index(parts), sums);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(over.getBody());
      Value j = over.getInductionVar(), p = b.load(weights, j);
      SmallVector<Value> next;
      for (auto [i, partial] : llvm::enumerate(over.getRegionIterArgs())) {
        Value v =
            b.toFloat(b.load(op.getValue(), {batch, group, b.add(first, j),
                                             component(thread, i)}));
        next.push_back(b.fma(p, v, partial));
      }
      b.create<scf::YieldOp>(next);
    }
    // Until the next block's weights are stored.
    b.barrier();
    SmallVector<Value> state{
        largest,
        b.create<arith::AddFOp>(b.create<arith::MulFOp>(so[1], rescale), sum)};
    llvm::append_range(state, over.getResults());
    return state;
  }

  LaunchBuilder &b;
  AttentionOp op;
  Value heads, tokens, capacity;
  int64_t depth, valueDepth, threads;
  int64_t parts = 1; // of the keys, each with threads for all components
  Value batch, head, token, group; // of the row at hand
  SmallVector<Value> maskExtents, maskIndices;
};

} // namespace

LogicalResult bitnet::launchAttention(LaunchBuilder &b, AttentionOp op) {
  for (Value memref : {op.getQuery(), op.getValue()})
    if (cast<MemRefType>(memref.getType()).isDynamicDim(3))
      return op.emitOpError("needs static head dimensions");
  AttentionLaunch(b, op).run();
  return success();
}
