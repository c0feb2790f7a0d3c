//===- Sequential.cpp - Ops that go along an axis in order ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace bitnet::onnx;

static LogicalResult lowerCumSum(Emitter &e, CumSumOp op) {
  Value x = e.get(op.getX());
  Sizes sizes = e.sizes(x);
  int64_t rank = sizes.size();
  auto known = getConstantIntValue(e.scalar(op.getAxis()));
  auto axis = known ? normalizeAxis(*known, rank) : std::nullopt;
  if (!axis)
    return e.unsupported(op, "its axis is known at run time only");
  Type element = Emitter::element(x), wide = computeType(element);
  OpFoldResult length = sizes[*axis];
  Sizes outer = sizes;
  outer.erase(outer.begin() + *axis);
  auto body = [&](Scalars &s, ArrayRef<Value> ivs, ArrayRef<Value> carried) {
    Values at(ivs);
    at.insert(at.begin() + *axis, nullptr);
    Value count = getValueOrCreateConstantIndexOp(s.b, s.loc, length);
    auto loop = scf::ForOp::create(
        s.b, s.loc, s.index(0), count, s.index(1),
        ValueRange{carried[0], s.constant(wide, 0)},
        [&](OpBuilder &nested, Location loc, Value i, ValueRange state) {
          Scalars inner(nested, loc);
          at[*axis] = op.getReverse()
                          ? inner.sub(inner.sub(count, inner.index(1)), i)
                          : i;
          Value next =
              inner.add(state[1], inner.cast(e.extract(nested, x, at), wide));
          Value stored = op.getExclusive() ? Value(state[1]) : next;
          Value tensor = tensor::InsertOp::create(
              nested, loc, inner.cast(stored, element), state[0], at);
          scf::YieldOp::create(nested, loc, ValueRange{tensor, next});
        });
    return Values{loop.getResult(0)};
  };
  e.set(op.getY(), e.loops(outer, e.empty(sizes, element), body)[0]);
  return success();
}

namespace {
/// The order in which TopK gives elements: by value, then by index. NaN counts
/// as greater than all others.
struct TopKOrder {
  bool largest;

  Value precedes(Scalars &s, Value x, Value i, Value y, Value j) const {
    Value first = s.compare(largest ? Compare::GT : Compare::LT, x, y);
    Value tie = s.compare(Compare::EQ, x, y);
    if (isa<FloatType>(x.getType())) {
      Value nanX = s.isNaN(x), nanY = s.isNaN(y);
      Value winner = largest ? nanX : nanY, loser = largest ? nanY : nanX;
      first = s.logicalOr(first, s.logicalAnd(winner, s.logicalNot(loser)));
      tie = s.logicalOr(tie, s.logicalAnd(nanX, nanY));
    }
    Value earlier = Scalars(s.b, s.loc).compare(Compare::LT, i, j);
    return s.logicalOr(first, s.logicalAnd(tie, earlier));
  }
};
} // namespace

/// The first element in order that comes after (value, index); any is after
/// index -1. Gives its value and index.
static ValueRange findNext(Scalars &outer, Emitter &e, Value x, Values at,
                           int64_t axis, Value length, TopKOrder order,
                           Value lastValue, Value lastIndex) {
  at[axis] = outer.index(0);
  Value none = outer.index(-1);
  auto loop = scf::ForOp::create(
      outer.b, outer.loc, outer.index(0), length, outer.index(1),
      ValueRange{e.extract(outer.b, x, at), none},
      [&](OpBuilder &nested, Location loc, Value i, ValueRange best) {
        Scalars s(nested, loc, outer.isUnsigned);
        at[axis] = i;
        Value value = e.extract(nested, x, at);
        Value isFirst = s.compare(Compare::EQ, lastIndex, none);
        Value left = s.logicalOr(
            isFirst, order.precedes(s, lastValue, lastIndex, value, i));
        Value better =
            s.logicalOr(s.compare(Compare::EQ, best[1], none),
                        order.precedes(s, value, i, best[0], best[1]));
        Value take = s.logicalAnd(left, better);
        scf::YieldOp::create(nested, loc,
                             ValueRange{s.select(take, value, best[0]),
                                        s.select(take, i, best[1])});
      });
  return loop.getResults();
}

static LogicalResult lowerTopK(Emitter &e, TopKOp op) {
  Value x = e.get(op.getX());
  Sizes sizes = e.sizes(x), target = sizes;
  int64_t axis = normalizeAxis(op.getAxis(), sizes.size()).value_or(0);
  std::optional<Sizes> k = e.ints(op.getK(), 1);
  if (!k || k->size() != 1)
    return e.unsupported(op, "K is not one number");
  // More than there are cannot be given.
  if (!getConstantIntValue((*k)[0]))
    e.require(
        Scalars(e.b, e.loc)
            .compare(Compare::LE, e.asValue((*k)[0]), e.asValue(sizes[axis])));
  target[axis] = e.minSizes((*k)[0], sizes[axis]);
  auto type = cast<RankedTensorType>(op.getValues().getType());
  if (!type.isDynamicDim(axis))
    target[axis] = e.asSize(type.getDimSize(axis));
  Type element = Emitter::element(x), i64 = e.b.getI64Type();
  bool isUnsigned = Emitter::isUnsigned(op.getX());
  TopKOrder order{op.getLargest() != 0};
  Sizes outer = sizes;
  outer.erase(outer.begin() + axis);
  auto body = [&](Scalars &s, ArrayRef<Value> ivs, ArrayRef<Value> carried) {
    Values at(ivs);
    at.insert(at.begin() + axis, nullptr);
    auto size = [&](OpFoldResult n) {
      return getValueOrCreateConstantIndexOp(s.b, s.loc, n);
    };
    Value length = size(sizes[axis]);
    auto loop = scf::ForOp::create(
        s.b, s.loc, s.index(0), size(target[axis]), s.index(1),
        ValueRange{carried[0], carried[1], s.constant(element, 0), s.index(-1)},
        [&](OpBuilder &nested, Location loc, Value i, ValueRange state) {
          Scalars inner(nested, loc, isUnsigned);
          ValueRange next = findNext(inner, e, x, at, axis, length, order,
                                     state[2], state[3]);
          Values to = at;
          to[axis] = i;
          Value values =
              tensor::InsertOp::create(nested, loc, next[0], state[0], to);
          Value index = inner.cast(next[1], i64, false, false);
          Value indices =
              tensor::InsertOp::create(nested, loc, index, state[1], to);
          scf::YieldOp::create(nested, loc,
                               ValueRange{values, indices, next[0], next[1]});
        });
    return Values{loop.getResult(0), loop.getResult(1)};
  };
  Values results =
      e.loops(outer, {e.empty(target, element), e.empty(target, i64)}, body);
  e.set(op.getValues(), results[0]);
  e.set(op.getIndices(), results[1]);
  return success();
}

void bitnet::onnx::addSequentialLowerings(LoweringTable &table) {
  table.add(lowerCumSum);
  table.add(lowerTopK);
}
