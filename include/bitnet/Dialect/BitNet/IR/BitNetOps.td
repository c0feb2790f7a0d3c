//===- BitNetOps.td - Ops of the bitnet dialect ---------------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_BITNET_IR_BITNETOPS
#define BITNET_DIALECT_BITNET_IR_BITNETOPS

include "bitnet/Dialect/BitNet/IR/BitNetDialect.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class BitNet_Op<string opMnemonic, list<Trait> traits = []>
    : Op<BitNet_Dialect, opMnemonic, traits>;

/// Reads `ins`, writes the one of `outs`: a result on tensors, none on memrefs.
class BitNet_DPSOp<string opMnemonic, list<Trait> traits = []>
    : BitNet_Op<opMnemonic, !listconcat([
        DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
        DeclareOpInterfaceMethods<ConditionallySpeculatable>], traits)> {
  let results = (outs Optional<AnyRankedTensor>:$result);
  let hasVerifier = 1;
  code dpsMethods = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(
          getOperation(), getOutputMutable().getOperandNumber(), 1);
    }
  }];
  let extraClassDeclaration = dpsMethods;
}

def BitNet_Shaped : AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef]>;

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

def BitNet_ConstantOp : BitNet_Op<"constant",
    [ConstantLike, Pure, AllTypesMatch<["value", "result"]>]> {
  let summary = "low-bit weights";
  let description = [{
    A constant `[N, K]` tensor (outputs by inputs) of ternary or binary weights.
    The value's blob holds codes as the element type's documentation says.

    ```mlir
    %w = bitnet.constant dense_resource<w0> : tensor<384x1024x!bitnet.ternary>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "attr-dict $value";
  let builders = [OpBuilder<(ins "::mlir::ElementsAttr":$value), [{
    build($_builder, $_state, value.getType(), value);
  }]>];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def BitNet_ArchiveOp : BitNet_Op<"archive", [Pure]> {
  let summary = "a tensor in the weight archive";
  let description = [{
    Stands for read-only bytes of the artifact's archive, at `offset`.

    ```mlir
    %w = bitnet.archive "w0" at 4096 : tensor<98304xi8>
    ```
  }];
  let arguments = (ins StrAttr:$entry, I64Attr:$offset);
  let results = (outs BitNet_Shaped:$result);
  let assemblyFormat = "$entry `at` $offset attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def BitNet_FetchDistanceOp : BitNet_Op<"fetch_distance", [Pure]> {
  let summary = "how far ahead of its loads a kernel fetches weights, in bytes";
  let description = [{
    Stands for a number that the runtime knows of the machine, the same throughout a
    call: for weights that go to the second cache (`far`), or from there to the nearest
    (`near`). 0, where the machine does better by itself, asks for what is read anyway.

    ```mlir
    %d = bitnet.fetch_distance <far>
    %at = arith.addi %offset, %d : index
    memref.prefetch %w[%at], read, locality<2>, data : memref<98304xi8>
    ```
  }];
  let arguments = (ins BitNet_FetchAttr:$fetch);
  let results = (outs Index:$result);
  let assemblyFormat = "$fetch attr-dict";
}

//===----------------------------------------------------------------------===//
// Quantised linear layers
//===----------------------------------------------------------------------===//

def BitNet_QuantizeOp : BitNet_DPSOp<"quantize", [AttrSizedOperandSegments]> {
  let summary = "absmax quantisation of activations";
  let description = [{
    Quantises `[M, K]` floats. With `a` the largest magnitude of a token (a row) or
    of the whole tensor, clamped from below to `epsilon`, and Qb the `bound`:

        q    = clip(roundeven(x scaled by Qb / a), qmin, qmax)
        step = a / Qb          (so that x is about q * step)
        sum  = the sum of a row of q, the correction term of offset codes

    `scaling` says by which float operations x is scaled, so that integers equal
    the graph's. Results: q `[M, K']` of i8 or i16, with K' >= K, the columns from
    K on being zero (the layout phase pads them); step `[M]`, or `[1]` for
    granularity `tensor`; sum `[M]` of i32.

    With `norm`, what is quantised is a norm of the rows of x, as bitnet.norm
    defines it, with `norm_epsilon`, `weight` and `bias`: each token in one pass.

    ```mlir
    %q:3 = bitnet.quantize ins(%x : tensor<4x384xf32>)
        outs(%0, %1, %2 : tensor<4x384xi8>, tensor<4xf32>, tensor<4xi32>)
        {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64}
        -> tensor<4x384xi8>, tensor<4xf32>, tensor<4xi32>
    ```
  }];
  let arguments = (ins
    BitNet_Shaped:$input, Optional<BitNet_Shaped>:$weight,
    Optional<BitNet_Shaped>:$bias, BitNet_Shaped:$values,
    BitNet_Shaped:$steps, BitNet_Shaped:$sums,
    DefaultValuedAttr<BitNet_GranularityAttr, "Granularity::Token">:$granularity,
    DefaultValuedAttr<BitNet_ScalingAttr, "Scaling::ReciprocalMultiply">:$scaling,
    F32Attr:$bound, F32Attr:$epsilon, I64Attr:$qmin, I64Attr:$qmax,
    OptionalAttr<BitNet_NormKindAttr>:$norm, OptionalAttr<F32Attr>:$norm_epsilon);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ins` `(` $input `:` type($input) `)`
    (`weight` `(` $weight^ `:` type($weight) `)`)? (`bias` `(` $bias^ `:` type($bias) `)`)?
    `outs` `(` $values `,` $steps `,` $sums `:` type($values) `,` type($steps) `,` type($sums) `)`
    attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(
          getOperation(), getValuesMutable().getOperandNumber(), 3);
    }
  }];
}

def BitNet_PrepareOp : BitNet_DPSOp<"prepare"> {
  let summary = "activations in the form that a lowering reads";
  let description = [{
    Rewrites integer activations `[M, K']` (i8, whole blocks of the packing) once
    for all low-bit matmuls that read them, instead of once a tile of outputs.

    A row has one or two parts of four bytes in a block of packed weights, by the
    packing's unit; L below is the number of its parts along K.

    `lut`: `[M, 256 * L]` of i8, tables of partial sums. A half of a byte of
    packed weights, four bits, holds the codes of two ternary or four binary
    weights, and indexes a table of 16 sums of these weights times their
    activations. A sum is 16 bits wide, and its low and high bytes lie in tables
    of their own: byte `b` of part `l`, half `h`, low (`p = 0`) or high byte
    are at `256 * l + 64 * (2 * h + p) + 16 * b`.

    `token_blocks` are sizes of blocks of tokens that share tables for `lut`: the first
    tokens make blocks of the first size, those left blocks of the next; what is then
    left has no tables, and matmuls read its activations as they are. The tables of a block of T tokens take the place of
    its T rows. Their entries are vectors of T i16: entry `e` for half `h` of byte `b`
    of part `l` is `2 * T * (16 * (8 * l + 2 * b + h) + e)` bytes after the block's first
    row begins. Entries that no codes select are not written.

    `popcount`: `[M, 2 * L]` of i32, for activations in {-1, 0, 1}. A part has two
    words whose bits lie as those of the packed weights of a row: the bits
    of the first are set where the activation is -1, of the second where it is not 0.

    ```mlir
    %t = bitnet.prepare ins(%q : tensor<4x384xi8>) outs(%0 : tensor<4x6144xi8>)
        {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>}
        -> tensor<4x6144xi8>
    ```
  }];
  let arguments = (ins BitNet_Shaped:$input, BitNet_Shaped:$output,
    BitNet_LoweringAttr:$lowering, BitNet_PackingAttr:$packing,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$token_blocks);
  let assemblyFormat = [{
    `ins` `(` $input `:` type($input) `)` `outs` `(` $output `:` type($output) `)`
    attr-dict (`->` type($result)^)?
  }];
  let extraClassDeclaration = dpsMethods # [{
    /// The form of `tokens` rows of `k` activations; null for a lowering that
    /// reads activations as they are.
    static ::mlir::RankedTensorType getPreparedType(
        ::bitnet::Lowering lowering, ::bitnet::PackingAttr packing,
        int64_t tokens, int64_t k);
  }];
}

