//===- ONNXDialect.td - The onnx dialect and its op classes -*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_IR_ONNXDIALECT
#define BITNET_DIALECT_ONNX_IR_ONNXDIALECT

include "bitnet/Dialect/ONNX/IR/ONNXInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def ONNX_Dialect : Dialect {
  let name = "onnx";
  let cppNamespace = "::bitnet::onnx";
  let summary = "ONNX graphs of one opset";
  let description = [{
    The importer's view of an ONNX graph. An op stands for one operator of opset
    25 of the standard's default domain; its name, inputs, attributes and defaults
    are the standard's. Graphs of other opsets are converted before.

    - Values are tensors of known rank, `?` where a dimension is dynamic. A
      discardable attribute `onnx.dims`, an array of strings per result, holds the
      names of dynamic dimensions (`""` where fixed or unnamed).
    - Signed integers and booleans (`i1`) are signless, unsigned ones are `ui8`, ….
    - An optional input or output that a node leaves out has type `none`; such
      inputs are results of `onnx.NoValue`. Variadic ones come last.
    - Integers are `i64` attributes, floats `f32`, lists dense arrays, tensors
      elements attributes.

    A constant over 64 KiB is a `dense_resource`. Its blob is row-major and little
    endian; `i1` takes a byte, and 2- and 4-bit integers share bytes, the lowest
    bits first (bitnet/Dialect/ONNX/IR/ElementsData.h reads both forms).
  }];
  let hasConstantMaterializer = 1;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def ONNX_Tensor : RankedTensorOf<[AnyType]>;
def ONNX_BoolTensor : RankedTensorOf<[I1]>;
def ONNX_FloatTensor : RankedTensorOf<[AnyFloat]>;
def ONNX_IntTensor : RankedTensorOf<[AnyInteger]>;
def ONNX_NumericTensor : RankedTensorOf<[AnyInteger, AnyFloat]>;
def ONNX_I64Tensor : RankedTensorOf<[I64]>;
def ONNX_IndexTensor : RankedTensorOf<[I32, I64]>;

/// An input or output that a node may leave out.
class ONNX_Optional<Type type> : AnyTypeOf<[type, NoneType]>;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def ONNX_I64Attr : TypedSignlessIntegerAttrBase<I64, "int64_t",
    "64-bit signless integer attribute">;
class ONNX_Int<int value> : DefaultValuedAttr<ONNX_I64Attr, !cast<string>(value)>;
class ONNX_Float<string value> : DefaultValuedAttr<F32Attr, value # "f">;
class ONNX_Str<string value> : DefaultValuedStrAttr<StrAttr, value>;
def ONNX_OptInt : OptionalAttr<ONNX_I64Attr>;
def ONNX_OptFloat : OptionalAttr<F32Attr>;
def ONNX_OptInts : OptionalAttr<DenseI64ArrayAttr>;

//===----------------------------------------------------------------------===//
// Traits (ONNXTraits.h)
//===----------------------------------------------------------------------===//

class ONNX_Trait<string name> : NativeOpTrait<name> {
  let cppNamespace = "::bitnet::onnx::OpTrait";
}

/// Tensor operands have one element type.
def ONNX_SameOperandElements : ONNX_Trait<"SameOperandElements">;
/// `axis` lies within the first operand's rank.
def ONNX_AxisInRange : ONNX_Trait<"AxisInRange">;
/// The result's rank and element type are those of reducing the first operand.
def ONNX_Reduction : ONNX_Trait<"Reduction">;
/// The first result has the element type of the first operand.
def ONNX_KeepsElements : ONNX_Trait<"KeepsElements">;
/// The first result has the shape of the first operand.
def ONNX_SameShapeAsFirst : ONNX_Trait<"SameShapeAsFirst">;
/// A window slides over the trailing dimensions of an N, C, … tensor.
def ONNX_Window : ONNX_Trait<"Window">;

//===----------------------------------------------------------------------===//
// Op classes
//===----------------------------------------------------------------------===//

