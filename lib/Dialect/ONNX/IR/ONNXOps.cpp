//===- ONNXOps.cpp - Ops of the onnx dialect --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace bitnet::onnx;

#include "bitnet/Dialect/ONNX/IR/ONNXInterfaces.cpp.inc"

#define GET_OP_CLASSES
#include "bitnet/Dialect/ONNX/IR/ONNXOps.cpp.inc"

std::optional<int64_t> bitnet::onnx::normalizeAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return std::nullopt;
  return axis < 0 ? axis + rank : axis;
}

std::optional<SmallVector<int64_t>> bitnet::onnx::getConstantInts(Value value) {
  ElementsAttr attr;
  if (!matchPattern(value, m_Constant(&attr)) ||
      !isa<IntegerType>(attr.getElementType()))
    return std::nullopt;
  auto view = ElementsView<int64_t>::get(attr);
  if (!view)
    return std::nullopt;
  return llvm::to_vector(view->values());
}

std::optional<SmallVector<int64_t>>
bitnet::onnx::getReductionAxes(Value axes, bool noop, int64_t rank) {
  SmallVector<int64_t> result;
  if (!isAbsent(axes)) {
    std::optional<SmallVector<int64_t>> values = getConstantInts(axes);
    if (!values)
      return std::nullopt;
    for (int64_t axis : *values) {
      std::optional<int64_t> normal = normalizeAxis(axis, rank);
      if (!normal)
        return std::nullopt;
      result.push_back(*normal);
    }
  }
  if (result.empty() && !noop)
    llvm::append_range(result, llvm::seq<int64_t>(0, rank));
  llvm::sort(result);
  result.erase(llvm::unique(result), result.end());
  return result;
}
