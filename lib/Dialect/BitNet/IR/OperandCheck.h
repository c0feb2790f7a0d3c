//===- OperandCheck.h - What an op's operands must be -----------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_DIALECT_BITNET_IR_OPERANDCHECK_H
#define BITNET_LIB_DIALECT_BITNET_IR_OPERANDCHECK_H

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "llvm/ADT/STLExtras.h"

namespace bitnet {

/// Says what an op's shaped operand must be; the first violation is reported.
class OperandCheck {
public:
  OperandCheck(mlir::Operation *op, llvm::StringRef name, mlir::Value value)
      : op(op), name(name),
        type(llvm::cast<mlir::ShapedType>(value.getType())) {}

  int64_t extent(unsigned index) const { return type.getDimSize(index); }
  int64_t rank() const { return type.getRank(); }
  mlir::Type element() const { return type.getElementType(); }

  mlir::InFlightDiagnostic error() const {
    return op->emitOpError()
           << "operand '" << name << "' of type " << type << ' ';
  }

  mlir::LogicalResult hasRank(int64_t expected) const {
    if (rank() != expected)
      return error() << "must have rank " << expected;
    return mlir::success();
  }

  mlir::LogicalResult isF32() const {
    if (!element().isF32())
      return error() << "must have elements of type f32";
    return mlir::success();
  }

  /// What a KV cache may hold.
  mlir::LogicalResult isCacheable() const {
    if (!element().isF32() && !element().isF16() && !element().isBF16())
      return error() << "must have elements of type f32, f16 or bf16";
    return mlir::success();
  }

  mlir::LogicalResult isInteger(unsigned width) const {
    if (!element().isSignlessInteger(width))
      return error() << "must have elements of type i" << width;
    return mlir::success();
  }

  /// Whether an extent is the wanted one, or 1 where it may broadcast. Dynamic
  /// extents agree with every other.
  mlir::LogicalResult hasExtent(unsigned index, int64_t expected,
                                bool broadcasts = false) const {
    int64_t actual = extent(index);
    if (actual == expected || mlir::ShapedType::isDynamic(actual) ||
        mlir::ShapedType::isDynamic(expected) || (broadcasts && actual == 1))
      return mlir::success();
    mlir::InFlightDiagnostic diagnostic = error();
    diagnostic << "must have extent " << expected;
    if (broadcasts && expected != 1)
      diagnostic << " or 1";
    return diagnostic << " in dimension " << index;
  }

  mlir::LogicalResult hasShape(llvm::ArrayRef<int64_t> expected) const {
    if (mlir::failed(hasRank(expected.size())))
      return mlir::failure();
    for (auto [index, extent] : llvm::enumerate(expected))
      if (mlir::failed(hasExtent(index, extent)))
        return mlir::failure();
    return mlir::success();
  }

  /// A vector of `expected` elements, or of one.
  mlir::LogicalResult isVector(int64_t expected, bool broadcasts) const {
    return mlir::success(mlir::succeeded(isF32()) &&
                         mlir::succeeded(hasRank(1)) &&
                         mlir::succeeded(hasExtent(0, expected, broadcasts)));
  }

private:
  mlir::Operation *op;
  llvm::StringRef name;
  mlir::ShapedType type;
};

/// Either all shaped operands are tensors, with a result for each init, or all
/// are memrefs, without results.
inline mlir::LogicalResult
verifySemantics(mlir::DestinationStyleOpInterface op) {
  bool tensors = false, memrefs = false;
  for (mlir::Value operand : op->getOperands()) {
    tensors |= llvm::isa<mlir::RankedTensorType>(operand.getType());
    memrefs |= llvm::isa<mlir::MemRefType>(operand.getType());
  }
  if (tensors && memrefs)
    return op->emitOpError("mixes tensors and memrefs");
  return mlir::success();
}

inline mlir::LogicalResult verifyFiniteNonNegative(mlir::Operation *op,
                                                   llvm::StringRef name,
                                                   const llvm::APFloat &value) {
  if (!value.isFinite() || value.isNegative())
    return op->emitOpError()
           << "attribute '" << name << "' must be finite and not negative";
  return mlir::success();
}

inline mlir::LogicalResult
all(std::initializer_list<mlir::LogicalResult> results) {
  return mlir::success(llvm::all_of(results, [](mlir::LogicalResult result) {
    return mlir::succeeded(result);
  }));
}

} // namespace bitnet

#endif // BITNET_LIB_DIALECT_BITNET_IR_OPERANDCHECK_H