/// An op named as in the standard, of `inputs`, `attributes` and `outputs`.
class ONNX_Op<string opType, dag inputs, dag outputs, dag attributes = (ins),
              list<Trait> traits = []>
    : Op<ONNX_Dialect, opType, !listconcat([Pure, ONNX_NodeOpInterface], traits)> {
  let arguments = !con(inputs, attributes);
  let results = outputs;
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  defvar lastInput = !sub(!size(inputs), 1);
  defvar lastOutput = !sub(!size(outputs), 1);
  defvar variadicIn = !if(!lt(lastInput, 0), 0,
      !initialized(!getdagarg<Variadic>(inputs, lastInput)));
  defvar variadicOut = !initialized(!getdagarg<Variadic>(outputs, lastOutput));
  let extraClassDeclaration =
      "static constexpr unsigned numInputs = " # !size(inputs) # ";\n"
      # "static constexpr unsigned numOutputs = " # !size(outputs) # ";\n"
      # "static constexpr bool variadicInputs = " # variadicIn # ";\n"
      # "static constexpr bool variadicOutputs = " # variadicOut # ";\n";
}

/// One input, one output of its shape and element type.
class ONNX_Unary<string opType, string text, dag attributes = (ins),
                 Type type = ONNX_NumericTensor>
    : ONNX_Op<opType, (ins type:$input), (outs type:$output), attributes,
              [SameOperandsAndResultShape, SameOperandsAndResultElementType]> {
  let summary = text;
}
class ONNX_FloatUnary<string opType, string text, dag attributes = (ins)>
    : ONNX_Unary<opType, text, attributes, ONNX_FloatTensor>;

/// One input, booleans of its shape.
class ONNX_Test<string opType, string text, dag attributes = (ins)>
    : ONNX_Op<opType, (ins ONNX_FloatTensor:$input), (outs ONNX_BoolTensor:$output),
              attributes, [SameOperandsAndResultShape]> {
  let summary = text;
}

/// Two broadcast inputs, an output of their element type.
class ONNX_Binary<string opType, string text, Type type = ONNX_NumericTensor,
                  dag attributes = (ins)>
    : ONNX_Op<opType, (ins type:$lhs, type:$rhs), (outs type:$output), attributes,
              [ResultsBroadcastableShape, SameOperandsAndResultElementType]> {
  let summary = text;
}

/// Two broadcast inputs of one element type, booleans.
class ONNX_Compare<string opType, string text>
    : ONNX_Op<opType, (ins ONNX_Tensor:$lhs, ONNX_Tensor:$rhs),
              (outs ONNX_BoolTensor:$output), (ins),
              [ResultsBroadcastableShape, ONNX_SameOperandElements]> {
  let summary = text;
}

/// Any number of broadcast inputs, an output of their element type.
class ONNX_Nary<string opType, string text>
    : ONNX_Op<opType, (ins Variadic<ONNX_NumericTensor>:$inputs),
              (outs ONNX_NumericTensor:$output), (ins),
              [ResultsBroadcastableShape, SameOperandsAndResultElementType]> {
  let summary = text;
}

/// A reduction over `axes`, all of them where it is absent or empty.
class ONNX_Reduce<string opType, string text>
    : ONNX_Op<opType,
              (ins ONNX_Tensor:$data, ONNX_Optional<ONNX_I64Tensor>:$axes),
              (outs ONNX_Tensor:$reduced),
              (ins ONNX_Int<1>:$keepdims, ONNX_Int<0>:$noop_with_empty_axes),
              [ONNX_Reduction]> {
  let summary = text;
}

/// The index of an extremum along one axis.
class ONNX_Arg<string opType, string text>
    : ONNX_Op<opType, (ins ONNX_NumericTensor:$data), (outs ONNX_I64Tensor:$reduced),
              (ins ONNX_Int<0>:$axis, ONNX_Int<1>:$keepdims,
                   ONNX_Int<0>:$select_last_index), [ONNX_AxisInRange]> {
  let summary = text;
}

/// Normalises along one axis, keeping the shape.
class ONNX_AlongAxis<string opType, string text, dag attributes = (ins ONNX_Int<-1>:$axis)>
    : ONNX_Op<opType, (ins ONNX_NumericTensor:$input), (outs ONNX_NumericTensor:$output),
              attributes, [SameOperandsAndResultShape, SameOperandsAndResultElementType,
                           ONNX_AxisInRange]> {
  let summary = text;
}

#endif // BITNET_DIALECT_ONNX_IR_ONNXDIALECT
