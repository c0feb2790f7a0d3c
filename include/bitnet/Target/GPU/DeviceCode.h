//===- DeviceCode.h - Kernels of a module as code for a device --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_GPU_DEVICECODE_H
#define BITNET_TARGET_GPU_DEVICECODE_H

#include "bitnet/Dialect/BitNet/IR/BitNetAttributes.h"
#include "bitnet/Target/Artifact.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"

namespace bitnet {

/// The conversions that LLVM's GPU back ends find through dialects.
void registerKernelConversions(mlir::DialectRegistry &registry);

/// The kernels of a module at the end of the loops phase: those of its
/// `gpu.module`, in order.
llvm::SmallVector<mlir::gpu::GPUFuncOp> getKernels(mlir::ModuleOp module);

/// A kernel as the manifest lists it, without its code.
ArtifactKernel describeKernel(mlir::gpu::GPUFuncOp kernel);

/// A module that holds clones of these kernels alone, for a device's passes.
mlir::OwningOpRef<mlir::ModuleOp>
cloneKernels(llvm::ArrayRef<mlir::gpu::GPUFuncOp> kernels, TargetAttr target);

/// Compiles the kernels of a module at the end of the loops phase into the
/// variant's kernels, codes and features. `assembly`, if not null, gets the
/// text of the code.
mlir::LogicalResult emitVulkan(mlir::ModuleOp module, ArtifactVariant &variant,
                               std::string *assembly);
mlir::LogicalResult emitCUDA(mlir::ModuleOp module, ArtifactVariant &variant,
                             std::string *assembly);
mlir::LogicalResult emitROCm(mlir::ModuleOp module, ArtifactVariant &variant,
                             std::string *assembly);

} // namespace bitnet

#endif // BITNET_TARGET_GPU_DEVICECODE_H
