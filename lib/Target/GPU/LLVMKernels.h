//===- LLVMKernels.h - Kernels through LLVM's GPU back ends -----*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_TARGET_GPU_LLVMKERNELS_H
#define BITNET_LIB_TARGET_GPU_LLVMKERNELS_H

#include "bitnet/Target/CPU/CodeGen.h"
#include "bitnet/Target/GPU/DeviceCode.h"

namespace bitnet {

/// What differs between LLVM's GPU back ends.
struct KernelBackend {
  /// Adds the conversion of the gpu dialect to the passes of a gpu.module.
  llvm::function_ref<void(mlir::OpPassManager &)> convert;
  /// What LLVM names the version of PTX, say.
  llvm::StringRef features;
  /// Bits of an index.
  unsigned indexBits = 32;
  CodeGenOutput output = CodeGenOutput::Assembly;
};

/// Compiles all kernels of a module into one code of the variant. Fails where
/// the code would call a function that it does not hold.
mlir::LogicalResult emitLLVMKernels(mlir::ModuleOp module,
                                    const KernelBackend &backend,
                                    ArtifactVariant &variant,
                                    std::string *assembly);

} // namespace bitnet

#endif // BITNET_LIB_TARGET_GPU_LLVMKERNELS_H
