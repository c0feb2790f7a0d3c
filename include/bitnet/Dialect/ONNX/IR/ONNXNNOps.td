//===- ONNXNNOps.td - Reductions, products, norms, attention -*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_IR_ONNXNNOPS
#define BITNET_DIALECT_ONNX_IR_ONNXNNOPS

include "bitnet/Dialect/ONNX/IR/ONNXDialect.td"

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

def ONNX_ReduceL1Op : ONNX_Reduce<"ReduceL1", "sum of absolute values">;
def ONNX_ReduceL2Op : ONNX_Reduce<"ReduceL2", "root of the sum of squares">;
def ONNX_ReduceLogSumOp : ONNX_Reduce<"ReduceLogSum", "logarithm of the sum">;
def ONNX_ReduceLogSumExpOp : ONNX_Reduce<"ReduceLogSumExp", "logarithm of the sum of exponentials">;
def ONNX_ReduceMaxOp : ONNX_Reduce<"ReduceMax", "maximum">;
def ONNX_ReduceMeanOp : ONNX_Reduce<"ReduceMean", "mean">;
def ONNX_ReduceMinOp : ONNX_Reduce<"ReduceMin", "minimum">;
def ONNX_ReduceProdOp : ONNX_Reduce<"ReduceProd", "product">;
def ONNX_ReduceSumOp : ONNX_Reduce<"ReduceSum", "sum">;
def ONNX_ReduceSumSquareOp : ONNX_Reduce<"ReduceSumSquare", "sum of squares">;
def ONNX_ArgMaxOp : ONNX_Arg<"ArgMax", "index of the maximum">;
def ONNX_ArgMinOp : ONNX_Arg<"ArgMin", "index of the minimum">;

def ONNX_CumSumOp : ONNX_Op<"CumSum", (ins ONNX_NumericTensor:$x, ONNX_IndexTensor:$axis),
    (outs ONNX_NumericTensor:$y), (ins ONNX_Int<0>:$exclusive, ONNX_Int<0>:$reverse),
    [ONNX_SameShapeAsFirst, ONNX_KeepsElements]> {
  let summary = "running sum along an axis";
}

