//===- Gathers.cpp - Reading by indices -----------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace bitnet::onnx;

static Value sizeIn(Scalars &s, OpFoldResult size) {
  return getValueOrCreateConstantIndexOp(s.b, s.loc, size);
}

/// Gather by one index: a slice without its dimension.
static Value gatherOne(Emitter &e, Value data, Value index, int64_t axis) {
  Scalars s(e.b, e.loc);
  Value offset = wrapIndex(s, s.toIndex(index), e.size(data, axis));
  Value part = e.sliceAxis(data, axis, e.asSize(offset), e.asSize(1));
  return e.dropUnits(part, axis);
}

static LogicalResult lowerGather(Emitter &e, GatherOp op) {
  Value data = e.get(op.getData()), indices = e.get(op.getIndices());
  int64_t rank = Emitter::rank(data), indexRank = Emitter::rank(indices);
  int64_t axis = normalizeAxis(op.getAxis(), rank).value_or(0);
  std::optional<Values> list = e.scalars(op.getIndices());
  if (list && rank == 1 && indexRank <= 1) {
    // Known positions of known elements.
    std::optional<Values> from = e.scalars(op.getData());
    Values elements;
    for (Value index : from ? *list : Values()) {
      auto known = getConstantIntValue(index);
      auto valid = known ? normalizeAxis(*known, from->size()) : std::nullopt;
      if (!valid)
        break;
      elements.push_back((*from)[*valid]);
    }
    if (from && elements.size() == list->size()) {
      e.setScalars(op.getOutput(), elements);
      return success();
    }
  }
  e.requireIndices(indices, e.sizes(data)[axis]);
  if (list && list->size() == 1 && indexRank == 0) {
    e.set(op.getOutput(), gatherOne(e, data, list->front(), axis));
    return success();
  }
  Sizes from = e.sizes(data), target(ArrayRef(from).take_front(axis));
  llvm::append_range(target, e.sizes(indices));
  target.append(from.begin() + axis + 1, from.end());
  SmallVector<AffineExpr> exprs;
  for (int64_t dim = 0; dim < indexRank; ++dim)
    exprs.push_back(e.b.getAffineDimExpr(axis + dim));
  AffineMap map = AffineMap::get(target.size(), 0, exprs, e.b.getContext());
  auto body = [&](Scalars &s, ArrayRef<Value> x) {
    Values positions;
    for (int64_t dim = 0; dim < axis; ++dim)
      positions.push_back(s.position(dim));
    positions.push_back(wrapIndex(s, s.toIndex(x[0]), sizeIn(s, from[axis])));
    for (int64_t dim = axis + 1; dim < rank; ++dim)
      positions.push_back(s.position(dim + indexRank - 1));
    return e.extract(s.b, data, positions);
  };
  e.set(op.getOutput(),
        e.generate(target, Emitter::element(data), indices, map, body));
  return success();
}

static LogicalResult lowerGatherElements(Emitter &e, GatherElementsOp op) {
  Value data = e.get(op.getData()), indices = e.get(op.getIndices());
  int64_t rank = Emitter::rank(data);
  int64_t axis = normalizeAxis(op.getAxis(), rank).value_or(0);
  Sizes from = e.sizes(data), target = e.sizes(indices);
  e.requireIndices(indices, from[axis]);
  auto body = [&](Scalars &s, ArrayRef<Value> x) {
    Values positions;
    for (int64_t dim = 0; dim < rank; ++dim) {
      Value size = sizeIn(s, from[dim]);
      // Other dimensions of indices are at most the data's.
      positions.push_back(dim == axis ? wrapIndex(s, s.toIndex(x[0]), size)
                          : Emitter::areEqual(from[dim], target[dim])
                              ? s.position(dim)
                              : wrapIndex(s, s.position(dim), size));
    }
    return e.extract(s.b, data, positions);
  };
  e.set(op.getOutput(), e.generate(target, Emitter::element(data), indices,
                                   e.b.getMultiDimIdentityMap(rank), body));
  return success();
}

static LogicalResult lowerGatherND(Emitter &e, GatherNDOp op) {
  Value data = e.get(op.getData()), indices = e.get(op.getIndices());
  Sizes from = e.sizes(data), tuples = e.sizes(indices);
  int64_t rank = from.size(), batch = op.getBatchDims();
  std::optional<int64_t> length = getConstantIntValue(tuples.pop_back_val());
  if (!length || batch + *length > rank)
    return e.unsupported(op, "the length of its index tuples is not known");
  e.requireIndices(indices, ArrayRef(from).slice(batch, *length));
  int64_t outer = tuples.size();
  Sizes target = tuples;
  target.append(from.begin() + batch + *length, from.end());
  auto body = [&](Scalars &s, Values &at) {
    Values tuple(at.begin(), at.begin() + outer);
    Values positions(at.begin(), at.begin() + batch);
    for (auto [dim, position] : llvm::enumerate(positions))
      if (!Emitter::areEqual(from[dim], tuples[dim]))
        position = wrapIndex(s, position, sizeIn(s, from[dim]));
    tuple.push_back(nullptr);
    for (int64_t i = 0; i < *length; ++i) {
      tuple.back() = s.index(i);
      Value index = s.toIndex(e.extract(s.b, indices, tuple));
      positions.push_back(wrapIndex(s, index, sizeIn(s, from[batch + i])));
    }
    positions.append(at.begin() + outer, at.end());
    return e.extract(s.b, data, positions);
  };
  e.set(op.getOutput(), e.generate(target, Emitter::element(data), body));
  return success();
}

void bitnet::onnx::addGatherLowerings(LoweringTable &table) {
  table.add(lowerGather);
  table.add(lowerGatherElements);
  table.add(lowerGatherND);
}
