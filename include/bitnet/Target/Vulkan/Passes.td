//===- Passes.td - From kernels to SPIR-V ------------------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_VULKAN_PASSES
#define BITNET_TARGET_VULKAN_PASSES

include "mlir/Pass/PassBase.td"

def PrepareShaders : Pass<"bitnet-prepare-shaders", "::mlir::ModuleOp"> {
  let summary = "give kernels the interface of Vulkan shaders";
  let description = [{
    Puts every device function into a `gpu.module` of its own, its buffers into the
    StorageBuffer class, memory of a workgroup into Workgroup, and its scalars into
    one array of 32-bit push constants.

    Divisions and square roots of f32, which Vulkan lets a device round as it
    likes, are done in f64 and rounded, so that quantised integers are those of
    a CPU.

    ```mlir
    gpu.func @f(%a: memref<?xf32>, %n: index) kernel
    // becomes
    gpu.func @f(%a: memref<?xf32, #spirv.storage_class<StorageBuffer>>,
                %constants: memref<1xi32, #spirv.storage_class<PushConstant>>) kernel
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::spirv::SPIRVDialect"
  ];
}

def ConvertKernelsToSPIRV : Pass<"bitnet-convert-kernels-to-spirv", "::mlir::ModuleOp"> {
  let summary = "convert device functions to the SPIR-V dialect";
  let description = [{
    Upstream's conversions of the gpu, scf, arith, math, memref and vector dialects,
    at once. Indices have 32 bits.
  }];
  let dependentDialects = ["::mlir::spirv::SPIRVDialect"];
}

def FinishShaders : Pass<"bitnet-finish-shaders", "::mlir::ModuleOp"> {
  let summary = "decorate what the SPIR-V dialect's own passes leave open";
  let description = [{
    Float arithmetic gets NoContraction, so that no driver fuses a product and a sum
    where the graph rounds in between; the block of push constants loses its
    binding.
  }];
  let dependentDialects = ["::mlir::spirv::SPIRVDialect"];
}

#endif // BITNET_TARGET_VULKAN_PASSES
