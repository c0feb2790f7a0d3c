//===- ONNXElementwiseOps.td - Ops on single elements -*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_IR_ONNXELEMENTWISEOPS
#define BITNET_DIALECT_ONNX_IR_ONNXELEMENTWISEOPS

include "bitnet/Dialect/ONNX/IR/ONNXDialect.td"

//===----------------------------------------------------------------------===//
// One input
//===----------------------------------------------------------------------===//

def ONNX_AbsOp : ONNX_Unary<"Abs", "absolute value">;
def ONNX_NegOp : ONNX_Unary<"Neg", "negation">;
def ONNX_SignOp : ONNX_Unary<"Sign", "-1, 0 or 1 by the sign; 0 for 0">;
def ONNX_ReluOp : ONNX_Unary<"Relu", "max(x, 0)">;
def ONNX_NotOp : ONNX_Unary<"Not", "logical negation", (ins), ONNX_BoolTensor>;
def ONNX_BitwiseNotOp : ONNX_Unary<"BitwiseNot", "bitwise negation", (ins), ONNX_IntTensor>;

def ONNX_AcosOp : ONNX_FloatUnary<"Acos", "inverse cosine">;
def ONNX_AcoshOp : ONNX_FloatUnary<"Acosh", "inverse hyperbolic cosine">;
def ONNX_AsinOp : ONNX_FloatUnary<"Asin", "inverse sine">;
def ONNX_AsinhOp : ONNX_FloatUnary<"Asinh", "inverse hyperbolic sine">;
def ONNX_AtanOp : ONNX_FloatUnary<"Atan", "inverse tangent">;
def ONNX_AtanhOp : ONNX_FloatUnary<"Atanh", "inverse hyperbolic tangent">;
def ONNX_CeilOp : ONNX_FloatUnary<"Ceil", "rounding up">;
def ONNX_CosOp : ONNX_FloatUnary<"Cos", "cosine">;
def ONNX_CoshOp : ONNX_FloatUnary<"Cosh", "hyperbolic cosine">;
def ONNX_ErfOp : ONNX_FloatUnary<"Erf", "error function">;
def ONNX_ExpOp : ONNX_FloatUnary<"Exp", "exponential">;
def ONNX_FloorOp : ONNX_FloatUnary<"Floor", "rounding down">;
def ONNX_HardSwishOp : ONNX_FloatUnary<"HardSwish", "x * max(0, min(1, x / 6 + 0.5))">;
def ONNX_LogOp : ONNX_FloatUnary<"Log", "natural logarithm">;
def ONNX_MishOp : ONNX_FloatUnary<"Mish", "x * tanh(softplus(x))">;
def ONNX_ReciprocalOp : ONNX_FloatUnary<"Reciprocal", "1 / x">;
def ONNX_RoundOp : ONNX_FloatUnary<"Round", "rounding to the nearest integer, halves to even">;
def ONNX_SigmoidOp : ONNX_FloatUnary<"Sigmoid", "1 / (1 + exp(-x))">;
def ONNX_SinOp : ONNX_FloatUnary<"Sin", "sine">;
def ONNX_SinhOp : ONNX_FloatUnary<"Sinh", "hyperbolic sine">;
def ONNX_SoftplusOp : ONNX_FloatUnary<"Softplus", "log(1 + exp(x))">;
def ONNX_SoftsignOp : ONNX_FloatUnary<"Softsign", "x / (1 + |x|)">;
def ONNX_SqrtOp : ONNX_FloatUnary<"Sqrt", "square root">;
def ONNX_TanOp : ONNX_FloatUnary<"Tan", "tangent">;
def ONNX_TanhOp : ONNX_FloatUnary<"Tanh", "hyperbolic tangent">;

def ONNX_CeluOp : ONNX_FloatUnary<"Celu", "max(0, x) + min(0, alpha * (exp(x / alpha) - 1))",
    (ins ONNX_Float<"1.0">:$alpha)>;
def ONNX_EluOp : ONNX_FloatUnary<"Elu", "x, or alpha * (exp(x) - 1) where negative",
    (ins ONNX_Float<"1.0">:$alpha)>;
def ONNX_GeluOp : ONNX_FloatUnary<"Gelu", "x * Phi(x), by erf or (`approximate = \"tanh\"`) tanh",
    (ins ONNX_Str<"none">:$approximate)>;
