//===- ElementsData.h - Elements of constants, read and made --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A constant is a DenseElementsAttr or, if large, a DenseResourceElementsAttr
// (see the onnx dialect's description for how its blob lies). These helpers
// read both and choose between them.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_IR_ELEMENTSDATA_H
#define BITNET_DIALECT_ONNX_IR_ELEMENTSDATA_H

#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"
#include <memory>
#include <optional>
#include <vector>

namespace bitnet::onnx {

/// Constants of more bytes than this are resources.
inline constexpr int64_t kMaxInlineBytes = 64 * 1024;

/// The bits that an element takes in a resource's blob: 8 for i1.
unsigned getStorageBitWidth(mlir::Type elementType);

/// The bytes of a whole blob of `type`.
int64_t getStorageBytes(mlir::ShapedType type);

/// The elements of a constant, converted to T: float, double or int64_t.
/// Borrows the constant's own memory where that holds T already.
template <typename T> class ElementsView {
public:
  /// Nothing if there is no attribute, or one without data or of elements that
  /// are no numbers.
  static std::optional<ElementsView> get(mlir::ElementsAttr attr);

  llvm::ArrayRef<T> values() const { return view; }

private:
  llvm::ArrayRef<T> view;
  std::shared_ptr<std::vector<T>> owned;
};

/// A constant of `type` over the bytes of `blob`, laid out as a resource's are.
/// Small ones are copied into a DenseElementsAttr. `name` hints at a resource's
/// key. Null if the blob is shorter than the type says.
mlir::ElementsAttr makeElements(mlir::RankedTensorType type,
                                mlir::AsmResourceBlob blob,
                                llvm::StringRef name);

/// A constant of `type` with these values, rounded to its element type.
template <typename T>
mlir::ElementsAttr makeElements(mlir::RankedTensorType type,
                                llvm::ArrayRef<T> values, llvm::StringRef name);

} // namespace bitnet::onnx

#endif // BITNET_DIALECT_ONNX_IR_ELEMENTSDATA_H
