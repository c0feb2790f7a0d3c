//===- ONNXOps.h - Ops of the onnx dialect --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_IR_ONNXOPS_H
#define BITNET_DIALECT_ONNX_IR_ONNXOPS_H

#include "bitnet/Dialect/ONNX/IR/ONNXDialect.h"
#include "bitnet/Dialect/ONNX/IR/ONNXTraits.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Traits.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "bitnet/Dialect/ONNX/IR/ONNXInterfaces.h.inc"

#define GET_OP_CLASSES
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h.inc"

namespace bitnet::onnx {

/// Whether `value` stands for an input that a node leaves out.
inline bool isAbsent(mlir::Value value) {
  return mlir::isa<mlir::NoneType>(value.getType());
}

/// Counts a negative axis from `rank`; nothing outside of [-rank, rank).
std::optional<int64_t> normalizeAxis(int64_t axis, int64_t rank);

/// The integers of a constant of any integer type; nothing for other values.
std::optional<llvm::SmallVector<int64_t>> getConstantInts(mlir::Value value);

/// The axes of a reduction (nothing if they are not constant), sorted, in
/// [0, rank). An absent or empty input means all, or none with `noop`.
std::optional<llvm::SmallVector<int64_t>>
getReductionAxes(mlir::Value axes, bool noop, int64_t rank);

} // namespace bitnet::onnx

#endif // BITNET_DIALECT_ONNX_IR_ONNXOPS_H
