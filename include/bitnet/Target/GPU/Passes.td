//===- Passes.td - From kernels to LLVM's GPU back ends ----*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_GPU_PASSES
#define BITNET_TARGET_GPU_PASSES

include "mlir/Pass/PassBase.td"

def PrepareKernels : Pass<"bitnet-prepare-kernels", "::mlir::ModuleOp"> {
  let summary = "give device functions the interface of LLVM's GPU back ends";
  let description = [{
    Memory of a workgroup becomes an attribution of its function. Buffers get a static
    extent, which no index reaches, so that upstream passes them as bare pointers.
    Index arguments are of 32 bits. Math functions for which devices have instructions become LLVM's intrinsics.

    ```mlir
    gpu.func @f(%a: memref<?xf32>) kernel
    // becomes
    gpu.func @f(%a: memref<2147483647xf32>) kernel
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
   "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect"];
}

#endif // BITNET_TARGET_GPU_PASSES