def ONNX_TopKOp : ONNX_Op<"TopK", (ins ONNX_NumericTensor:$X, ONNX_I64Tensor:$K),
    (outs ONNX_NumericTensor:$Values, ONNX_I64Tensor:$Indices),
    (ins ONNX_Int<-1>:$axis, ONNX_Int<1>:$largest, ONNX_Int<1>:$sorted),
    [ONNX_AxisInRange, ONNX_KeepsElements]> {
  let summary = "the K largest or smallest along an axis, with their indices";
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

def ONNX_MatMulOp : ONNX_Op<"MatMul", (ins ONNX_NumericTensor:$A, ONNX_NumericTensor:$B),
    (outs ONNX_NumericTensor:$Y), (ins), [ONNX_SameOperandElements, ONNX_KeepsElements]> {
  let summary = "matrix product, as numpy.matmul";
  let hasVerifier = 1;
}

def ONNX_GemmOp : ONNX_Op<"Gemm",
    (ins ONNX_NumericTensor:$A, ONNX_NumericTensor:$B, ONNX_Optional<ONNX_NumericTensor>:$C),
    (outs ONNX_NumericTensor:$Y),
    (ins ONNX_Float<"1.0">:$alpha, ONNX_Float<"1.0">:$beta, ONNX_Int<0>:$transA,
         ONNX_Int<0>:$transB),
    [ONNX_SameOperandElements, ONNX_KeepsElements]> {
  let summary = "alpha * A * B + beta * C, with A and B as they are or transposed";
  let hasVerifier = 1;
}

def ONNX_MatMulIntegerOp : ONNX_Op<"MatMulInteger",
    (ins ONNX_IntTensor:$A, ONNX_IntTensor:$B, ONNX_Optional<ONNX_IntTensor>:$a_zero_point,
         ONNX_Optional<ONNX_IntTensor>:$b_zero_point),
    (outs RankedTensorOf<[I32]>:$Y)> {
  let summary = "int8 or uint8 matrix product, less zero points, in int32";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

def ONNX_SoftmaxOp : ONNX_AlongAxis<"Softmax", "exp(x) / sum(exp(x)) along an axis">;
def ONNX_LogSoftmaxOp : ONNX_AlongAxis<"LogSoftmax", "log(softmax(x)) along an axis">;
def ONNX_HardmaxOp : ONNX_AlongAxis<"Hardmax", "1 at the first maximum along an axis, else 0">;
def ONNX_LpNormalizationOp : ONNX_AlongAxis<"LpNormalization", "x over its L1 or L2 norm along an axis",
    (ins ONNX_Int<-1>:$axis, ONNX_Int<2>:$p)>;

def ONNX_LayerNormalizationOp : ONNX_Op<"LayerNormalization",
    (ins ONNX_FloatTensor:$X, ONNX_FloatTensor:$Scale, ONNX_Optional<ONNX_FloatTensor>:$B),
    (outs ONNX_FloatTensor:$Y, ONNX_Optional<ONNX_FloatTensor>:$Mean,
          ONNX_Optional<ONNX_FloatTensor>:$InvStdDev),
    (ins ONNX_Int<-1>:$axis, ONNX_Float<"1e-05">:$epsilon, ONNX_Int<1>:$stash_type),
    [ONNX_AxisInRange, ONNX_SameShapeAsFirst, ONNX_KeepsElements]> {
  let summary = "(x - mean) / sqrt(variance + epsilon) * scale + B over the axes from `axis` on";
}

def ONNX_RMSNormalizationOp : ONNX_Op<"RMSNormalization",
    (ins ONNX_FloatTensor:$X, ONNX_FloatTensor:$scale), (outs ONNX_FloatTensor:$Y),
    (ins ONNX_Int<-1>:$axis, ONNX_Float<"1e-05">:$epsilon, ONNX_Int<1>:$stash_type),
    [ONNX_AxisInRange, ONNX_SameShapeAsFirst]> {
  let summary = "x / sqrt(mean(x * x) + epsilon) * scale over the axes from `axis` on";
}

def ONNX_InstanceNormalizationOp : ONNX_Op<"InstanceNormalization",
    (ins ONNX_FloatTensor:$input, ONNX_FloatTensor:$scale, ONNX_FloatTensor:$B),
    (outs ONNX_FloatTensor:$output), (ins ONNX_Float<"1e-05">:$epsilon),
    [ONNX_SameShapeAsFirst, ONNX_KeepsElements]> {
  let summary = "normalises each channel of each sample";
}

def ONNX_GroupNormalizationOp : ONNX_Op<"GroupNormalization",
    (ins ONNX_FloatTensor:$X, ONNX_FloatTensor:$scale, ONNX_FloatTensor:$bias),
    (outs ONNX_FloatTensor:$Y),
    (ins ONNX_I64Attr:$num_groups, ONNX_Float<"1e-05">:$epsilon, ONNX_Int<1>:$stash_type),
    [ONNX_SameShapeAsFirst, ONNX_KeepsElements]> {
  let summary = "normalises groups of channels of each sample";
}

def ONNX_BatchNormalizationOp : ONNX_Op<"BatchNormalization",
    (ins ONNX_FloatTensor:$X, ONNX_FloatTensor:$scale, ONNX_FloatTensor:$B,
         ONNX_FloatTensor:$input_mean, ONNX_FloatTensor:$input_var),
    (outs ONNX_FloatTensor:$Y, ONNX_Optional<ONNX_FloatTensor>:$running_mean,
          ONNX_Optional<ONNX_FloatTensor>:$running_var),
    (ins ONNX_Float<"1e-05">:$epsilon, ONNX_Float<"0.9">:$momentum, ONNX_Int<0>:$training_mode),
    [ONNX_SameShapeAsFirst, ONNX_KeepsElements]> {
  let summary = "(x - mean) / sqrt(var + epsilon) * scale + B per channel";
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def ONNX_RotaryEmbeddingOp : ONNX_Op<"RotaryEmbedding",
    (ins ONNX_FloatTensor:$X, ONNX_FloatTensor:$cos_cache, ONNX_FloatTensor:$sin_cache,
         ONNX_Optional<ONNX_I64Tensor>:$position_ids),
    (outs ONNX_FloatTensor:$Y),
    (ins ONNX_Int<0>:$interleaved, ONNX_OptInt:$num_heads, ONNX_Int<0>:$rotary_embedding_dim),
    [ONNX_SameShapeAsFirst, ONNX_KeepsElements]> {
  let summary = "rotates pairs of channels by angles of their positions";
}

def ONNX_AttentionOp : ONNX_Op<"Attention",
    (ins ONNX_FloatTensor:$Q, ONNX_FloatTensor:$K, ONNX_FloatTensor:$V,
         ONNX_Optional<ONNX_Tensor>:$attn_mask, ONNX_Optional<ONNX_FloatTensor>:$past_key,
         ONNX_Optional<ONNX_FloatTensor>:$past_value,
         ONNX_Optional<ONNX_I64Tensor>:$nonpad_kv_seqlen),
    (outs ONNX_FloatTensor:$Y, ONNX_Optional<ONNX_FloatTensor>:$present_key,
          ONNX_Optional<ONNX_FloatTensor>:$present_value,
          ONNX_Optional<ONNX_FloatTensor>:$qk_matmul_output),
    (ins ONNX_Int<0>:$is_causal, ONNX_OptInt:$kv_num_heads, ONNX_Int<-1>:$left_window_size,
         ONNX_OptInt:$q_num_heads, ONNX_Int<0>:$qk_matmul_output_mode,
         ONNX_Int<-1>:$right_window_size, ONNX_OptFloat:$scale, ONNX_Float<"0.0">:$softcap,
         ONNX_OptInt:$softmax_precision),
    [ONNX_KeepsElements]> {
  let summary = "scaled dot-product attention, with grouped queries, a mask and a cache";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Convolution and pooling
//===----------------------------------------------------------------------===//

def ONNX_ConvOp : ONNX_Op<"Conv",
    (ins ONNX_FloatTensor:$X, ONNX_FloatTensor:$W, ONNX_Optional<ONNX_FloatTensor>:$B),
    (outs ONNX_FloatTensor:$Y),
    (ins ONNX_Str<"NOTSET">:$auto_pad, ONNX_OptInts:$dilations, ONNX_Int<1>:$group,
         ONNX_OptInts:$kernel_shape, ONNX_OptInts:$pads, ONNX_OptInts:$strides),
    [ONNX_Window, ONNX_KeepsElements]> {
  let summary = "convolution, N C …";
  let hasVerifier = 1;
}

def ONNX_ConvTransposeOp : ONNX_Op<"ConvTranspose",
    (ins ONNX_FloatTensor:$X, ONNX_FloatTensor:$W, ONNX_Optional<ONNX_FloatTensor>:$B),
    (outs ONNX_FloatTensor:$Y),
    (ins ONNX_Str<"NOTSET">:$auto_pad, ONNX_OptInts:$dilations, ONNX_Int<1>:$group,
         ONNX_OptInts:$kernel_shape, ONNX_OptInts:$output_padding, ONNX_OptInts:$output_shape,
         ONNX_OptInts:$pads, ONNX_OptInts:$strides),
    [ONNX_Window, ONNX_KeepsElements]> {
  let summary = "the gradient of a convolution by its input, N C …";
  let hasVerifier = 1;
}

def ONNX_ResizeOp : ONNX_Op<"Resize",
    (ins ONNX_NumericTensor:$X, ONNX_Optional<ONNX_FloatTensor>:$roi,
         ONNX_Optional<ONNX_FloatTensor>:$scales, ONNX_Optional<ONNX_I64Tensor>:$sizes),
    (outs ONNX_NumericTensor:$Y),
    (ins ONNX_Int<0>:$antialias, ONNX_OptInts:$axes,
         ONNX_Str<"half_pixel">:$coordinate_transformation_mode,
         ONNX_Float<"-0.75">:$cubic_coeff_a, ONNX_Int<0>:$exclude_outside,
         ONNX_Float<"0.0">:$extrapolation_value,
         ONNX_Str<"stretch">:$keep_aspect_ratio_policy, ONNX_Str<"nearest">:$mode,
         ONNX_Str<"round_prefer_floor">:$nearest_mode), [ONNX_KeepsElements]> {
  let summary = "resampling along axes: nearest, linear or cubic";
  let hasVerifier = 1;
}

def ONNX_MaxPoolOp : ONNX_Op<"MaxPool", (ins ONNX_NumericTensor:$X),
    (outs ONNX_NumericTensor:$Y, ONNX_Optional<ONNX_I64Tensor>:$Indices),
    (ins ONNX_Str<"NOTSET">:$auto_pad, ONNX_Int<0>:$ceil_mode, ONNX_OptInts:$dilations,
         DenseI64ArrayAttr:$kernel_shape, ONNX_OptInts:$pads, ONNX_Int<0>:$storage_order,
         ONNX_OptInts:$strides),
    [ONNX_Window, ONNX_KeepsElements]> {
  let summary = "maximum over a sliding window";
}

def ONNX_AveragePoolOp : ONNX_Op<"AveragePool", (ins ONNX_FloatTensor:$X),
    (outs ONNX_FloatTensor:$Y),
    (ins ONNX_Str<"NOTSET">:$auto_pad, ONNX_Int<0>:$ceil_mode, ONNX_Int<0>:$count_include_pad,
         ONNX_OptInts:$dilations, DenseI64ArrayAttr:$kernel_shape, ONNX_OptInts:$pads,
         ONNX_OptInts:$strides),
    [ONNX_Window, ONNX_KeepsElements]> {
  let summary = "mean over a sliding window";
}

def ONNX_GlobalAveragePoolOp : ONNX_Op<"GlobalAveragePool", (ins ONNX_FloatTensor:$X),
    (outs ONNX_FloatTensor:$Y), (ins), [ONNX_Window, ONNX_KeepsElements]> {
  let summary = "mean over all but the first two dimensions";
}

def ONNX_GlobalMaxPoolOp : ONNX_Op<"GlobalMaxPool", (ins ONNX_FloatTensor:$X),
    (outs ONNX_FloatTensor:$Y), (ins), [ONNX_Window, ONNX_KeepsElements]> {
  let summary = "maximum over all but the first two dimensions";
}

#endif // BITNET_DIALECT_ONNX_IR_ONNXNNOPS