def ONNX_HardSigmoidOp : ONNX_FloatUnary<"HardSigmoid", "max(0, min(1, alpha * x + beta))",
    (ins ONNX_Float<"0.2">:$alpha, ONNX_Float<"0.5">:$beta)>;
def ONNX_LeakyReluOp : ONNX_FloatUnary<"LeakyRelu", "x, or alpha * x where negative",
    (ins ONNX_Float<"0.01">:$alpha)>;
def ONNX_SeluOp : ONNX_FloatUnary<"Selu", "gamma * x, or gamma * alpha * (exp(x) - 1) where negative",
    (ins ONNX_Float<"1.67326319217681884765625">:$alpha,
         ONNX_Float<"1.05070102214813232421875">:$gamma)>;
def ONNX_SwishOp : ONNX_FloatUnary<"Swish", "x * sigmoid(alpha * x)",
    (ins ONNX_Float<"1.0">:$alpha)>;
def ONNX_ThresholdedReluOp : ONNX_FloatUnary<"ThresholdedRelu", "x where above alpha, else 0",
    (ins ONNX_Float<"1.0">:$alpha)>;

def ONNX_IsNaNOp : ONNX_Test<"IsNaN", "whether an element is NaN">;
def ONNX_IsInfOp : ONNX_Test<"IsInf", "whether an element is infinite",
    (ins ONNX_Int<1>:$detect_negative, ONNX_Int<1>:$detect_positive)>;

//===----------------------------------------------------------------------===//
// Two inputs, broadcast
//===----------------------------------------------------------------------===//

def ONNX_AddOp : ONNX_Binary<"Add", "addition">;
def ONNX_SubOp : ONNX_Binary<"Sub", "subtraction">;
def ONNX_MulOp : ONNX_Binary<"Mul", "multiplication">;
def ONNX_DivOp : ONNX_Binary<"Div", "division, of integers towards 0">;
def ONNX_ModOp : ONNX_Binary<"Mod", "remainder, of the divisor's sign, or the dividend's (`fmod = 1`)",
    ONNX_NumericTensor, (ins ONNX_Int<0>:$fmod)>;
def ONNX_PReluOp : ONNX_Binary<"PRelu", "x, or slope * x where negative">;
def ONNX_AndOp : ONNX_Binary<"And", "logical and", ONNX_BoolTensor>;
def ONNX_OrOp : ONNX_Binary<"Or", "logical or", ONNX_BoolTensor>;
def ONNX_XorOp : ONNX_Binary<"Xor", "logical exclusive or", ONNX_BoolTensor>;
def ONNX_BitwiseAndOp : ONNX_Binary<"BitwiseAnd", "bitwise and", ONNX_IntTensor>;
def ONNX_BitwiseOrOp : ONNX_Binary<"BitwiseOr", "bitwise or", ONNX_IntTensor>;
def ONNX_BitwiseXorOp : ONNX_Binary<"BitwiseXor", "bitwise exclusive or", ONNX_IntTensor>;
def ONNX_BitShiftOp : ONNX_Binary<"BitShift", "bit shift, `direction` LEFT or RIGHT",
    ONNX_IntTensor, (ins StrAttr:$direction)>;

def ONNX_PowOp : ONNX_Op<"Pow",
    (ins ONNX_NumericTensor:$base, ONNX_NumericTensor:$exponent),
    (outs ONNX_NumericTensor:$output), (ins),
    [ResultsBroadcastableShape, ONNX_KeepsElements]> {
  let summary = "power; the exponent may have another element type";
}

def ONNX_EqualOp : ONNX_Compare<"Equal", "equality">;
def ONNX_GreaterOp : ONNX_Compare<"Greater", "lhs > rhs">;
def ONNX_GreaterOrEqualOp : ONNX_Compare<"GreaterOrEqual", "lhs >= rhs">;
def ONNX_LessOp : ONNX_Compare<"Less", "lhs < rhs">;
def ONNX_LessOrEqualOp : ONNX_Compare<"LessOrEqual", "lhs <= rhs">;

//===----------------------------------------------------------------------===//
// More inputs, broadcast
//===----------------------------------------------------------------------===//

