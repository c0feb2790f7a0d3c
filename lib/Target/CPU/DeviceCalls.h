//===- DeviceCalls.h - What an entry asks of a device -----------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_TARGET_CPU_DEVICECALLS_H
#define BITNET_LIB_TARGET_CPU_DEVICECALLS_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace bitnet {

/// In the entry of a device variant, buffers are the device's: launches, loads
/// and stores become calls of the environment. `check` gets the result of each
/// call, and the op before which the entry is to return it where it is not
/// BN_ENTRY_OK.
mlir::LogicalResult lowerDeviceCalls(
    mlir::func::FuncOp entry, mlir::ImplicitLocOpBuilder &builder,
    const mlir::LLVMTypeConverter &converter, mlir::Value call,
    llvm::function_ref<void(mlir::Value, mlir::Operation *)> check);

/// Whether the module's entries are those of a device variant.
bool isForDevice(mlir::Operation *op);

} // namespace bitnet

#endif // BITNET_LIB_TARGET_CPU_DEVICECALLS_H
