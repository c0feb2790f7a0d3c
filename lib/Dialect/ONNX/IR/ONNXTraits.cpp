//===- ONNXTraits.cpp - Verifiers of what onnx ops have in common --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/ONNX/IR/ONNXTraits.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"

using namespace mlir;
using namespace bitnet::onnx;

/// The type of the first operand, or null where the op has none.
static RankedTensorType getFirstOperandType(Operation *op) {
  if (op->getNumOperands() == 0)
    return {};
  return dyn_cast<RankedTensorType>(op->getOperand(0).getType());
}

static int64_t getIntOr(Operation *op, StringRef name, int64_t otherwise) {
  auto attr = op->getAttrOfType<IntegerAttr>(name);
  return attr ? attr.getInt() : otherwise;
}

LogicalResult
bitnet::onnx::OpTrait::impl::verifySameOperandElements(Operation *op) {
  RankedTensorType first = getFirstOperandType(op);
  if (!first)
    return op->emitOpError("expects at least one tensor");
  for (Value operand : op->getOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (type && type.getElementType() != first.getElementType())
      return op->emitOpError(
                 "expects inputs of one element type, but they are ")
             << first.getElementType() << " and " << type.getElementType();
  }
  return success();
}

LogicalResult bitnet::onnx::OpTrait::impl::verifyAxisInRange(Operation *op) {
  RankedTensorType first = getFirstOperandType(op);
  if (!first)
    return op->emitOpError("expects at least one tensor");
  // Ops with no such attribute set have a default in range of any rank but 0.
  auto axis = op->getAttrOfType<IntegerAttr>("axis");
  if (axis && !normalizeAxis(axis.getInt(), first.getRank()))
    return op->emitOpError("axis ")
           << axis.getInt() << " is out of range for rank " << first.getRank();
  if (!axis && first.getRank() == 0)
    return op->emitOpError("expects an input of rank 1 or more");
  return success();
}

LogicalResult bitnet::onnx::OpTrait::impl::verifyReduction(Operation *op) {
  RankedTensorType data = getFirstOperandType(op);
  auto result = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  Value axes = op->getOperand(1);
  if (data.getElementType() != result.getElementType())
    return op->emitOpError("result has element type ")
           << result.getElementType() << ", expected " << data.getElementType();
  std::optional<SmallVector<int64_t>> constant;
  bool noop = getIntOr(op, "noop_with_empty_axes", 0) != 0;
  if (!isAbsent(axes)) {
    constant = getConstantInts(axes);
    if (!constant)
      return success();
    for (int64_t axis : *constant)
      if (!normalizeAxis(axis, data.getRank()))
        return op->emitOpError("axis ")
               << axis << " is out of range for rank " << data.getRank();
  }
  std::optional<SmallVector<int64_t>> reduced =
      getReductionAxes(axes, noop, data.getRank());
  bool keep = getIntOr(op, "keepdims", 1) != 0;
  int64_t rank = keep ? data.getRank() : data.getRank() - reduced->size();
  if (result.getRank() != rank)
    return op->emitOpError("result has rank ")
           << result.getRank() << ", expected " << rank;
  return success();
}

LogicalResult bitnet::onnx::OpTrait::impl::verifyKeepsElements(Operation *op) {
  RankedTensorType first = getFirstOperandType(op);
  auto result = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (first && result && first.getElementType() != result.getElementType())
    return op->emitOpError("result has element type ")
           << result.getElementType() << ", expected "
           << first.getElementType();
  return success();
}

LogicalResult
bitnet::onnx::OpTrait::impl::verifySameShapeAsFirst(Operation *op) {
  RankedTensorType first = getFirstOperandType(op);
  auto result = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (first && result && failed(verifyCompatibleShape(first, result)))
    return op->emitOpError(
        "result's shape differs from that of the first input");
  return success();
}

LogicalResult bitnet::onnx::OpTrait::impl::verifyWindow(Operation *op) {
  RankedTensorType first = getFirstOperandType(op);
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  if (first.getRank() < 3 || result.getRank() != first.getRank())
    return op->emitOpError("expects input and result of one rank, 3 or more");
  size_t spatial = first.getRank() - 2;
  auto check = [&](StringRef name, size_t length,
                   int64_t least) -> LogicalResult {
    auto values = op->getAttrOfType<DenseI64ArrayAttr>(name);
    if (!values)
      return success();
    if (values.size() != static_cast<int64_t>(length) ||
        llvm::any_of(values.asArrayRef(), [&](int64_t v) { return v < least; }))
      return op->emitOpError() << name << " expects " << length
                               << " values of at least " << least;
    return success();
  };
  if (failed(check("kernel_shape", spatial, 1)) ||
      failed(check("strides", spatial, 1)) ||
      failed(check("dilations", spatial, 1)) ||
      failed(check("pads", 2 * spatial, 0)))
    return failure();
  return success();
}