def BitNet_MatmulOp : BitNet_DPSOp<"matmul"> {
  let summary = "activations times low-bit weights";
  let description = [{
    `out[m, n] = sum over k of lhs[m, k] * weight[n, k]`. Integer activations sum
    exactly in i32; float activations (weight-only models) in f32. The layout phase
    packs the weights as it does those of bitnet.linear, which documents `packing`,
    `rows`, `columns`, `magnitude`, `prepared` and `token_blocks`; `lhs` may then have
    more columns than K.

    ```mlir
    %c = bitnet.matmul ins(%q, %w : tensor<4x384xi8>, tensor<128x384x!bitnet.ternary>)
        outs(%0 : tensor<4x128xi32>) -> tensor<4x128xi32>
    ```
  }];
  let arguments = (ins BitNet_Shaped:$lhs, BitNet_Shaped:$weight,
    Optional<BitNet_Shaped>:$prepared, BitNet_Shaped:$output,
    DefaultValuedAttr<BitNet_LoweringAttr, "Lowering::Auto">:$lowering,
    OptionalAttr<BitNet_PackingAttr>:$packing,
    OptionalAttr<I64Attr>:$rows, OptionalAttr<I64Attr>:$columns,
    OptionalAttr<I64Attr>:$magnitude,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$token_blocks);
  let assemblyFormat = [{
    `ins` `(` $lhs `,` $weight `:` type($lhs) `,` type($weight) `)`
    (`prepared` `(` $prepared^ `:` type($prepared) `)`)?
    `outs` `(` $output `:` type($output) `)` attr-dict (`->` type($result)^)?
  }];
  let extraClassDeclaration = dpsMethods # [{
    /// Logical extents of the weight, also when it is packed.
    int64_t getN();
    int64_t getK();
  }];
}

