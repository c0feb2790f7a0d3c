//===- ONNXShapeOps.td - Ops that move elements, and on shapes -*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_IR_ONNXSHAPEOPS
#define BITNET_DIALECT_ONNX_IR_ONNXSHAPEOPS

include "bitnet/Dialect/ONNX/IR/ONNXDialect.td"

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

def ONNX_ConstantOp : Op<ONNX_Dialect, "Constant",
    [Pure, ConstantLike, AllTypesMatch<["value", "output"]>]> {
  let summary = "a constant tensor";
  let description = [{
    Holds initializers and the standard's Constant in any spelling.

    ```mlir
    %0 = onnx.Constant dense<[1, -1]> : tensor<2xi64>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs ONNX_Tensor:$output);
  let assemblyFormat = "attr-dict $value";
  let builders = [OpBuilder<(ins "::mlir::ElementsAttr":$value), [{
    build($_builder, $_state, value.getShapedType(), value);
  }]>];
  let hasFolder = 1;
}

def ONNX_NoValueOp : Op<ONNX_Dialect, "NoValue", [Pure, ConstantLike]> {
  let summary = "stands for an input that a node leaves out";
  let arguments = (ins UnitAttr:$value);
  let results = (outs NoneType:$output);
  let assemblyFormat = "attr-dict";
  let builders = [OpBuilder<(ins), [{
    build($_builder, $_state, $_builder.getNoneType(), $_builder.getUnitAttr());
  }]>];
  let hasFolder = 1;
}

def ONNX_ConstantOfShapeOp : ONNX_Op<"ConstantOfShape", (ins ONNX_I64Tensor:$input),
    (outs ONNX_Tensor:$output), (ins OptionalAttr<ElementsAttr>:$value)> {
  let summary = "a tensor of one value, float32 0 unless given";
  let hasVerifier = 1;
}

def ONNX_RangeOp : ONNX_Op<"Range",
    (ins ONNX_Tensor:$start, ONNX_Tensor:$limit, ONNX_Tensor:$delta),
    (outs ONNX_Tensor:$output), (ins), [ONNX_SameOperandElements, ONNX_KeepsElements]> {
  let summary = "start, start + delta, … below limit";
}

def ONNX_EyeLikeOp : ONNX_Op<"EyeLike", (ins ONNX_Tensor:$input), (outs ONNX_Tensor:$output),
    (ins ONNX_OptInt:$dtype, ONNX_Int<0>:$k), [ONNX_SameShapeAsFirst]> {
  let summary = "ones on a diagonal";
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

def ONNX_ShapeOp : ONNX_Op<"Shape", (ins ONNX_Tensor:$data), (outs ONNX_I64Tensor:$shape),
    (ins ONNX_OptInt:$end, ONNX_Int<0>:$start)> {
  let summary = "the dimensions from start to end";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def ONNX_SizeOp : ONNX_Op<"Size", (ins ONNX_Tensor:$data), (outs ONNX_I64Tensor:$size)> {
  let summary = "the number of elements";
  let hasFolder = 1;
}

def ONNX_ReshapeOp : ONNX_Op<"Reshape", (ins ONNX_Tensor:$data, ONNX_I64Tensor:$shape),
    (outs ONNX_Tensor:$reshaped), (ins ONNX_Int<0>:$allowzero), [ONNX_KeepsElements]> {
  let summary = "the same elements in another shape";
  let description = [{
    -1 in `shape` is what remains; 0 copies the input's dimension, unless
    `allowzero` is 1.
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def ONNX_FlattenOp : ONNX_Op<"Flatten", (ins ONNX_Tensor:$input), (outs ONNX_Tensor:$output),
    (ins ONNX_Int<1>:$axis), [ONNX_KeepsElements]> {
  let summary = "a matrix: the dimensions before axis, and from it on";
  let hasVerifier = 1;
}

def ONNX_SqueezeOp : ONNX_Op<"Squeeze",
    (ins ONNX_Tensor:$data, ONNX_Optional<ONNX_I64Tensor>:$axes), (outs ONNX_Tensor:$squeezed),
    (ins), [ONNX_KeepsElements]> {
  let summary = "drops the dimensions `axes`, all of extent 1 where absent";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def ONNX_UnsqueezeOp : ONNX_Op<"Unsqueeze", (ins ONNX_Tensor:$data, ONNX_I64Tensor:$axes),
    (outs ONNX_Tensor:$expanded), (ins), [ONNX_KeepsElements]> {
  let summary = "inserts dimensions of extent 1 at the result's `axes`";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def ONNX_ExpandOp : ONNX_Op<"Expand", (ins ONNX_Tensor:$input, ONNX_I64Tensor:$shape),
    (outs ONNX_Tensor:$output), (ins), [ONNX_KeepsElements]> {
  let summary = "broadcasts the input with a shape";
  let hasVerifier = 1;
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// Movement
//===----------------------------------------------------------------------===//

def ONNX_TransposeOp : ONNX_Op<"Transpose", (ins ONNX_Tensor:$data),
    (outs ONNX_Tensor:$transposed), (ins ONNX_OptInts:$perm), [ONNX_KeepsElements]> {
  let summary = "permutes the dimensions, reversing them where perm is absent";
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def ONNX_ConcatOp : ONNX_Op<"Concat", (ins Variadic<ONNX_Tensor>:$inputs),
    (outs ONNX_Tensor:$concat_result), (ins ONNX_I64Attr:$axis),
    [ONNX_SameOperandElements, ONNX_AxisInRange, ONNX_KeepsElements]> {
  let summary = "joins tensors along an axis";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def ONNX_SplitOp : ONNX_Op<"Split",
    (ins ONNX_Tensor:$input, ONNX_Optional<ONNX_I64Tensor>:$split),
    (outs Variadic<ONNX_Tensor>:$outputs), (ins ONNX_Int<0>:$axis, ONNX_OptInt:$num_outputs),
    [ONNX_AxisInRange]> {
  let summary = "cuts a tensor along an axis, evenly or by the lengths `split`";
  let hasVerifier = 1;
}

def ONNX_SliceOp : ONNX_Op<"Slice",
    (ins ONNX_Tensor:$data, ONNX_IndexTensor:$starts, ONNX_IndexTensor:$ends,
         ONNX_Optional<ONNX_IndexTensor>:$axes, ONNX_Optional<ONNX_IndexTensor>:$steps),
    (outs ONNX_Tensor:$output), (ins), [ONNX_KeepsElements]> {
  let summary = "takes every step-th element from start to end";
  let hasVerifier = 1;
}

def ONNX_TileOp : ONNX_Op<"Tile", (ins ONNX_Tensor:$input, ONNX_I64Tensor:$repeats),
    (outs ONNX_Tensor:$output), (ins), [ONNX_KeepsElements]> {
  let summary = "repeats a tensor along each dimension";
  let hasVerifier = 1;
}

def ONNX_PadOp : ONNX_Op<"Pad",
    (ins ONNX_Tensor:$data, ONNX_I64Tensor:$pads, ONNX_Optional<ONNX_Tensor>:$constant_value,
         ONNX_Optional<ONNX_IndexTensor>:$axes),
    (outs ONNX_Tensor:$output), (ins ONNX_Str<"constant">:$mode), [ONNX_KeepsElements]> {
  let summary = "adds to (or, negative, cuts from) each end; mode constant, edge, reflect or wrap";
  let hasVerifier = 1;
}

def ONNX_GatherOp : ONNX_Op<"Gather", (ins ONNX_Tensor:$data, ONNX_IndexTensor:$indices),
    (outs ONNX_Tensor:$output), (ins ONNX_Int<0>:$axis), [ONNX_AxisInRange, ONNX_KeepsElements]> {
  let summary = "slices of an axis, by indices (negative ones from the end)";
  let hasVerifier = 1;
}

def ONNX_GatherElementsOp : ONNX_Op<"GatherElements",
    (ins ONNX_Tensor:$data, ONNX_IndexTensor:$indices), (outs ONNX_Tensor:$output),
    (ins ONNX_Int<0>:$axis), [ONNX_AxisInRange, ONNX_KeepsElements]> {
  let summary = "elements of an axis, by an index each";
  let hasVerifier = 1;
}

def ONNX_GatherNDOp : ONNX_Op<"GatherND", (ins ONNX_Tensor:$data, ONNX_I64Tensor:$indices),
    (outs ONNX_Tensor:$output), (ins ONNX_Int<0>:$batch_dims), [ONNX_KeepsElements]> {
  let summary = "slices by index tuples, the innermost dimension of indices";
  let hasVerifier = 1;
}

def ONNX_ScatterElementsOp : ONNX_Op<"ScatterElements",
    (ins ONNX_Tensor:$data, ONNX_IndexTensor:$indices, ONNX_Tensor:$updates),
    (outs ONNX_Tensor:$output), (ins ONNX_Int<0>:$axis, ONNX_Str<"none">:$reduction),
    [ONNX_AxisInRange, ONNX_SameShapeAsFirst, ONNX_KeepsElements]> {
  let summary = "writes elements along an axis, by an index each";
}

def ONNX_ScatterNDOp : ONNX_Op<"ScatterND",
    (ins ONNX_Tensor:$data, ONNX_I64Tensor:$indices, ONNX_Tensor:$updates),
    (outs ONNX_Tensor:$output), (ins ONNX_Str<"none">:$reduction),
    [ONNX_SameShapeAsFirst, ONNX_KeepsElements]> {
  let summary = "writes slices by index tuples";
  let hasVerifier = 1;
}

def ONNX_TriluOp : ONNX_Op<"Trilu",
    (ins ONNX_Tensor:$input, ONNX_Optional<ONNX_I64Tensor>:$k), (outs ONNX_Tensor:$output),
    (ins ONNX_Int<1>:$upper), [ONNX_SameShapeAsFirst, ONNX_KeepsElements]> {
  let summary = "the upper or lower triangle of matrices, else 0";
  let hasVerifier = 1;
}

def ONNX_OneHotOp : ONNX_Op<"OneHot",
    (ins ONNX_NumericTensor:$indices, ONNX_NumericTensor:$depth, ONNX_Tensor:$values),
    (outs ONNX_Tensor:$output), (ins ONNX_Int<-1>:$axis)> {
  let summary = "values[1] at each index along a new axis, values[0] elsewhere";
  let hasVerifier = 1;
}

def ONNX_DepthToSpaceOp : ONNX_Op<"DepthToSpace", (ins ONNX_Tensor:$input),
    (outs ONNX_Tensor:$output), (ins ONNX_I64Attr:$blocksize, ONNX_Str<"DCR">:$mode),
    [ONNX_KeepsElements]> {
  let summary = "moves channels into blocks of pixels";
}

def ONNX_SpaceToDepthOp : ONNX_Op<"SpaceToDepth", (ins ONNX_Tensor:$input),
    (outs ONNX_Tensor:$output), (ins ONNX_I64Attr:$blocksize), [ONNX_KeepsElements]> {
  let summary = "moves blocks of pixels into channels";
}

#endif // BITNET_DIALECT_ONNX_IR_ONNXSHAPEOPS
