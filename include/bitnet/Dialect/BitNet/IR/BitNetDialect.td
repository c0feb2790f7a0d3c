//===- BitNetDialect.td - The bitnet dialect, types, attributes -*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_BITNET_IR_BITNETDIALECT
#define BITNET_DIALECT_BITNET_IR_BITNETDIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/DialectBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/BuiltinTypeInterfaces.td"
include "mlir/IR/TensorEncoding.td"

def BitNet_Dialect : Dialect {
  let name = "bitnet";
  let cppNamespace = "::bitnet";
  let summary = "1-bit and 1.58-bit networks";
  let description = [{
    The `bitnet` dialect holds what is particular to networks with binary and
    ternary weights: the weights' element types, their packing, and the ops of
    the graph in which quantised activations meet them. Whatever upstream has an
    op for stays upstream's (`linalg`, `tensor`, `arith`, `math`).

    Ops are destination-passing: `ins` are read, `outs` give the shape of a result
    and, after bufferization, the memory that is written.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let extraClassDeclaration = [{
    void registerTypes();
    void registerAttributes();
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"
  ];
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class BitNet_Type<string name, string typeMnemonic> : TypeDef<BitNet_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def BitNet_TernaryType : BitNet_Type<"Ternary", "ternary"> {
  let summary = "a weight in {-1, 0, 1}";
  let description = [{
    The element type of a 1.58-bit weight tensor. Where a tensor of it is a
    constant, its blob holds 2-bit codes `w + 1`, row-major, four to a byte, the
    lowest bits first; rows are not padded. The layout phase erases the type to
    packed bytes.

    ```mlir
    tensor<384x1024x!bitnet.ternary>
    ```
  }];
}

def BitNet_BinaryType : BitNet_Type<"Binary", "binary"> {
  let summary = "a weight in {-1, 1}";
  let description = [{
    The element type of a 1-bit weight tensor. Where a tensor of it is a constant,
    its blob holds 1-bit codes `(w + 1) / 2`, row-major, eight to a byte, the
    lowest bit first; rows are not padded.

    ```mlir
    tensor<1024x256x!bitnet.binary>
    ```
  }];
}

//===----------------------------------------------------------------------===//
// Enumerations
//===----------------------------------------------------------------------===//

class BitNet_Enum<string name, string description, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, description, cases> {
  let cppNamespace = "::bitnet";
  let genSpecializedAttr = 0;
}

class BitNet_EnumAttr<EnumAttrInfo info, string attrMnemonic>
    : EnumAttr<BitNet_Dialect, info, attrMnemonic> {
  let assemblyFormat = "`<` $value `>`";
}

def BitNet_Granularity : BitNet_Enum<"Granularity",
    "what shares an activation scale", [
      I32EnumAttrCase<"Token", 0, "token">,
      I32EnumAttrCase<"Tensor", 1, "tensor">]>;
def BitNet_GranularityAttr : BitNet_EnumAttr<BitNet_Granularity, "granularity">;

def BitNet_Scaling : BitNet_Enum<"Scaling",
    "the float operations by which a quantiser scales", [
      // x * ((1 / absmax) * qb)
      I32EnumAttrCase<"ReciprocalMultiply", 0, "reciprocal_multiply">,
      // x * (qb / absmax)
      I32EnumAttrCase<"DivideMultiply", 1, "divide_multiply">,
      // (x * qb) / absmax
      I32EnumAttrCase<"MultiplyDivide", 2, "multiply_divide">,
      // x / (absmax / qb)
      I32EnumAttrCase<"DivideStep", 3, "divide_step">,
      // x * (1 / (absmax / qb))
      I32EnumAttrCase<"ReciprocalStep", 4, "reciprocal_step">,
      // (x / absmax) * qb
      I32EnumAttrCase<"NormalizeMultiply", 5, "normalize_multiply">]>;
def BitNet_ScalingAttr : BitNet_EnumAttr<BitNet_Scaling, "scaling">;

def BitNet_Activation : BitNet_Enum<"Activation",
    "the function applied at the end of a linear layer", [
      I32EnumAttrCase<"None", 0, "none">,
      I32EnumAttrCase<"Relu", 1, "relu">,
      I32EnumAttrCase<"ReluSquared", 2, "relu_squared">]>;
def BitNet_ActivationAttr : BitNet_EnumAttr<BitNet_Activation, "activation">;

def BitNet_NormKind : BitNet_Enum<"NormKind", "the statistic of a norm", [
      I32EnumAttrCase<"RMS", 0, "rms">,
      I32EnumAttrCase<"Layer", 1, "layer">]>;
def BitNet_NormKindAttr : BitNet_EnumAttr<BitNet_NormKind, "norm_kind">;

def BitNet_Lowering : BitNet_Enum<"Lowering",
    "the inner loop of a low-bit matmul", [
      I32EnumAttrCase<"Auto", 0, "auto">,
      I32EnumAttrCase<"Dot", 1, "dot">,
      I32EnumAttrCase<"LUT", 2, "lut">,
      I32EnumAttrCase<"AddSub", 3, "addsub">,
      I32EnumAttrCase<"Popcount", 4, "popcount">]>;
def BitNet_LoweringAttr : BitNet_EnumAttr<BitNet_Lowering, "lowering">;

def BitNet_CacheType : BitNet_Enum<"CacheType",
    "the element type of a KV cache", [
      I32EnumAttrCase<"F32", 0, "f32">,
      I32EnumAttrCase<"F16", 1, "f16">,
      I32EnumAttrCase<"BF16", 2, "bf16">]>;

def BitNet_Fetch : BitNet_Enum<"Fetch",
    "where weights are fetched ahead to", [
      I32EnumAttrCase<"Far", 0, "far">,
      I32EnumAttrCase<"Near", 1, "near">]>;
def BitNet_FetchAttr : BitNet_EnumAttr<BitNet_Fetch, "fetch">;

def BitNet_PackingScheme : BitNet_Enum<"PackingScheme",
    "how codes share bytes", [
      I32EnumAttrCase<"Planes2", 0, "planes2">,
      I32EnumAttrCase<"Planes1", 1, "planes1">,
      I32EnumAttrCase<"Base3", 2, "base3">]>;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class BitNet_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<BitNet_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def BitNet_PackingAttr : BitNet_Attr<"Packing", "packing",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "the layout of packed weights, as a tensor encoding";
  let description = [{
    Says how a logical `[N, K]` tensor of low-bit weights lies in bytes. Rows (N,
    the outputs) are grouped in tiles of `rows`; within a tile, K advances in
    blocks. Both extents are padded up to whole tiles and blocks; padding has the
    code of 0 (ternary), or the code of -1 met by zero activations (binary).

    A block holds, for each row of the tile, in order, `unit` bytes: 4 unless it is
    said.

    `planes2`: a byte holds four 2-bit codes `w + 1`, field `f` at bits `2f`. A
    block covers `4 * unit` K; field `f` of byte `b` is
    `k = 4 * unit * block + unit * f + b`. So the bytes of a row, masked, meet
    `unit` consecutive activations, and nothing is summed across rows: 4 are what
    dot products of 32-bit lanes take, 8 what ARM's smmla takes.

    `planes1`: a byte holds eight 1-bit codes `(w + 1) / 2`, field `f` at bit `f`.
    A block covers `8 * unit` K; field `f` of byte `b` is
    `k = 8 * unit * block + unit * f + b`.

    `base3`: a byte holds five ternary codes `w + 1`, nearly as the digits of a number
    to base 3: `84 * c0 + 28 * c1 + 9 * c2 + 3 * c3 + c4`. (28 is a multiple of 4, so
    that the byte's upper six bits determine the first two.) A block covers
    `5 * unit` K; digit `f` of byte `b` is `k = 5 * unit * block + unit * f + b`. That
    is 1.6 bits a weight. Tables of sums that `bitnet.prepare` makes are not indexed by
    such bytes.

    ```mlir
    tensor<384x1024x!bitnet.ternary, #bitnet.packing<planes2, rows = 64>>
    tensor<384x1024x!bitnet.ternary, #bitnet.packing<planes2, rows = 64, unit = 8>>
    ```
  }];
  let parameters = (ins
    EnumParameter<BitNet_PackingScheme>:$scheme,
    "int64_t":$rows,
    DefaultValuedParameter<"int64_t", "4">:$unit);
  let assemblyFormat =
    "`<` $scheme `,` `rows` `=` $rows (`,` `unit` `=` $unit^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bits of a code on its own, and how many codes a byte holds.
    int64_t getCodeBits() const;
    int64_t getFields() const;
    /// By what the codes of a byte of base3 are multiplied.
    static ::llvm::ArrayRef<int64_t> getPlaceValues();
    /// K covered by one block, and the bytes of a block of one tile.
    int64_t getBlock() const { return getFields() * getUnit(); }
    int64_t getBlockBytes() const { return getRows() * getUnit(); }
    /// N, K rounded up to whole tiles and blocks.
    int64_t getPaddedRows(int64_t n) const;
    int64_t getPaddedColumns(int64_t k) const;
    /// Bytes of a packed [n, k] tensor.
    int64_t getByteSize(int64_t n, int64_t k) const;
  }];
}

def BitNet_TargetAttr : BitNet_Attr<"Target", "target"> {
  let summary = "the machine that code is generated for";
  let description = [{
    One variant of an artifact: the triple, a CPU as LLVM names it for
    scheduling, and the features that the code needs.

    ```mlir
    #bitnet.target<"x86-64-v3", triple = "x86_64-unknown-linux-gnu", cpu = "haswell", features = ["avx2", "fma"]>
    ```
  }];
  let parameters = (ins
    StringRefParameter<>:$name, StringRefParameter<>:$triple, StringRefParameter<>:$cpu,
    OptionalArrayRefParameter<"::mlir::StringAttr">:$features);
  let assemblyFormat = [{
    `<` $name `,` `triple` `=` $triple `,` `cpu` `=` $cpu `,`
    `features` `=` `[` (`]`) : ($features^ `]`)? `>`
  }];
  let extraClassDeclaration = [{
    bool hasFeature(::llvm::StringRef feature) const;
  }];
}

#endif // BITNET_DIALECT_BITNET_IR_BITNETDIALECT
