//===- Passes.td - Passes on the bitnet dialect ----------------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_BITNET_TRANSFORMS_PASSES
#define BITNET_DIALECT_BITNET_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

// NOTE to the author of outline-kernels/plan-memory/bufferize: at 04:16 this file, Passes.h and
// both CMakeLists.txt of Dialect/BitNet/Transforms were overwritten by mistake by the recognition
// engineer (my fault, sorry; no copy exists). Please paste your definitions back here, Passes.h and
// the CMakeLists (they are yours from now on; keep `FuseRescale` below and FuseRescale.cpp),
// then delete this note.

def FuseRescale : Pass<"bitnet-fuse-rescale"> {
  let summary = "fuse bitnet.matmul and bitnet.rescale into bitnet.linear";
  let description = [{
    A matmul of quantised activations whose sums only a rescale uses becomes one
    linear layer, its step being any, its sum the quantiser's.

    ```mlir
    %c = bitnet.matmul ins(%q#0, %w : tensor<4x384xi8>, tensor<128x384x!bitnet.ternary>)
        outs(%0 : tensor<4x128xi32>) -> tensor<4x128xi32>
    %y = bitnet.rescale ins(%c, %q#1, %s : tensor<4x128xi32>, tensor<4xf32>, tensor<1xf32>)
        outs(%1 : tensor<4x128xf32>) -> tensor<4x128xf32>
    // becomes
    %y = bitnet.linear ins(%q#0, %w, %s : tensor<4x384xi8>, tensor<128x384x!bitnet.ternary>, tensor<1xf32>)
        quantized(%q#1, %q#2 : tensor<4xf32>, tensor<4xi32>)
        outs(%1 : tensor<4x128xf32>) -> tensor<4x128xf32>
    ```
  }];
  let statistics = [
    Statistic<"numFused", "fused", "Number of matmuls fused with their rescale">
  ];
}

def NarrowConstants : Pass<"bitnet-narrow-constants", "::mlir::ModuleOp"> {
  let summary = "store f32 constants as bf16 where no bit is lost";
  let description = [{
    A large f32 constant whose every value is a bf16 (a checkpoint stored in bf16,
    exported to float) takes half the memory and bandwidth as bf16, and gives the
    same results. Its uses in the bodies of linalg ops (contractions, and gathers
    through tensor.extract) read the narrow constant and extend. A constant with
    any other use is left alone.

    ```mlir
    %w = arith.constant dense_resource<w> : tensor<4096x384xf32>
    // becomes, where the low halves of all words are zero,
    %w = arith.constant dense_resource<w_bf16> : tensor<4096x384xbf16>
    ```
  }];
  let options = [
    Option<"minElements", "min-elements", "int64_t", "4096",
           "constants with fewer elements are left alone">
  ];
  let statistics = [
    Statistic<"numNarrowed", "narrowed", "constants stored as bf16"> ];
}

def Layout : Pass<"bitnet-layout", "::mlir::ModuleOp"> {
  let summary = "pack low-bit weights and move constants to the archive";
  let description = [{
    Chooses a packing for the weights of every bitnet.linear, pads the activations
    that meet them to whole blocks, and replaces the weights, and every other
    tensor constant worth it, by bitnet.archive. `!bitnet.ternary` and
    `!bitnet.binary` are gone afterwards. The archive's contents are the module's
    attribute `bitnet.archive`, a list of entries with name, offset and value.
    Equal constants share an entry.

    ```mlir
    %w = bitnet.constant dense_resource<w> : tensor<128x384x!bitnet.ternary>
    %y = bitnet.linear ins(%q#0, %w, %s : tensor<4x384xi8>, tensor<128x384x!bitnet.ternary>, tensor<1xf32>)
        quantized(%q#1, %q#2 : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x128xf32>) -> tensor<4x128xf32>
    // becomes
    %w = bitnet.archive "w" at 0 : tensor<12288xi8>
    %y = bitnet.linear ins(%q#0, %w, %s : tensor<4x384xi8>, tensor<12288xi8>, tensor<1xf32>)
        quantized(%q#1, %q#2 : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x128xf32>)
        {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 384 : i64} -> tensor<4x128xf32>
    ```
  }];
  let options = [
    Option<"lowering", "lowering", "::bitnet::Lowering", "::bitnet::Lowering::Auto",
           "the inner loop of low-bit matmuls", [{::llvm::cl::values(
             clEnumValN(::bitnet::Lowering::Auto, "auto", "by the cost model"),
             clEnumValN(::bitnet::Lowering::Dot, "dot", "integer dot products"),
             clEnumValN(::bitnet::Lowering::AddSub, "addsub", "masked additions"))}]>,
    Option<"minElements", "min-elements", "int64_t", "16",
           "tensor constants with fewer elements stay in the code">
  ];
  let dependentDialects = [
    "::bitnet::BitNetDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
  let statistics = [
    Statistic<"numPacked", "packed", "linear layers with packed weights">,
    Statistic<"packedBytes", "packed-bytes", "bytes of packed weights">,
    Statistic<"archiveBytes", "archive-bytes", "bytes of the archive">
  ];
}

#endif // BITNET_DIALECT_BITNET_TRANSFORMS_PASSES
