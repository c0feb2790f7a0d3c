//===- Tensor.cpp - Values of constants while they are folded --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"
#include "llvm/ADT/APFloat.h"

using namespace mlir;

namespace bitnet::onnx {

template <typename T>
std::optional<Tensor> Tensor::read(ElementsAttr constant) {
  auto view = ElementsView<T>::get(constant);
  if (!view)
    return std::nullopt;
  Tensor tensor;
  tensor.type = cast<RankedTensorType>(constant.getShapedType());
  Data<T> data;
  data.values = view->values();
  data.view = std::move(view);
  tensor.storage = std::move(data);
  return tensor;
}

std::optional<Tensor> Tensor::get(ElementsAttr constant) {
  if (!isa<RankedTensorType>(constant.getShapedType()))
    return std::nullopt;
  Type element = constant.getElementType();
  if (element.isF64())
    return read<double>(constant);
  return isa<FloatType>(element) ? read<float>(constant)
                                 : read<int64_t>(constant);
}

template <typename T> void Tensor::allocate() {
  Data<T> data;
  data.owned = std::make_shared<std::vector<T>>(type.getNumElements());
  data.values = *data.owned;
  storage = std::move(data);
}

Tensor::Tensor(RankedTensorType type) : type(type) {
  if (getElementType().isF64())
    allocate<double>();
  else if (isa<FloatType>(getElementType()))
    allocate<float>();
  else
    allocate<int64_t>();
}

void Tensor::conform() {
  Type element = getElementType();
  if (auto *floats = std::get_if<Data<float>>(&storage)) {
    if (element.isF32())
      return;
    const llvm::fltSemantics &semantics =
        cast<FloatType>(element).getFloatSemantics();
    for (float &value : *floats->owned) {
      APFloat number(value);
      bool losesInfo;
      number.convert(semantics, APFloat::rmNearestTiesToEven, &losesInfo);
      value = static_cast<float>(number.convertToDouble());
    }
  } else if (auto *ints = std::get_if<Data<int64_t>>(&storage)) {
    unsigned width = element.getIntOrFloatBitWidth();
    if (width >= 64)
      return;
    bool isUnsigned = element.isUnsignedInteger() || width == 1;
    for (int64_t &value : *ints->owned) {
      uint64_t high = static_cast<uint64_t>(value) << (64 - width);
      value = isUnsigned ? static_cast<int64_t>(high >> (64 - width))
                         : static_cast<int64_t>(high) >> (64 - width);
    }
  }
}

Tensor Tensor::withShape(ArrayRef<int64_t> shape) const {
  Tensor result = *this;
  result.type = RankedTensorType::get(shape, getElementType());
  return result;
}

std::optional<ArrayRef<int64_t>> Tensor::getInts() const {
  if (auto *ints = std::get_if<Data<int64_t>>(&storage))
    return ints->values;
  return std::nullopt;
}

ElementsAttr Tensor::getConstant(StringRef name) const {
  return visit([&](auto values) { return makeElements(type, values, name); });
}

} // namespace bitnet::onnx
