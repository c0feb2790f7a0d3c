//===- Passes.td - Loops of the bitnet dialect ---------------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_CONVERSION_BITNETTOVECTOR_PASSES
#define BITNET_CONVERSION_BITNETTOVECTOR_PASSES

include "mlir/Pass/PassBase.td"

def ConvertBitNetToVector : Pass<"convert-bitnet-to-vector", "::mlir::ModuleOp"> {
  let summary = "lower bitnet ops on memrefs to loops over vectors";
  let description = [{
    Replaces every bitnet op on memrefs by a loop nest for the module's
    `bitnet.target`. The outermost loop over independent work is an
    `scf.parallel`; low-bit matmuls and attention are written with vectors of the
    target's width and, for `dot`, its integer dot product; element-wise parts are
    scalar loops, which LLVM vectorises.

    A linear layer becomes one tiled nest with one of these inner loops, by its
    `lowering` (`auto`: `dot` where the target has an instruction for it, else
    `addsub`):

    - `dot`: codes are unpacked by shift and mask and meet four activations at a
      time in vpdpbusd (AVX-512 VNNI, AVX-VNNI), vpmaddubsw + vpmaddwd (SSSE3 and
      AVX2), sdot (ARM with dotprod, and SVE, whose vectors may be of any length)
      or smull + smlal (plain ARM); several tokens meet packed weights of unit 8
      in smmla (ARM with i8mm);
    - `addsub`: masked additions and subtractions.

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
    Statistic<"numDot", "dot-loops", "linear layers lowered to dot">,
    Statistic<"numAddSub", "addsub-loops", "linear layers lowered to addsub">
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
