//===- Passes.td - Passes of the CPU back end ---------------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_CPU_PASSES
#define BITNET_TARGET_CPU_PASSES

include "mlir/Pass/PassBase.td"

def ExpandMath : Pass<"bitnet-expand-math", "::mlir::ModuleOp"> {
  let summary = "replace math functions by arithmetic";
  let description = [{
    An artifact imports nothing, so every function of the math dialect for which
    the module's target has no instruction becomes arithmetic: polynomials,
    selects and integer operations on exponents, without branches, so that LLVM
    vectorises the loop around it. f32 results are within 2 ulp, f64 ones within
    about 1e-13; f16 and bf16 are computed as f32.

    ```mlir
    %y = math.exp %x : vector<16xf32>
    ```

    becomes `2^n * p(x - n * ln 2)`, with n the integer next to `x / ln 2`.
    `vector.fma` and `arith.remf` are expanded too where no instruction does them.
  }];
  let dependentDialects = [
    "::bitnet::BitNetDialect", "::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"
  ];
  let statistics = [Statistic<"numExpanded", "functions", "math functions expanded">];
}

def LegalizeFloats : Pass<"bitnet-legalize-floats", "::mlir::ModuleOp"> {
  let summary = "compute f16 and bf16 in f32 and convert without library calls";
  let description = [{
    Arithmetic on f16 and bf16 is done in f32. Conversions from and to bf16 become
    integer operations (round to nearest even, NaNs stay NaNs), as do those of f16
    where x86 lacks F16C.

    ```mlir
    %y = arith.extf %x : bf16 to f32
    ```

    becomes `bitcast(zext(bitcast %x) << 16)`.
  }];
  let dependentDialects = [
    "::bitnet::BitNetDialect", "::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"
  ];
}

def ExpandCopies : Pass<"bitnet-expand-copies", "::mlir::ModuleOp"> {
  let summary = "copy strided memrefs by loops";
  let description = [{
    Upstream lowers a `memref.copy` between memrefs that are not contiguous to a
    library call; here it becomes a loop nest. Contiguous ones are left, and become
    one block move.

    ```mlir
    memref.copy %a, %b : memref<4x8xf32, strided<[16, 1]>> to memref<4x8xf32>
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect"
  ];
}

def OutlineParallel : Pass<"bitnet-outline-parallel", "::mlir::ModuleOp"> {
  let summary = "turn scf.parallel into calls of the environment's parallel_for";
  let description = [{
    Every function gets the `bn_call` as its first argument and hands it to the
    functions that it calls. Every outermost `scf.parallel` becomes a function over
    a range of its flattened iterations, and a call of
    `call->environment->parallel_for` with a callback that reads the captured values
    from a structure on the stack. A nested `scf.parallel` becomes `scf.for`.

    ```mlir
    scf.parallel (%i) = (%c0) to (%c128) step (%c1) {
      memref.store %v, %m[%i] : memref<128xf32>
      scf.reduce
    }
    ```

    becomes

    ```mlir
    llvm.store %v, %field : f32, !llvm.ptr
    ...
    llvm.call %parallel_for(%user, %task, %context, %count) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> ()
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numOutlined", "loops", "parallel loops outlined">,
    Statistic<"numSerial", "serial-loops", "parallel loops made sequential">
  ];
}

def LowerFetchDistance : Pass<"bitnet-lower-fetch-distance", "::mlir::ModuleOp"> {
  let summary = "load from the environment how far ahead weights are fetched";
  let description = [{
    Runs on functions whose first argument is the `bn_call`. A function's
    `bitnet.fetch_distance` ops of a kind become one load of
    `call->environment->fetch_distance`, at its begin: loops have no load of it.

    ```mlir
    func.func private @k(%call: !llvm.ptr, %w: memref<?xi8>) {
      scf.for %i = %c0 to %n step %c1 {
        %d = bitnet.fetch_distance <near>
        ...
    ```

    becomes

    ```mlir
    func.func private @k(%call: !llvm.ptr, %w: memref<?xi8>) {
      %d = llvm.load %field : !llvm.ptr -> i64
      scf.for %i = %c0 to %n step %c1 {
        ...
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def LowerEntries : Pass<"bitnet-lower-entries", "::mlir::ModuleOp"> {
  let summary = "give entries the C interface of bitnet/artifact.h";
  let description = [{
    Runs on functions without structured control flow, whose first argument is the
    `bn_call`. A function with `bitnet.entry` becomes `int32_t (const bn_call *)`:
    it takes the archive, the workspace, inputs, states and the position from the
    call, checks static extents and that extents of one name are equal
    (BN_ENTRY_BAD_SHAPE), and writes its results to the outputs. An entry with an
    `index` argument (the position) takes arguments with `bitnet.state = N` from the
    states; all others are inputs, in order.

    `memref.alloc` and `memref.dealloc` in an entry become calls of the environment;
    exhaustion returns BN_ENTRY_OUT_OF_MEMORY. A `cf.assert` in an entry returns
    BN_ENTRY_BAD_INDEX where its message begins with "index", else
    BN_ENTRY_BAD_SHAPE. Elsewhere small static allocations move to the stack, and
    the rest is an error.

    ```mlir
    func.func @main(%call: !llvm.ptr, %archive: memref<?xi8>, %workspace: memref<?xi8>,
                    %x: memref<4xf32>) -> memref<4xf32> attributes {bitnet.entry}
    ```

    becomes `func.func @main(%call: !llvm.ptr) -> i32`.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
    "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect"
  ];
}

def ExpandMemRefArguments : Pass<"bitnet-expand-memref-arguments", "::mlir::ModuleOp"> {
  let summary = "pass memrefs as a pointer and their dynamic extents";
  let description = [{
    Replaces memref arguments of private functions by the aligned pointer and only
    those of offset, sizes and strides that the type leaves open; strides of
    row-major memrefs are computed from the sizes. `llvm.noalias` stays on the
    pointer.

    ```mlir
    func.func private @k(%m: memref<?x8xf32> {llvm.noalias})
    ```

    becomes

    ```mlir
    func.func private @k(%m: !llvm.ptr {llvm.noalias, llvm.nonnull, llvm.noundef}, %m0: i64)
    ```
  }];
  let dependentDialects = [
    "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect"
  ];
}

def ConvertToLLVM : Pass<"bitnet-convert-to-llvm", "::mlir::ModuleOp"> {
  let summary = "all that is left to the LLVM dialect, in one conversion";
  let description = [{
    Upstream's conversions of arith, cf, func, index, math, memref and ub, applied
    together: each alone walks the whole module, which for a large model costs more
    than what it converts. Vectors are converted before, by
    `convert-vector-to-llvm`.

    ```mlir
    func.func @f(%x: index) -> index { ... }
    // becomes
    llvm.func @f(%x: i64) -> i64 { ... }
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // BITNET_TARGET_CPU_PASSES
