//===- BitNetTypes.h - Element types of low-bit weights ---------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_BITNET_IR_BITNETTYPES_H
#define BITNET_DIALECT_BITNET_IR_BITNETTYPES_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Types.h"

#define GET_TYPEDEF_CLASSES
#include "bitnet/Dialect/BitNet/IR/BitNetTypes.h.inc"

namespace bitnet {

/// Whether a type is `!bitnet.ternary` or `!bitnet.binary`.
bool isLowBitType(mlir::Type type);

/// Bits of one weight's code in a constant's blob: 2 (ternary) or 1 (binary).
unsigned getCodeBitWidth(mlir::Type lowBitType);

} // namespace bitnet

#endif // BITNET_DIALECT_BITNET_IR_BITNETTYPES_H
