//===- Passes.td - Loops of the bitnet dialect ---------------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_CONVERSION_BITNETTOVECTOR_PASSES
#define BITNET_CONVERSION_BITNETTOVECTOR_PASSES

include "mlir/Pass/PassBase.td"

def PrepareActivations : Pass<"bitnet-prepare-activations", "::mlir::ModuleOp"> {
  let summary = "settle the lowering of each low-bit matmul and prepare its activations";
  let description = [{
    On tensors, for the module's `bitnet.target`: sets the `lowering` of every packed
    bitnet.linear and bitnet.matmul to one that serves its operands on that machine,
    and adds a bitnet.prepare before those that read activations in another form
    (`lut`, `popcount`). Equal preparations become one by CSE, so matmuls of one
    input share its tables.

    `auto` becomes `dot` where the target has an instruction for it, else `addsub`;
    but `lut` on x86-64 up to AVX2 (without AVX-VNNI) for a static number of tokens that
    fill a vector of 16-bit lanes. With `lut`, such numbers of tokens are split into
    `token_blocks`, which share lookups.

    A lowering that was asked for but does not serve becomes `dot` or `addsub`:
    `lut` with activations other than i8, or, of few tokens, without a byte
    shuffle (x86-64 before SSSE3); `popcount` where the activations are not known to be in
    {-1, 0, 1}.

    ```mlir
    %y = bitnet.linear ins(%q#0, %w, %s : tensor<4x384xi8>, tensor<12288xi8>, tensor<1xf32>)
        quantized(%q#1, %q#2 : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x128xf32>)
        {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 384 : i64} -> tensor<4x128xf32>
    // becomes
    %1 = tensor.empty() : tensor<4x6144xi8>
    %t = bitnet.prepare ins(%q#0 : tensor<4x384xi8>) outs(%1 : tensor<4x6144xi8>)
        {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>} -> tensor<4x6144xi8>
    %y = bitnet.linear ins(...) quantized(...) prepared(%t : tensor<4x6144xi8>) outs(...) {...}
    ```
  }];
  let dependentDialects = ["::bitnet::BitNetDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numPrepared", "prepared", "matmuls with prepared activations">,
    Statistic<"numReplaced", "replaced", "matmuls whose lowering did not serve them">
  ];
}

def ConvertBitNetToVector : Pass<"convert-bitnet-to-vector", "::mlir::ModuleOp"> {
  let summary = "lower bitnet ops on memrefs to loops over vectors";
  let description = [{
    Replaces every bitnet op on memrefs by a loop nest for the module's
    `bitnet.target`. The outermost loop over independent work is an
    `scf.parallel`; low-bit matmuls and attention are written with vectors of the
    target's width and, for `dot`, its integer dot product; element-wise parts are
    scalar loops, which LLVM vectorises.

    A linear layer or matmul becomes one tiled nest with one of these inner loops,
    by its `lowering`, as bitnet-prepare-activations settles it. Activations other
    than i8 are multiplied in 32 bits, whatever it says.

    - `dot`: codes are unpacked by shift and mask and meet four activations at a
      time in vpdpbusd (AVX-512 VNNI, AVX-VNNI), vpmaddubsw + vpmaddwd (SSSE3 and
      AVX2), sdot (ARM with dotprod, and SVE, whose vectors may be of any length)
      or smull + smlal (plain ARM); several tokens meet packed weights of unit 8
      in smmla (ARM with i8mm), or codes unpacked as rows of tiles in tdpbsud
      (AMX);
    - `lut`: groups of codes index tables of partial sums, which bitnet.prepare made,
      by pshufb (SSSE3, AVX2, AVX-512BW), vpermb (AVX-512 VBMI) or tbl (ARM); in
      blocks of tokens, they select vectors of sums, which are loaded and added;
    - `addsub`: masked additions and subtractions;
    - `popcount`: activations in {-1, 0, 1} as bits: exclusive or, mask, count.

    ```mlir
    bitnet.cache_update ins(%new, %position : memref<1x2x1x64xf32>, index)
        outs(%cache : memref<1x2x1024x64xf32>)
    ```

    becomes loops that store `%new` into rows from `%position` on.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"
  ];
  let statistics = [
    Statistic<"numDot", "dot-loops", "matmuls lowered to dot">,
    Statistic<"numLUT", "lut-loops", "matmuls lowered to lut">,
    Statistic<"numAddSub", "addsub-loops", "matmuls lowered to addsub">,
    Statistic<"numPopcount", "popcount-loops", "matmuls lowered to popcount">,
    Statistic<"numWide", "wide-loops", "matmuls of i16 or float activations">
  ];
}

def ConvertContractionToVector : Pass<"convert-contraction-to-vector", "::mlir::ModuleOp"> {
  let summary = "lower float matmuls on memrefs to register-tiled vector loops";
  let description = [{
    Lowers linalg contractions `out[m, n] += x[m, k] * w` with `w` read as `[N, K]`
    or `[K, N]`, f32 accumulation, and f32, f16 or bf16 operands extended in the
    body, to loops over tiles of accumulators held in vector registers. Other
    linalg ops are left to `bitnet-linalg-to-loops`.

    ```mlir
    linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>], ...}
        ins(%x, %w : memref<1x384xf32>, memref<4096x384xbf16>) outs(%y : memref<1x4096xf32>)
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
  let statistics = [Statistic<"numContractions", "contractions", "matmuls lowered">];
}

#endif // BITNET_CONVERSION_BITNETTOVECTOR_PASSES
