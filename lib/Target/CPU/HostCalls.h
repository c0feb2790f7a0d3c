//===- HostCalls.h - The structures of bitnet/artifact.h in IR --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_TARGET_CPU_HOSTCALLS_H
#define BITNET_LIB_TARGET_CPU_HOSTCALLS_H

#include "bitnet/artifact.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace bitnet {

inline mlir::Type getPointerType(mlir::OpBuilder &builder) {
  return mlir::LLVM::LLVMPointerType::get(builder.getContext());
}

/// Loads the field at a byte offset, as offsetof gives it. The supported
/// targets share the layout of the machine that compiles: 64-bit and
/// little-endian.
inline mlir::Value loadField(mlir::ImplicitLocOpBuilder &builder,
                             mlir::Value structure, size_t offset,
                             mlir::Type type) {
  mlir::Value address = builder.create<mlir::LLVM::GEPOp>(
      getPointerType(builder), builder.getI8Type(), structure,
      llvm::ArrayRef<mlir::LLVM::GEPArg>{int32_t(offset)});
  return builder.create<mlir::LLVM::LoadOp>(type, address);
}

inline void storeField(mlir::ImplicitLocOpBuilder &builder,
                       mlir::Value structure, size_t offset,
                       mlir::Value value) {
  mlir::Value address = builder.create<mlir::LLVM::GEPOp>(
      getPointerType(builder), builder.getI8Type(), structure,
      llvm::ArrayRef<mlir::LLVM::GEPArg>{int32_t(offset)});
  builder.create<mlir::LLVM::StoreOp>(value, address);
}

/// Calls a function of the environment; its first argument is the user pointer.
inline mlir::LLVM::CallOp
callEnvironment(mlir::ImplicitLocOpBuilder &builder, mlir::Value call,
                size_t functionOffset, mlir::Type resultType,
                llvm::ArrayRef<mlir::Value> arguments) {
  mlir::Type pointer = getPointerType(builder);
  mlir::Value environment =
      loadField(builder, call, offsetof(bn_call, environment), pointer);
  llvm::SmallVector<mlir::Value> operands = {
      loadField(builder, environment, functionOffset, pointer),
      loadField(builder, environment, offsetof(bn_environment, user), pointer)};
  operands.append(arguments.begin(), arguments.end());
  llvm::SmallVector<mlir::Type> types;
  for (mlir::Value operand : llvm::ArrayRef(operands).drop_front())
    types.push_back(operand.getType());
  return builder.create<mlir::LLVM::CallOp>(
      mlir::LLVM::LLVMFunctionType::get(resultType, types), operands);
}

} // namespace bitnet

#endif // BITNET_LIB_TARGET_CPU_HOSTCALLS_H
