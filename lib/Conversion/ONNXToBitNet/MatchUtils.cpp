//===- MatchUtils.cpp - Matching constants, building views ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchUtils.h"

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace bitnet {

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

ElementsAttr getConstant(Value value) {
  ElementsAttr attr;
  if (value && isa<RankedTensorType>(value.getType()))
    matchPattern(value, m_Constant(&attr));
  return attr;
}

std::optional<double> getScalar(Value value) {
  ElementsAttr attr = getConstant(value);
  if (!attr || attr.getNumElements() != 1)
    return std::nullopt;
  auto view = onnx::ElementsView<double>::get(attr);
  if (!view)
    return std::nullopt;
  return view->values().front();
}

bool isScalar(Value value, double expected) {
  std::optional<double> scalar = getScalar(value);
  return scalar && *scalar == expected;
}

std::optional<SmallVector<double>> getLastDimVector(Value value, int64_t extent,
                                                    int64_t inner) {
  ElementsAttr attr = getConstant(value);
  if (!attr)
    return std::nullopt;
  auto type = cast<RankedTensorType>(attr.getType());
  int64_t count = type.getNumElements(), last = type.getRank() - 1 - inner;
  bool isVector =
      count == extent && last >= 0 && type.getDimSize(last) == extent;
  if (count != 1 && !isVector)
    return std::nullopt;
  auto view = onnx::ElementsView<double>::get(attr);
  if (!view)
    return std::nullopt;
  return SmallVector<double>(view->values());
}

Value makeVector(OpBuilder &builder, Location loc, ArrayRef<double> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                    builder.getF32Type());
  SmallVector<float> floats(values.begin(), values.end());
  return arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(type, ArrayRef<float>(floats)));
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

bool isF32Tensor(Value value, int64_t rank) {
  RankedTensorType type = getTensorType(value);
  return type && type.getElementType().isF32() &&
         (rank ? type.getRank() == rank : type.getRank() >= 2);
}

//===----------------------------------------------------------------------===//
// Views and destinations
//===----------------------------------------------------------------------===//

/// [[0, ..., rank - 2], [rank - 1]]
static SmallVector<ReassociationIndices> getRowReassociation(int64_t rank) {
  SmallVector<ReassociationIndices> groups(2);
  for (int64_t i = 0; i < rank - 1; ++i)
    groups[0].push_back(i);
  groups[1].push_back(rank - 1);
  return groups;
}

Value lookThroughExpandedRows(Value value) {
  auto expand = value.getDefiningOp<tensor::ExpandShapeOp>();
  if (!expand || expand.getSrcType().getRank() != 2 ||
      expand.getReassociationIndices() !=
          getRowReassociation(expand.getResultType().getRank()))
    return value;
  return expand.getSrc();
}

Value lookThroughCollapsedRows(Value value) {
  auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>();
  if (!collapse || collapse.getResultType().getRank() != 2 ||
      collapse.getReassociationIndices() !=
          getRowReassociation(collapse.getSrcType().getRank()))
    return value;
  return collapse.getSrc();
}

Value collapseRows(OpBuilder &builder, Location loc, Value value) {
  RankedTensorType type = getTensorType(value);
  if (type.getRank() == 2)
    return value;
  Value rows = lookThroughExpandedRows(value);
  if (rows != value)
    return rows;
  return tensor::CollapseShapeOp::create(builder, loc, value,
                                         getRowReassociation(type.getRank()));
}

Value expandRows(OpBuilder &builder, Location loc, Value rows, Value like,
                 RankedTensorType type) {
  if (type.getRank() == 2)
    return castTo(builder, loc, rows, type);
  SmallVector<OpFoldResult> extents;
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < type.getRank() - 1; ++i) {
    extents.push_back(tensor::getMixedSize(builder, loc, like, i));
    shape.push_back(getTensorType(like).getDimSize(i));
  }
  extents.push_back(tensor::getMixedSize(builder, loc, rows, 1));
  shape.push_back(getTensorType(rows).getDimSize(1));
  auto expanded = RankedTensorType::get(shape, type.getElementType());
  Value result = tensor::ExpandShapeOp::create(
      builder, loc, expanded, rows, getRowReassociation(type.getRank()),
      extents);
  return castTo(builder, loc, result, type);
}

Value makeEmpty(OpBuilder &builder, Location loc,
                ArrayRef<OpFoldResult> extents, Type element) {
  return tensor::EmptyOp::create(builder, loc, extents, element);
}

Value makeEmptyLike(OpBuilder &builder, Location loc, Value like) {
  return makeEmpty(builder, loc, tensor::getMixedSizes(builder, loc, like),
                   getTensorType(like).getElementType());
}

void moveDims(Value from, Value to) {
  if (from == to)
    return;
  from.replaceUsesWithIf(
      to, [](OpOperand &use) { return isa<tensor::DimOp>(use.getOwner()); });
}

void eraseDead(Operation *op) {
  SetVector<Operation *> worklist;
  worklist.insert(op);
  while (!worklist.empty()) {
    Operation *dead = worklist.pop_back_val();
    if (!isOpTriviallyDead(dead))
      continue;
    for (Value operand : dead->getOperands())
      if (Operation *producer = operand.getDefiningOp())
        worklist.insert(producer);
    worklist.remove(dead);
    dead->erase();
  }
}

Value castTo(OpBuilder &builder, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  return tensor::CastOp::create(builder, loc, type, value);
}

} // namespace bitnet
