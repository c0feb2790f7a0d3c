//===- Scatters.cpp - Writing by indices ----------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace bitnet::onnx;

/// How an update meets what is there.
static Value combineUpdate(Scalars &s, StringRef reduction, Value old,
                           Value update) {
  Type type = old.getType();
  if (reduction == "none")
    return update;
  Value x = s.cast(old, computeType(type));
  Value y = s.cast(update, computeType(type));
  Value result = reduction == "add"   ? s.add(x, y)
                 : reduction == "mul" ? s.mul(x, y)
                 : reduction == "max" ? s.max(x, y)
                                      : s.min(x, y);
  return s.cast(result, type);
}

/// One update after another over `bounds`: later ones win, as in the standard's
/// reference. `locate` gives the position in the data.
static Value scatter(Emitter &e, Value data, Value updates,
                     ArrayRef<OpFoldResult> bounds, StringRef reduction,
                     bool isUnsigned,
                     function_ref<Values(Scalars &, ArrayRef<Value>)> locate) {
  Sizes sizes = e.sizes(data);
  Values result =
      e.loops(bounds, data,
              [&](Scalars &s, ArrayRef<Value> ivs, ArrayRef<Value> carried) {
                s.isUnsigned = false;
                Values positions = locate(s, ivs);
                Value update = e.extract(s.b, updates, ivs);
                Value old = e.extract(s.b, carried[0], positions);
                s.isUnsigned = isUnsigned;
                Value value = combineUpdate(s, reduction, old, update);
                return Values{tensor::InsertOp::create(s.b, s.loc, value,
                                                       carried[0], positions)};
              });
  return result[0];
}

static LogicalResult lowerScatterElements(Emitter &e, ScatterElementsOp op) {
  Value data = e.get(op.getData()), indices = e.get(op.getIndices());
  Value updates = e.get(op.getUpdates());
  Sizes from = e.sizes(data), bounds = e.sizes(indices);
  int64_t axis = normalizeAxis(op.getAxis(), from.size()).value_or(0);
  e.requireIndices(indices, from[axis]);
  auto locate = [&](Scalars &s, ArrayRef<Value> ivs) {
    Values positions(ivs);
    for (auto [dim, position] : llvm::enumerate(positions)) {
      Value size = getValueOrCreateConstantIndexOp(s.b, s.loc, from[dim]);
      if (static_cast<int64_t>(dim) == axis)
        position = wrapIndex(s, s.toIndex(e.extract(s.b, indices, ivs)), size);
      else if (!Emitter::areEqual(from[dim], bounds[dim]))
        position = wrapIndex(s, position, size);
    }
    return positions;
  };
  e.set(op.getOutput(), scatter(e, data, updates, bounds, op.getReduction(),
                                Emitter::isUnsigned(op.getData()), locate));
  return success();
}

static LogicalResult lowerScatterND(Emitter &e, ScatterNDOp op) {
  Value data = e.get(op.getData()), indices = e.get(op.getIndices());
  Value updates = e.get(op.getUpdates());
  Sizes from = e.sizes(data), tuples = e.sizes(indices);
  std::optional<int64_t> length = getConstantIntValue(tuples.pop_back_val());
  if (!length || *length > static_cast<int64_t>(from.size()))
    return e.unsupported(op, "the length of its index tuples is not known");
  e.requireIndices(indices, ArrayRef(from).take_front(*length));
  int64_t outer = tuples.size();
  Sizes bounds = tuples;
  bounds.append(from.begin() + *length, from.end());
  auto locate = [&](Scalars &s, ArrayRef<Value> ivs) {
    Values tuple(ivs.begin(), ivs.begin() + outer), positions;
    tuple.push_back(nullptr);
    for (int64_t i = 0; i < *length; ++i) {
      tuple.back() = s.index(i);
      Value index = s.toIndex(e.extract(s.b, indices, tuple));
      Value size = getValueOrCreateConstantIndexOp(s.b, s.loc, from[i]);
      positions.push_back(wrapIndex(s, index, size));
    }
    positions.append(ivs.begin() + outer, ivs.end());
    return positions;
  };
  e.set(op.getOutput(), scatter(e, data, updates, bounds, op.getReduction(),
                                Emitter::isUnsigned(op.getData()), locate));
  return success();
}

void bitnet::onnx::addScatterLowerings(LoweringTable &table) {
  table.add(lowerScatterElements);
  table.add(lowerScatterND);
}
