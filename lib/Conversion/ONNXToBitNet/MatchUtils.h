//===- MatchUtils.h - Matching constants, building views --------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_ONNXTOBITNET_MATCHUTILS_H
#define BITNET_LIB_CONVERSION_ONNXTOBITNET_MATCHUTILS_H

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"

#include "mlir/IR/Builders.h"

#include <optional>

namespace bitnet {

/// How far analyses follow a value. Chains in real graphs are shorter; this
/// only stops pathological recursion.
inline constexpr int kMaxChain = 16;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// The attribute of a constant; null for other values.
mlir::ElementsAttr getConstant(mlir::Value value);

/// The one element of a constant, whatever its rank.
std::optional<double> getScalar(mlir::Value value);

/// Whether a value is a constant with one element, `expected`.
bool isScalar(mlir::Value value, double expected);

/// A constant that varies along the last dimension only, or along the one that
/// `inner` others follow: its one element, or its `extent` elements with every
/// other dimension being 1.
std::optional<llvm::SmallVector<double>>
getLastDimVector(mlir::Value value, int64_t extent, int64_t inner = 0);

/// An f32 constant of shape [values.size()].
mlir::Value makeVector(mlir::OpBuilder &builder, mlir::Location loc,
                       llvm::ArrayRef<double> values);

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

inline mlir::RankedTensorType getTensorType(mlir::Value value) {
  return mlir::dyn_cast<mlir::RankedTensorType>(value.getType());
}

/// An f32 tensor of that rank, or of any rank from 2 where it is 0.
bool isF32Tensor(mlir::Value value, int64_t rank = 0);

//===----------------------------------------------------------------------===//
// Views and destinations
//===----------------------------------------------------------------------===//

/// `[..., D]` as `[M, D]`.
mlir::Value collapseRows(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value value);

/// `[M, N]` as `[..., N]`, of `type`; leading extents are those of `like`.
mlir::Value expandRows(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value rows, mlir::Value like,
                       mlir::RankedTensorType type);

/// Sees `[..., N]` as the `[M, N]` that expandRows made it of.
mlir::Value lookThroughExpandedRows(mlir::Value value);

/// Sees `[M, D]` as the `[..., D]` that collapseRows made it of.
mlir::Value lookThroughCollapsedRows(mlir::Value value);

/// An uninitialised tensor of these extents.
mlir::Value makeEmpty(mlir::OpBuilder &builder, mlir::Location loc,
                      llvm::ArrayRef<mlir::OpFoldResult> extents,
                      mlir::Type element);

/// An uninitialised tensor of the shape of `like`.
mlir::Value makeEmptyLike(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value like);

/// Makes `tensor.dim` of one value that of another of the same shape, so that
/// nothing but its shape keeps a value alive.
void moveDims(mlir::Value from, mlir::Value to);

/// Erases an op that nothing uses, and its operands' ops that nothing else
/// uses.
void eraseDead(mlir::Operation *op);

/// A tensor.cast, where the types differ.
mlir::Value castTo(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Value value, mlir::Type type);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_ONNXTOBITNET_MATCHUTILS_H
