//===- Passes.td - Kernels of a GPU ------------------------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_CONVERSION_BITNETTOGPU_PASSES
#define BITNET_CONVERSION_BITNETTOGPU_PASSES

include "mlir/Pass/PassBase.td"

def ConvertBitNetToGPU : Pass<"convert-bitnet-to-gpu", "::mlir::ModuleOp"> {
  let summary = "lower bitnet ops on memrefs to gpu.launch";
  let description = [{
    Replaces every bitnet op on memrefs by one or more `gpu.launch` for the device
    of the module's `bitnet.target`. Rows of independent work (a token of a
    quantiser or a norm, a query of attention) are workgroups, whose threads share
    the row and reduce in workgroup memory; everything else is a thread an
    element. A launch has at most 65535 workgroups, which loop over the rest.

    A linear layer is a workgroup for a few rows of weights and a few tokens. Its
    threads read consecutive words of the packed weights, split K between them, and
    add up their integer sums in workgroup memory.

    ```mlir
    bitnet.cache_update ins(%new, %position : memref<1x2x1x64xf32>, index)
        outs(%cache : memref<1x2x1024x64xf32>)
    ```

    becomes a launch whose threads each store one element of `%new`.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"
  ];
  let statistics = [Statistic<"numLowered", "lowered", "ops lowered">];
}

def ConvertLinalgToGPU : Pass<"convert-linalg-to-gpu", "::mlir::ModuleOp"> {
  let summary = "lower what else a kernel holds to gpu.launch";
  let description = [{
    In functions with `bitnet.kernel`: a linalg op or a memref.copy becomes a launch
    with a thread for each combination of its parallel dimensions, the last of the
    output's the fastest. A reduction along the innermost dimension of its operands
    has a workgroup for each output instead, whose threads reduce parts of it. Loops
    of scalars become a launch of one thread.

    ```mlir
    func.func private @kernel(%a: memref<4x8xf32>) attributes {bitnet.kernel} {
      %cst = arith.constant 0.0 : f32
      linalg.fill ins(%cst : f32) outs(%a : memref<4x8xf32>)
      return
    }
    ```

    becomes a launch whose threads each store one element.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numThreads", "threads", "ops with a thread an output">,
    Statistic<"numGroups", "groups", "ops with a workgroup an output">,
    Statistic<"numScalar", "scalar", "loops run by one thread">
  ];
}

def OutlineLaunches : Pass<"bitnet-outline-launches", "::mlir::ModuleOp"> {
  let summary = "make device functions of launches, and inline their kernels";
  let description = [{
    Each `gpu.launch` becomes a `gpu.func` of the `gpu.module` `@kernels` and a
    `gpu.launch_func`, whose arguments are those of the device interface: buffers as
    rank-1 memrefs of unknown size, from the base of what they view, and scalars.
    Offsets, sizes and strides that are not static are scalars, and all indices are
    computed from them. The functions that held the launches are then inlined into
    the entries, which so become schedules of launches.

    On the device, an element of `i1` is a byte, `index` an `i64` in memory.

    ```mlir
    gpu.launch blocks(...) threads(...) {
      %v = memref.load %a[%i, %j] : memref<?x8xf32, strided<[?, 1]>>
      ...
    ```

    becomes

    ```mlir
    gpu.func @kernel(%a: memref<?xf32>, %stride: index) kernel {
      %0 = arith.muli %i, %stride : index
      %1 = arith.addi %0, %j : index
      %v = memref.load %a[%1] : memref<?xf32>
      ...
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect"
  ];
  let statistics = [
    Statistic<"numKernels", "kernels", "device functions">,
    Statistic<"numLaunches", "launches", "launches in entries">
  ];
}

#endif // BITNET_CONVERSION_BITNETTOGPU_PASSES
