//===- Passes.td - From the onnx dialect to linalg -----------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_CONVERSION_ONNXTOLINALG_PASSES
#define BITNET_CONVERSION_ONNXTOLINALG_PASSES

include "mlir/Pass/PassBase.td"

def ConvertONNXToLinalg : Pass<"convert-onnx-to-linalg", "::mlir::ModuleOp"> {
  let summary = "lower every onnx op to linalg, tensor, arith and math";
  let description = [{
    Replaces every op of the `onnx` dialect by ops on tensors; none is left. Ops
    that cannot be lowered are reported, all of them, and the pass fails.

    - Shapes may be dynamic. Dimensions of one `onnx.dims` name are taken as
      equal; where a dimension may be 1 at run time, an operand is read with its
      index clamped.
    - Integer tensors of rank 0 or 1 with at most 16 elements (shape arithmetic)
      become scalars.
    - f16 and bf16 are computed in f32 and rounded once per op.
    - Unsigned element types become signless; function arguments and results
      keep theirs in the attribute `onnx.element_type`.
    - `fastmath<reassoc>` is on the additions and multiplications of reductions
      only.

    ```mlir
    %0 = onnx.MatMul %x, %w : (tensor<1x?x64xf32>, tensor<64x32xf32>) -> tensor<1x?x32xf32>
    ```

    becomes, between a collapse and an expansion of the leading dimensions,

    ```mlir
    linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], ...}
    ```
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
  let statistics = [Statistic<"numConverted", "converted", "onnx ops converted">];
}

#endif // BITNET_CONVERSION_ONNXTOLINALG_PASSES
