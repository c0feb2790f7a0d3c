//===- Passes.td - Recognition of low-bit networks -------------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_CONVERSION_ONNXTOBITNET_PASSES
#define BITNET_CONVERSION_ONNXTOBITNET_PASSES

include "mlir/Pass/PassBase.td"

class RecognitionPass<string argument, string anchor> : Pass<argument, anchor> {
  let dependentDialects = [
    "::bitnet::BitNetDialect", "::bitnet::onnx::ONNXDialect",
    "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"
  ];
}

def RecognizeLowBitWeights
    : RecognitionPass<"bitnet-recognize-low-bit-weights", "::mlir::ModuleOp"> {
  let summary = "make matmuls with low-bit constants bitnet.linear";
  let description = [{
    A MatMul, Gemm or MatMulInteger whose right operand is a constant of values
    {-s, 0, s} or {-s, s}, less its zero points, becomes a bitnet.linear of f32
    activations; floats of 16 bits are cast, and the result is rounded. Values
    decide, not names: s is common to the tensor, to an output, or to a group of
    inputs (a power of two, at least 16). The constant is seen through Transpose,
    Reshape and DequantizeLinear. Magnitudes may differ by 2^-16 of s, which
    straight-through remains (W + (Wq - W)) cause; s is then their mean.
    Constants of at most 64 elements stay as they are.

    ```mlir
    %y = onnx.MatMul %x, %w : (tensor<4x384xf32>, tensor<384x128xf32>) -> tensor<4x128xf32>
    // becomes
    %w = bitnet.constant dense_resource<w> : tensor<128x384x!bitnet.ternary>
    %y = bitnet.linear ins(%x, %w, %scale : tensor<4x384xf32>, tensor<128x384x!bitnet.ternary>, tensor<1xf32>)
        outs(%0 : tensor<4x128xf32>) -> tensor<4x128xf32>
    ```
  }];
  let statistics = [
    Statistic<"numTernary", "ternary-weights", "Number of ternary constants">,
    Statistic<"numBinary", "binary-weights", "Number of binary constants">,
    Statistic<"numLinears", "linears", "Number of low-bit linear layers">
  ];
}

def RecognizeNorms : RecognitionPass<"bitnet-recognize-norms", ""> {
  let summary = "make spellings of RMSNorm and LayerNorm bitnet.norm";
  let description = [{
    Recognises x over the root of the mean of its squares, in any association of
    the factors x, reciprocal root and weight, with or without the mean subtracted
    before; and the standard's LayerNormalization and RMSNormalization over the
    last axis.

    ```mlir
    %y = onnx.LayerNormalization %x, %w, %none : (tensor<2x3x8xf32>, tensor<8xf32>, none) -> tensor<2x3x8xf32>
    // becomes
    %0 = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x3x8xf32> into tensor<6x8xf32>
    %2 = bitnet.norm ins(%0 : tensor<6x8xf32>) weight(%w : tensor<8xf32>) outs(%1 : tensor<6x8xf32>)
        {kind = #bitnet.norm_kind<layer>, epsilon = 1.0e-5 : f32} -> tensor<6x8xf32>
    %y = tensor.expand_shape %2 [[0, 1], [2]] output_shape [2, 3, 8] : tensor<6x8xf32> into tensor<2x3x8xf32>
    ```
  }];
  let statistics = [Statistic<"numNorms", "norms", "Number of norms">];
}

