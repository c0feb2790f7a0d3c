//===- Passes.td - Passes on the onnx dialect ---------------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_TRANSFORMS_PASSES
#define BITNET_DIALECT_ONNX_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def FoldConstants : Pass<"onnx-fold-constants", "::mlir::ModuleOp"> {
  let summary = "evaluates ops whose inputs are constants, of any size";
  let description = [{
    Evaluates onnx ops on constants: float32 in float32, sums and means in double
    and rounded once, integers in 64 bits and wrapped to their width. Chains are
    evaluated as a whole, so that intermediate results live only until their last
    use, and equal chains of several functions once: their results are one
    attribute.

    What would cost memory stays: a large Transpose of a constant that is also
    used as it is, a large result that is mostly repetition (Expand, Tile,
    ConstantOfShape), and a Cast to f32 of a large table or matrix of 16-bit floats.

    ```mlir
    %0 = onnx.Constant dense<[1.0, -2.0]> : tensor<2xf32>
    %1 = onnx.Abs %0 : (tensor<2xf32>) -> tensor<2xf32>
    // becomes
    %0 = onnx.Constant dense<[1.0, 2.0]> : tensor<2xf32>
    ```
  }];
  let options = [
    Option<"release", "release", "bool", /*default=*/"false",
           "Free the memory of large constants that nothing uses any more. Only "
           "if no other module of the context has them.">
  ];
  let statistics = [
    Statistic<"numFolded", "ops-folded", "Number of ops evaluated">,
    Statistic<"numMaterialized", "constants-made", "Number of constants made">
  ];
  let dependentDialects = ["::bitnet::onnx::ONNXDialect"];
}

def Simplify : Pass<"onnx-simplify"> {
  let summary = "brings equivalent spellings to one";
  let description = [{
    Applies the dialect's canonicalizations (Identity, Dropout in inference, Cast
    pairs, CastLike, merged Transposes and Reshapes) and writes Unsqueeze, Squeeze
    and Flatten with at most one dynamic dimension as Reshape.

    ```mlir
    %1 = onnx.Unsqueeze %0, %axes : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<1x?x4xf32>
    // becomes, with %shape = [1, -1, 4]
    %1 = onnx.Reshape %0, %shape : (tensor<?x4xf32>, tensor<3xi64>) -> tensor<1x?x4xf32>
    ```
  }];
  let dependentDialects = ["::bitnet::onnx::ONNXDialect"];
}

def RefineTypes : Pass<"onnx-refine-types", "::mlir::func::FuncOp"> {
  let summary = "writes into types the extents that folding made known";
  let description = [{
    Shape inference saw the graph before constants were folded, and some exporters
    compute the bounds of a Slice or the dimensions of a Reshape. Only dynamic
    extents become static; the others stay as they are.

    ```mlir
    %1 = onnx.Slice %0, %zero, %five, %axis, %none : (tensor<1x4x1x16xf32>, ...) -> tensor<?x?x?x?xf32>
    // becomes
    %1 = onnx.Slice %0, %zero, %five, %axis, %none : (tensor<1x4x1x16xf32>, ...) -> tensor<1x4x1x5xf32>
    ```
  }];
  let statistics = [Statistic<"numRefined", "refined", "Number of refined types">];
  let dependentDialects = ["::bitnet::onnx::ONNXDialect"];
}

#endif // BITNET_DIALECT_ONNX_TRANSFORMS_PASSES