def BitNet_RescaleOp : BitNet_DPSOp<"rescale"> {
  let summary = "integer sums to floats";
  let description = [{
    `out[m, n] = acc[m, n] * step[m] * scale[n]`. `step` is `[M]` or `[1]`, `scale`
    `[N]` or `[1]`.

    ```mlir
    %y = bitnet.rescale ins(%c, %step, %scale : tensor<4x128xi32>, tensor<4xf32>, tensor<1xf32>)
        outs(%0 : tensor<4x128xf32>) -> tensor<4x128xf32>
    ```
  }];
  let arguments = (ins BitNet_Shaped:$acc, BitNet_Shaped:$step,
    BitNet_Shaped:$scale, BitNet_Shaped:$output);
  let assemblyFormat = [{
    `ins` `(` $acc `,` $step `,` $scale `:` type($acc) `,` type($step) `,` type($scale) `)`
    `outs` `(` $output `:` type($output) `)` attr-dict (`->` type($result)^)?
  }];
}

def BitNet_LinearOp : BitNet_DPSOp<"linear", [AttrSizedOperandSegments]> {
  let summary = "a fused low-bit linear layer";
  let description = [{
    Matmul, rescale, bias and activation function in one:

        out[m, n] = f(sum over k of lhs[m, k] * weight[n, k] * scale[n, k / group]
                      * step[m] + bias[n]) * factor[m, n] + addend[m, n]

    `lhs` is `[M, K']` as bitnet.quantize gives it (integers, with `step` and
    `sum`), or `[M, K]` floats without `step` and `sum` (weight-only). `weight` is
    `[N, K]`, or its packed bytes once the layout phase chose `packing` (then
    `columns` holds K, N is `rows`, and float activations have whole blocks of
    columns). `scale` is `[1]`, `[N]`, or `[N, K / group]` (`[K / group, N]` beside
    packed weights) where a row's scale changes along K. `bias`, `factor` (a gate, say) and
    `addend` (a residual) may be absent. Sums of integers are exact within a group.

    `magnitude` says that no element of an integer `lhs` exceeds it: the layout
    phase sets it where the quantiser's range is {-1, 0, 1}, which `popcount` needs.
    `prepared` are the same activations as bitnet.prepare gives them, where the
    lowering reads such; bitnet.prepare then has the matmul's lowering, packing and
    `token_blocks`.

    ```mlir
    %y = bitnet.linear ins(%q#0, %w, %s : tensor<4x384xi8>, tensor<128x384x!bitnet.ternary>, tensor<1xf32>)
        quantized(%q#1, %q#2 : tensor<4xf32>, tensor<4xi32>)
        outs(%0 : tensor<4x128xf32>) {activation = #bitnet.activation<relu>} -> tensor<4x128xf32>
    %z = bitnet.linear ins(%q#0, %v, %s : tensor<4x384xi8>, tensor<128x384x!bitnet.ternary>, tensor<1xf32>)
        quantized(%q#1, %q#2 : tensor<4xf32>, tensor<4xi32>)
        times(%y : tensor<4x128xf32>) plus(%r : tensor<4x128xf32>) outs(%0 : tensor<4x128xf32>) -> tensor<4x128xf32>
    ```
  }];
  let arguments = (ins
    BitNet_Shaped:$lhs, BitNet_Shaped:$weight, BitNet_Shaped:$scale,
    Optional<BitNet_Shaped>:$step, Optional<BitNet_Shaped>:$sum,
    Optional<BitNet_Shaped>:$bias, Optional<BitNet_Shaped>:$factor,
    Optional<BitNet_Shaped>:$addend, Optional<BitNet_Shaped>:$prepared,
    BitNet_Shaped:$output,
    DefaultValuedAttr<BitNet_ActivationAttr, "Activation::None">:$activation,
    DefaultValuedAttr<BitNet_LoweringAttr, "Lowering::Auto">:$lowering,
    OptionalAttr<BitNet_PackingAttr>:$packing,
    OptionalAttr<I64Attr>:$rows, OptionalAttr<I64Attr>:$columns,
    OptionalAttr<I64Attr>:$magnitude,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$token_blocks);
  let assemblyFormat = [{
    `ins` `(` $lhs `,` $weight `,` $scale `:` type($lhs) `,` type($weight) `,` type($scale) `)`
    (`quantized` `(` $step^ `,` $sum `:` type($step) `,` type($sum) `)`)?
    (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`times` `(` $factor^ `:` type($factor) `)`)? (`plus` `(` $addend^ `:` type($addend) `)`)?
    (`prepared` `(` $prepared^ `:` type($prepared) `)`)?
    `outs` `(` $output `:` type($output) `)` attr-dict (`->` type($result)^)?
  }];
  let extraClassDeclaration = dpsMethods # [{
    /// Logical extents of the weight, also when it is packed.
    int64_t getN();
    int64_t getK();
  }];
}