def RecognizeConvolution : RecognitionPass<"bitnet-recognize-convolution", ""> {
  let summary = "make convolutions with low-bit constants sums of bitnet.matmul";
  let description = [{
    A Conv of one group, whose weight is a constant of values {-s, 0, s} or
    {-s, s} with s common to the tensor or to an output channel, becomes the sum
    over kernel positions of bitnet.matmul on rows of pixels. No matrix of
    patches exists: the input is padded and transposed to N H W C once, by phases
    of the strides, in which the pixels that a kernel position meets are
    consecutive rows, shifted.

    The input is taken as i8 where it is quantised with one scale for the tensor
    (by its absmax, by a sign, or on a constant scale), and as floats otherwise.
    Extents other than the batch must be static, and pads not negative.

    ```mlir
    %y = onnx.Conv %x, %w, %none {pads = [1, 1, 1, 1]} : (tensor<1x32x8x8xf32>, tensor<64x32x3x3xf32>, none) -> tensor<1x64x8x8xf32>
    // becomes nine of
    %rows = tensor.extract_slice %pixels[11, 0] [78, 32] [1, 1] : tensor<100x32xf32> to tensor<78x32xf32>
    %part = bitnet.matmul ins(%rows, %w4 : tensor<78x32xf32>, tensor<64x32x!bitnet.ternary>)
        outs(%0 : tensor<78x64xf32>) -> tensor<78x64xf32>
    ```
  }];
  let dependentDialects = [
    "::bitnet::BitNetDialect", "::bitnet::onnx::ONNXDialect",
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
  let statistics = [
    Statistic<"numConvolutions", "convolutions", "Number of low-bit convolutions">,
    Statistic<"numQuantized", "quantized-convolutions", "Number of them on integers">
  ];
}

def RecognizeQuantization
    : RecognitionPass<"bitnet-recognize-quantization", ""> {
  let summary = "quantise the activations of low-bit linear layers";
  let description = [{
    Where the activations of a bitnet.linear are integers times a scale, that is
    Clip(Round(x scaled by Qb / absmax)) in one of its spellings, the linear takes
    the integers of a bitnet.quantize. Scales before and after the matmul, made of
    constants and the absmax, become its scale and step. Linear layers of one
    input share its bitnet.quantize. Activations that other ops make whole
    numbers within limits are cast to integers; factors of their rows then scale
    the result's.

    ```mlir
    %y = bitnet.linear ins(%dequantised, %w, %scale : ...) outs(%0 : ...)
    // becomes
    %q:3 = bitnet.quantize ins(%x : ...) outs(...)
    %y = bitnet.linear ins(%q#0, %w, %scale : ...) quantized(%q#1, %q#2 : ...) outs(%0 : ...)
    ```
  }];
  let statistics = [
    Statistic<"numQuantizations", "quantizations", "Number of activation quantisations">,
    Statistic<"numQuantized", "quantized-linears", "Number of linear layers on integers">
  ];
}

def FoldThresholds : RecognitionPass<"bitnet-fold-thresholds", ""> {
  let summary = "compare the sums of a layer with where a quantiser's levels begin";
  let description = [{
    Where constant scales, biases, a BatchNormalization, an activation function and
    a quantiser of at most four levels follow the integer sums of a bitnet.linear,
    the level is told by comparing the sums with a constant for each output and
    level. Each op is monotone, in f32 too, so a level begins at one sum, which is
    found by evaluating the ops: no sum gives another level than before. An
    output whose level falls as its sum grows has a scale of -1. The integer sums
    of a convolution's channels are compared in the same way, times -1 where a
    channel's level falls.

    ```mlir
    %x = bitnet.linear ins(%q, %w, %scale : ...) quantized(%one, %sums : ...) outs(%0 : ...)
    %n = onnx.BatchNormalization %x, %a, %b, %mean, %var : ...
    %y = onnx.Sign %n : (tensor<4x8xf32>) -> tensor<4x8xf32>
    // becomes
    %x = bitnet.linear ins(%q, %w, %signs : ...) quantized(%one, %sums : ...) outs(%0 : ...)
    %0 = onnx.GreaterOrEqual %x, %zeros : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xi1>
    %1 = onnx.Where %0, %c0, %c-1 : ...
    %2 = onnx.GreaterOrEqual %x, %ones : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xi1>
    %y = onnx.Where %2, %c1, %1 : ...
    ```
  }];
  let statistics = [
    Statistic<"numFolded", "folded", "Number of layers whose sums are compared">
  ];
}

def FuseEpilogues : RecognitionPass<"bitnet-fuse-epilogues", ""> {
  let summary = "fuse constant scales, biases and ReLU into bitnet.linear";
  let description = [{
    A Mul or Div by constants, an Add of a constant bias, a Relu and its square,
    each the only user of a linear layer's result, become part of it.

    ```mlir
    %y = bitnet.linear ins(%x, %w, %scale : ...) outs(%0 : ...) -> tensor<4x8xf32>
    %z = onnx.Relu %y : (tensor<4x8xf32>) -> tensor<4x8xf32>
    // becomes
    %z = bitnet.linear ins(%x, %w, %scale : ...) outs(%0 : ...)
        {activation = #bitnet.activation<relu>} -> tensor<4x8xf32>
    ```
  }];
  let statistics = [
    Statistic<"numScales", "scales", "Number of scales fused">,
    Statistic<"numBiases", "biases", "Number of biases fused">,
    Statistic<"numActivations", "activations", "Number of activation functions fused">
  ];
}

def RecognizeRotary : RecognitionPass<"bitnet-recognize-rotary", ""> {
  let summary = "make rotary position embeddings bitnet.rotary";
  let description = [{
    Recognises x * cos + Concat(-x[half:], x[:half]) * sin on [B, H, S, D], and
    the standard's RotaryEmbedding of halves of all channels.

    ```mlir
    %y = onnx.Add %xcos, %rotatedsin : (...) -> tensor<1x6x4x64xf32>
    // becomes
    %y = bitnet.rotary ins(%x, %cos, %sin : tensor<1x6x4x64xf32>, tensor<1x4x64xf32>, tensor<1x4x64xf32>)
        outs(%0 : tensor<1x6x4x64xf32>) -> tensor<1x6x4x64xf32>
    ```
  }];
  let statistics = [Statistic<"numRotaries", "rotaries", "Number of rotary embeddings">];
}

def RecognizeAttention : RecognitionPass<"bitnet-recognize-attention", ""> {
  let summary = "make scaled dot-product attention bitnet.attention";
  let description = [{
    Recognises MatMul, scale, mask, Softmax, MatMul on [B, H, S, D], and removes
    the expansion of grouped keys and values. A boolean mask becomes one that is
    added. Also the standard's Attention, without the rarer of its options.
    GroupQueryAttention, MultiHeadAttention and Attention of com.microsoft arrive
    as what the importer makes of them, in these forms.

    ```mlir
    %p = onnx.Softmax %scores : (tensor<1x6x4x9xf32>) -> tensor<1x6x4x9xf32>
    %y = onnx.MatMul %p, %v : (tensor<1x6x4x9xf32>, tensor<1x6x9x64xf32>) -> tensor<1x6x4x64xf32>
    // becomes
    %y = bitnet.attention ins(%q, %k, %v : ...) mask(%m : ...) outs(%0 : ...)
        {scale = 1.250000e-01 : f32} -> tensor<1x6x4x64xf32>
    ```
  }];
  let statistics = [Statistic<"numAttentions", "attentions", "Number of attentions">];
}

def InPlaceCache : RecognitionPass<"bitnet-in-place-cache", "::mlir::ModuleOp"> {
  let summary = "update the KV cache of specialised entries in place";
  let description = [{
    In a function whose `bitnet.entry` is "decode" or "prefill", turns the past,
    a tensor that grows, into a cache of capacity `max-context`:

    - the arguments become `(%tokens, %position : index, %caches...)`, the results
      the logits only;
    - position_ids are `position + 0, 1, ...`, the attention mask is all ones, and
      the past's length is `position`;
    - Concat(past, new), which the importer makes of attentions with a past of
      their own too, becomes bitnet.cache_update; the attention over it gets the
      position, and becomes causal where the mask is proved to be.

    A function whose past is used in another way is erased, with a remark: the
    general entry serves. That is an error where `cache-type` asks for a cache of
    f16 or bf16, to which keys and values are rounded as they are stored.

    ```mlir
    %k = onnx.Concat %past, %new {axis = 2 : i64} : (...) -> tensor<1x2x?x64xf32>
    // becomes
    %k = bitnet.cache_update ins(%new, %position : tensor<1x2x1x64xf32>, index)
        outs(%cache : tensor<1x2x1024x64xf32>) -> tensor<1x2x1024x64xf32>
    ```
  }];
  let options = [
    Option<"maxContext", "max-context", "int64_t", "1024",
           "Positions that a cache holds">,
    Option<"cacheType", "cache-type", "::bitnet::CacheType", "::bitnet::CacheType::F32",
           "what a cache holds", [{::llvm::cl::values(
             clEnumValN(::bitnet::CacheType::F32, "f32", "keys and values as they are"),
             clEnumValN(::bitnet::CacheType::F16, "f16", "rounded to f16"),
             clEnumValN(::bitnet::CacheType::BF16, "bf16", "rounded to bf16"))}]>
  ];
  let statistics = [
    Statistic<"numCaches", "caches", "Number of tensors updated in place">,
    Statistic<"numCausal", "causal", "Number of attentions proved causal">
  ];
}

def SimplifyMovement : RecognitionPass<"bitnet-simplify-movement", ""> {
  let summary = "make transposes of unit dimensions reshapes";
  let description = [{
    A Transpose that moves dimensions of extent 1 only leaves the order of the
    elements, and becomes a Reshape. With one token most transposes of heads do.

    ```mlir
    %y = onnx.Transpose %x {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x1x6x64xf32>) -> tensor<1x6x1x64xf32>
    // becomes
    %y = onnx.Reshape %x, %shape : (tensor<1x1x6x64xf32>, tensor<4xi64>) -> tensor<1x6x1x64xf32>
    ```
  }];
  let statistics = [Statistic<"numTransposes", "transposes", "Number of transposes removed">];
}

#endif // BITNET_CONVERSION_ONNXTOBITNET_PASSES
