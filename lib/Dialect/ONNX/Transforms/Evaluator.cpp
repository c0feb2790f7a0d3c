//===- Evaluator.cpp - Ops evaluated on constants --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Evaluator.h"
#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;

namespace bitnet::onnx {

Type Invocation::getElementType(unsigned result) const {
  return cast<RankedTensorType>(op->getResult(result).getType())
      .getElementType();
}

int64_t Invocation::getInt(StringRef name, int64_t otherwise) const {
  auto attr = op->getAttrOfType<IntegerAttr>(name);
  return attr ? attr.getInt() : otherwise;
}

Tensor Invocation::makeResult(ArrayRef<int64_t> shape, unsigned result) const {
  return Tensor(RankedTensorType::get(shape, getElementType(result)));
}

SmallVector<int64_t> getStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (int64_t i = shape.size() - 1; i >= 0; --i) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

std::optional<SmallVector<int64_t>>
getBroadcastStrides(ArrayRef<int64_t> shape, ArrayRef<int64_t> result) {
  if (shape.size() > result.size())
    return std::nullopt;
  size_t lead = result.size() - shape.size();
  SmallVector<int64_t> strides(result.size(), 0), own = getStrides(shape);
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == result[i + lead])
      strides[i + lead] = shape[i] == 1 ? 0 : own[i];
    else if (shape[i] != 1)
      return std::nullopt;
  }
  return strides;
}

std::optional<SmallVector<int64_t>>
getBroadcastShape(ArrayRef<ArrayRef<int64_t>> shapes) {
  SmallVector<int64_t> result;
  for (ArrayRef<int64_t> shape : shapes) {
    if (shape.size() > result.size())
      result.insert(result.begin(), shape.size() - result.size(), 1);
    size_t lead = result.size() - shape.size();
    for (size_t i = 0; i < shape.size(); ++i) {
      int64_t &extent = result[i + lead];
      if (extent == 1)
        extent = shape[i];
      else if (shape[i] != 1 && shape[i] != extent)
        return std::nullopt;
    }
  }
  return result;
}

} // namespace bitnet::onnx