//===----------------------------------------------------------------------===//
// The rest of a transformer block
//===----------------------------------------------------------------------===//

def BitNet_NormOp : BitNet_DPSOp<"norm", [AttrSizedOperandSegments]> {
  let summary = "RMSNorm or LayerNorm over the last dimension";
  let description = [{
    `rms`:   `out = x / sqrt(mean(x^2) + epsilon) * weight + bias`
    `layer`: `out = (x - mean(x)) / sqrt(var(x) + epsilon) * weight + bias`

    over rows of `[M, D]`; `weight` and `bias` are `[D]` and optional.

    ```mlir
    %y = bitnet.norm ins(%x : tensor<4x384xf32>) weight(%w : tensor<384xf32>)
        outs(%0 : tensor<4x384xf32>) {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32} -> tensor<4x384xf32>
    ```
  }];
  let arguments = (ins BitNet_Shaped:$input, Optional<BitNet_Shaped>:$weight,
    Optional<BitNet_Shaped>:$bias, BitNet_Shaped:$output,
    BitNet_NormKindAttr:$kind, F32Attr:$epsilon);
  let assemblyFormat = [{
    `ins` `(` $input `:` type($input) `)` (`weight` `(` $weight^ `:` type($weight) `)`)?
    (`bias` `(` $bias^ `:` type($bias) `)`)?
    `outs` `(` $output `:` type($output) `)` attr-dict (`->` type($result)^)?
  }];
}