def ONNX_MaxOp : ONNX_Nary<"Max", "maximum">;
def ONNX_MinOp : ONNX_Nary<"Min", "minimum">;
def ONNX_MeanOp : ONNX_Nary<"Mean", "mean">;
def ONNX_SumOp : ONNX_Nary<"Sum", "sum">;

def ONNX_WhereOp : ONNX_Op<"Where",
    (ins ONNX_BoolTensor:$condition, ONNX_Tensor:$X, ONNX_Tensor:$Y),
    (outs ONNX_Tensor:$output), (ins), [ResultsBroadcastableShape]> {
  let summary = "X where the condition holds, else Y";
  let hasVerifier = 1;
}

def ONNX_ClipOp : ONNX_Op<"Clip",
    (ins ONNX_NumericTensor:$input, ONNX_Optional<ONNX_NumericTensor>:$min,
         ONNX_Optional<ONNX_NumericTensor>:$max),
    (outs ONNX_NumericTensor:$output), (ins), [ONNX_KeepsElements]> {
  let summary = "limits to [min, max]: scalars, either may be absent";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

def ONNX_CastOp : ONNX_Op<"Cast", (ins ONNX_Tensor:$input), (outs ONNX_Tensor:$output),
    (ins ONNX_OptInt:$to, ONNX_Int<1>:$saturate, ONNX_Str<"up">:$round_mode),
    [SameOperandsAndResultShape]> {
  let summary = "conversion to the result's element type";
  let description = [{
    `to` is the standard's number of the result's element type; it may be left
    out. Floats convert to integers towards 0.
  }];
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def ONNX_CastLikeOp : ONNX_Op<"CastLike",
    (ins ONNX_Tensor:$input, ONNX_Tensor:$target_type), (outs ONNX_Tensor:$output),
    (ins ONNX_Int<1>:$saturate, ONNX_Str<"up">:$round_mode)> {
  let summary = "conversion to another tensor's element type";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def ONNX_QuantizeLinearOp : ONNX_Op<"QuantizeLinear",
    (ins ONNX_Tensor:$x, ONNX_Tensor:$y_scale, ONNX_Optional<ONNX_Tensor>:$y_zero_point),
    (outs ONNX_Tensor:$y),
    (ins ONNX_Int<1>:$axis, ONNX_Int<0>:$block_size, ONNX_Int<0>:$output_dtype,
         ONNX_Int<0>:$precision, ONNX_Int<1>:$saturate),
    [ONNX_SameShapeAsFirst]> {
  let summary = "saturate(round(x / scale) + zero point), per tensor, axis or block";
}

def ONNX_DequantizeLinearOp : ONNX_Op<"DequantizeLinear",
    (ins ONNX_Tensor:$x, ONNX_Tensor:$x_scale, ONNX_Optional<ONNX_Tensor>:$x_zero_point),
    (outs ONNX_FloatTensor:$y),
    (ins ONNX_Int<1>:$axis, ONNX_Int<0>:$block_size, ONNX_Int<0>:$output_dtype),
    [ONNX_SameShapeAsFirst]> {
  let summary = "(x - zero point) * scale, per tensor, axis or block";
}

def ONNX_DynamicQuantizeLinearOp : ONNX_Op<"DynamicQuantizeLinear",
    (ins ONNX_FloatTensor:$x),
    (outs ONNX_Tensor:$y, ONNX_Tensor:$y_scale, ONNX_Tensor:$y_zero_point), (ins),
    [ONNX_SameShapeAsFirst]> {
  let summary = "quantisation to uint8 by the range of the data";
}

def ONNX_DropoutOp : ONNX_Op<"Dropout",
    (ins ONNX_Tensor:$data, ONNX_Optional<ONNX_Tensor>:$ratio,
         ONNX_Optional<ONNX_BoolTensor>:$training_mode),
    (outs ONNX_Tensor:$output, ONNX_Optional<ONNX_BoolTensor>:$mask),
    (ins ONNX_OptInt:$seed), [ONNX_SameShapeAsFirst, ONNX_KeepsElements]> {
  let summary = "the identity, in inference";
  let hasCanonicalizer = 1;
}

def ONNX_IdentityOp : ONNX_Unary<"Identity", "the input", (ins), ONNX_Tensor> {
  let hasFolder = 1;
}

#endif // BITNET_DIALECT_ONNX_IR_ONNXELEMENTWISEOPS
