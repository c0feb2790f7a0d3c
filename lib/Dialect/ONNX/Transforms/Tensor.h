//===- Tensor.h - Values of constants while they are folded --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_DIALECT_ONNX_TRANSFORMS_TENSOR_H
#define BITNET_LIB_DIALECT_ONNX_TRANSFORMS_TENSOR_H

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include <variant>

namespace bitnet::onnx {

/// A tensor of a static type. Elements are held as float (float32 and
/// narrower), double, or int64_t (integers and booleans); results are rounded
/// or wrapped to the element type. Copies share their elements.
class Tensor {
public:
  /// Nothing for constants without data.
  static std::optional<Tensor> get(mlir::ElementsAttr constant);

  /// Uninitialised elements: fill `mutableValues`, then `conform`.
  explicit Tensor(mlir::RankedTensorType type);

  mlir::RankedTensorType getType() const { return type; }
  mlir::Type getElementType() const { return type.getElementType(); }
  llvm::ArrayRef<int64_t> getShape() const { return type.getShape(); }
  int64_t getRank() const { return type.getRank(); }
  int64_t getNumElements() const { return type.getNumElements(); }

  /// Calls `action` with the elements, an ArrayRef of the type held.
  template <typename Action> auto visit(Action &&action) const {
    return std::visit([&](const auto &data) { return action(data.values); },
                      storage);
  }

  template <typename T> llvm::ArrayRef<T> values() const {
    return std::get<Data<T>>(storage).values;
  }
  template <typename T> llvm::MutableArrayRef<T> mutableValues() {
    return *std::get<Data<T>>(storage).owned;
  }

  /// Rounds or wraps elements to the element type.
  void conform();

  /// The same elements in another shape of as many.
  Tensor withShape(llvm::ArrayRef<int64_t> shape) const;

  /// The elements as integers; nothing for floats.
  std::optional<llvm::ArrayRef<int64_t>> getInts() const;

  mlir::ElementsAttr getConstant(llvm::StringRef name) const;

private:
  template <typename T> struct Data {
    llvm::ArrayRef<T> values;
    std::shared_ptr<std::vector<T>> owned;
    /// Keeps a constant's elements, if it had to be converted.
    std::optional<ElementsView<T>> view;
  };
  Tensor() = default;
  template <typename T>
  static std::optional<Tensor> read(mlir::ElementsAttr constant);
  template <typename T> void allocate();

  mlir::RankedTensorType type;
  std::variant<Data<float>, Data<double>, Data<int64_t>> storage;
};

} // namespace bitnet::onnx

#endif // BITNET_LIB_DIALECT_ONNX_TRANSFORMS_TENSOR_H