def BitNet_RotaryOp : BitNet_DPSOp<"rotary"> {
  let summary = "rotary position embedding";
  let description = [{
    `out = x * cos + rotate_half(x) * sin` on `[B, H, S, D]`, where rotate_half
    swaps the halves of D and negates the new first one. `cos` and `sin` are
    `[B or 1, S, D]`.

    ```mlir
    %y = bitnet.rotary ins(%x, %c, %s : tensor<1x6x4x64xf32>, tensor<1x4x64xf32>, tensor<1x4x64xf32>)
        outs(%0 : tensor<1x6x4x64xf32>) -> tensor<1x6x4x64xf32>
    ```
  }];
  let arguments = (ins BitNet_Shaped:$input, BitNet_Shaped:$cos,
    BitNet_Shaped:$sin, BitNet_Shaped:$output);
  let assemblyFormat = [{
    `ins` `(` $input `,` $cos `,` $sin `:` type($input) `,` type($cos) `,` type($sin) `)`
    `outs` `(` $output `:` type($output) `)` attr-dict (`->` type($result)^)?
  }];
}

def BitNet_TopLogitsOp : BitNet_DPSOp<"top_logits"> {
  let summary = "the largest logits of a language model's head, exactly";
  let description = [{
    With `hidden` `[1, K]` (f32) and the head's `weight` `[V, K]`, writes logits
    `[1, V]` of which the `count` `[1]` (i64) largest are those of
    `hidden . weight`, to the bit; another is either right, too, or -infinity.

    It reads few of the weights. `high` and `low` `[V, K'/2]` are the half bytes of an
    8-bit copy of each row, K' being K rounded up to 128: with `u` and `l` in 0 .. 15,
    a weight is about `scale * (16 * (u - 8) + l)`. Byte j of 64 holds columns j and j + 64
    of 128. `bounds` `[2, V]` bound the error of a row's logit, as a multiple of the
    Euclidean norm of `hidden`: by `high` alone (`l` taken for 7.5), and by both.
    docs/lowerings.md has the argument.

    `lower` `[V]` is room for the lower bounds of logits. `read` `[1]` (i64) tells how many
    bytes of the weights and of their copy were read.

    ```mlir
    %l:3 = bitnet.top_logits ins(%h, %w, %n : tensor<1x384xf32>, tensor<4096x384xbf16>, tensor<1xi64>)
        screen(%high, %low, %scale, %bounds : tensor<4096x192xi8>, tensor<4096x192xi8>, tensor<4096xf32>, tensor<2x4096xf32>)
        outs(%0, %1, %2 : tensor<1x4096xf32>, tensor<4096xf32>, tensor<1xi64>)
        -> tensor<1x4096xf32>, tensor<4096xf32>, tensor<1xi64>
    ```
  }];
  let arguments = (ins BitNet_Shaped:$hidden, BitNet_Shaped:$weight,
    BitNet_Shaped:$count, BitNet_Shaped:$high, BitNet_Shaped:$low,
    BitNet_Shaped:$scale, BitNet_Shaped:$bounds, BitNet_Shaped:$logits,
    BitNet_Shaped:$lower, BitNet_Shaped:$read);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ins` `(` $hidden `,` $weight `,` $count `:` type($hidden) `,` type($weight) `,` type($count) `)`
    `screen` `(` $high `,` $low `,` $scale `,` $bounds `:` type($high) `,` type($low) `,` type($scale) `,` type($bounds) `)`
    `outs` `(` $logits `,` $lower `,` $read `:` type($logits) `,` type($lower) `,` type($read) `)`
    attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getOperation(), 7, 3);
    }
    /// Bytes of a row of `high` and of `low`, of `columns` weights.
    static int64_t getRowBytes(int64_t columns) {
      return (columns + 127) / 128 * 64;
    }
  }];
}

def BitNet_CacheUpdateOp : BitNet_DPSOp<"cache_update"> {
  let summary = "writes new keys or values into a KV cache, in place";
  let description = [{
    Writes `new` `[B, H, S, D]` into rows `position .. position + S - 1` of the cache
    `[B, H, C, D]`, C being its capacity. The caller guarantees that they fit. A cache of
    f16 or bf16 takes what f32 rounds to, ties to even.

    ```mlir
    %c = bitnet.cache_update ins(%new, %position : tensor<1x2x1x64xf32>, index)
        outs(%cache : tensor<1x2x1024x64xf32>) -> tensor<1x2x1024x64xf32>
    ```
  }];
  let arguments = (ins BitNet_Shaped:$input, Index:$position,
    BitNet_Shaped:$output);
  let assemblyFormat = [{
    `ins` `(` $input `,` $position `:` type($input) `,` `index` `)`
    `outs` `(` $output `:` type($output) `)` attr-dict (`->` type($result)^)?
  }];
}

def BitNet_AttentionOp : BitNet_DPSOp<"attention", [AttrSizedOperandSegments]> {
  let summary = "grouped-query attention";
  let description = [{
    `out[b, h, i] = sum over j of softmax_j(q[b, h, i] . k[b, g, j] * scale + mask[b, h, i, j]) * v[b, g, j]`
    with `q` `[B, H, S, D]`, `k` `[B, G, T, D]`, `v` `[B, G, T, E]`, `g = h / (H / G)`,
    `out` `[B, H, S, E]`. `mask` is added to the scores and broadcasts from
    `[B or 1, H or 1, S or 1, T]`. `k` and `v` may be f16 or bf16, and are then widened to
    f32 as they are read.

    With `position`, k and v are caches of capacity T of which the first
    `position + S` keys exist; with `causal` too, query i sees the keys
    `j <= position + i` only (position 0 where it is absent).

    ```mlir
    %y = bitnet.attention ins(%q, %k, %v : tensor<1x6x1x64xf32>, tensor<1x2x1024x64xf32>, tensor<1x2x1024x64xf32>)
        position(%p) outs(%0 : tensor<1x6x1x64xf32>) {scale = 0.125 : f32, causal} -> tensor<1x6x1x64xf32>
    ```
  }];
  let arguments = (ins BitNet_Shaped:$query, BitNet_Shaped:$key,
    BitNet_Shaped:$value, Optional<BitNet_Shaped>:$mask,
    Optional<Index>:$position, BitNet_Shaped:$output,
    F32Attr:$scale, UnitAttr:$causal);
  let assemblyFormat = [{
    `ins` `(` $query `,` $key `,` $value `:` type($query) `,` type($key) `,` type($value) `)`
    (`mask` `(` $mask^ `:` type($mask) `)`)? (`position` `(` $position^ `)`)?
    `outs` `(` $output `:` type($output) `)` attr-dict (`->` type($result)^)?
  }];
}

#endif // BITNET_DIALECT_BITNET_IR_BITNETOPS
