//===- MemRefParts.h - Memrefs from pointers and extents, and back --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_TARGET_CPU_MEMREFPARTS_H
#define BITNET_LIB_TARGET_CPU_MEMREFPARTS_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace bitnet {

/// What identifies a memref of a given type: the aligned pointer and, as i64,
/// whatever the type leaves open. Strides of row-major memrefs follow from
/// sizes.
struct MemRefParts {
  mlir::Value pointer;
  mlir::Value offset;                        // null where static
  llvm::SmallVector<mlir::Value, 4> sizes;   // the dynamic ones
  llvm::SmallVector<mlir::Value, 4> strides; // the dynamic ones

  llvm::SmallVector<mlir::Value> flatten() const;
};

/// The types of the flattened parts.
llvm::SmallVector<mlir::Type> getPartTypes(mlir::MemRefType type);

/// Groups values of getPartTypes, taking them off the front of `values`.
MemRefParts takeParts(mlir::MemRefType type, mlir::ValueRange &values);

/// A memref value, as a cast of the descriptor that MLIR's lowering uses.
mlir::Value buildMemRef(mlir::ImplicitLocOpBuilder &builder,
                        const mlir::LLVMTypeConverter &converter,
                        mlir::MemRefType type, const MemRefParts &parts);

MemRefParts splitMemRef(mlir::ImplicitLocOpBuilder &builder,
                        const mlir::LLVMTypeConverter &converter,
                        mlir::Value memref);

/// A value as the LLVM dialect sees it, and back.
mlir::Value toLLVM(mlir::ImplicitLocOpBuilder &builder,
                   const mlir::LLVMTypeConverter &converter, mlir::Value value);
mlir::Value fromLLVM(mlir::ImplicitLocOpBuilder &builder, mlir::Type type,
                     mlir::Value value);

} // namespace bitnet

#endif // BITNET_LIB_TARGET_CPU_MEMREFPARTS_H
