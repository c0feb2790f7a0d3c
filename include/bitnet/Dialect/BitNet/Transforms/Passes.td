//===- Passes.td - Passes on the bitnet dialect ----------------*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_BITNET_TRANSFORMS_PASSES
#define BITNET_DIALECT_BITNET_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

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

def FuseOperands : Pass<"bitnet-fuse-operands"> {
  let summary = "multiply by gates and add residuals in bitnet.linear";
  let description = [{
    The product of a linear layer's result, which nothing else uses, and a tensor of
    the same shape becomes part of the layer, and so does the sum. The layer moves to
    where the product was.

    ```mlir
    %y = bitnet.linear ins(%q#0, %w, %s : ...) quantized(...) outs(%0 : tensor<4x128xf32>)
        {activation = #bitnet.activation<relu_squared>} -> tensor<4x128xf32>
    %z = linalg.mul ins(%y, %up : tensor<4x128xf32>, tensor<4x128xf32>) outs(%1 : tensor<4x128xf32>) -> tensor<4x128xf32>
    // becomes
    %z = bitnet.linear ins(%q#0, %w, %s : ...) quantized(...) times(%up : tensor<4x128xf32>)
        outs(%0 : tensor<4x128xf32>) {activation = #bitnet.activation<relu_squared>} -> tensor<4x128xf32>
    ```
  }];
  let statistics = [
    Statistic<"numFactors", "factors", "Number of products fused">,
    Statistic<"numAddends", "addends", "Number of sums fused">
  ];
}

def FuseNorms : Pass<"bitnet-fuse-norms"> {
  let summary = "quantise norms as they are computed";
  let description = [{
    A bitnet.norm that only one bitnet.quantize, of tokens, uses becomes part of it:
    a token's norm stays in the caches.

    ```mlir
    %n = bitnet.norm ins(%x : tensor<4x384xf32>) weight(%w : tensor<384xf32>) outs(%0 : tensor<4x384xf32>)
        {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32} -> tensor<4x384xf32>
    %q:3 = bitnet.quantize ins(%n : tensor<4x384xf32>) outs(%1, %2, %3 : ...) {...} -> ...
    // becomes
    %q:3 = bitnet.quantize ins(%x : tensor<4x384xf32>) weight(%w : tensor<384xf32>) outs(%1, %2, %3 : ...)
        {norm = #bitnet.norm_kind<rms>, norm_epsilon = 1.0e-5 : f32, ...} -> ...
    ```
  }];
  let statistics = [Statistic<"numFused", "fused", "Number of norms fused">];
}

def NarrowConstants : Pass<"bitnet-narrow-constants", "::mlir::ModuleOp"> {
  let summary = "store f32 constants as bf16 where no bit is lost";
  let description = [{
    A large f32 constant whose every value is a bf16 (a checkpoint stored in bf16,
    exported to float) takes half the memory and bandwidth as bf16, and gives the
    same results. A constant that is f16 or bf16 already, and extended as a whole, is
    read as it is stored. Uses in the bodies of linalg ops (contractions, and gathers
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

def DeriveEntries : Pass<"bitnet-derive-entries", "::mlir::ModuleOp"> {
  let summary = "give a decoder entries that do less than all logits";
  let description = [{
    Of a decoder whose logits are a product of the last hidden states and the constant
    weights of its head, derives

    - `@fill` from `@prefill`: what the head takes, `[1, S, K]`, and no logits. Of a
      prompt only the last token's logits are wanted. Of several entries of the kind
      "prefill" each gives one (`@prefill_128` `@fill_128`), and the first stays.
    - `@top` from `@decode`: a second argument, `top_k`, says how many of the largest
      logits are wanted, and bitnet.top_logits gives them, by an 8-bit copy of
      the head's weights which is made here.

    Where logits are something else (a bias is added, say), or the head has fewer than
    `min-rows` rows, nothing is derived.

    ```mlir
    func.func @decode(%tokens: tensor<1x1xi64>, ...) -> tensor<1x1x4096xf32> attributes {bitnet.entry = "decode"}
    // also gives
    func.func @top(%tokens: tensor<1x1xi64>, ..., %top_k: tensor<1xi64>)
        -> (tensor<1x1x4096xf32>, tensor<1xi64>) attributes {bitnet.entry = "top"}
    ```
  }];
  let options = [
    Option<"screens", "screens", "bool", "true", "derive @top">,
    Option<"minRows", "min-rows", "int64_t", "4096",
           "the fewest rows of a head that is worth a copy">
  ];
  let statistics = [
    Statistic<"numDerived", "derived", "entries derived"> ];
  let dependentDialects = ["::bitnet::BitNetDialect", "::mlir::arith::ArithDialect",
    "::mlir::tensor::TensorDialect"];
}

def Layout : Pass<"bitnet-layout", "::mlir::ModuleOp"> {
  let summary = "pack low-bit weights and move constants to the archive";
  let description = [{
    Chooses a packing for the weights of every bitnet.linear and bitnet.matmul, pads
    the activations that meet them to whole blocks, notes where a quantiser bounds
    these to {-1, 0, 1} (`magnitude`), and replaces the weights, and every other
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
             clEnumValN(::bitnet::Lowering::LUT, "lut", "lookup tables"),
             clEnumValN(::bitnet::Lowering::AddSub, "addsub", "masked additions"),
             clEnumValN(::bitnet::Lowering::Popcount, "popcount", "bit counts"))}]>,
    Option<"ternaryPacking", "ternary-packing", "::bitnet::PackingScheme",
           "::bitnet::PackingScheme::Planes2",
           "how ternary weights share bytes, where groups of scales allow it", [{::llvm::cl::values(
             clEnumValN(::bitnet::PackingScheme::Planes2, "planes2", "four to a byte"),
             clEnumValN(::bitnet::PackingScheme::Base3, "base3", "five to a byte"))}]>,
    Option<"unit", "unit", "int64_t", "4",
           "bytes that a row has in a block of packed weights, where its groups of scales allow it: 4 or 8">,
    Option<"minElements", "min-elements", "int64_t", "16",
           "tensor constants with fewer elements stay in the code">,
    Option<"splats", "splats", "bool", "false",
           "move constants of one repeated value as well: code cannot hold them">
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

//===----------------------------------------------------------------------===//
// Loops phase: on tensors
//===----------------------------------------------------------------------===//

def FuseElementwise : Pass<"bitnet-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "fuse elementwise linalg ops on tensors";
  let description = [{
    Makes generics of the named elementwise ops, decomposes tensor.pad,
    tensor.concat and linalg.softmax, and fuses an elementwise producer into its
    consumer where that repeats no work: the producer has one use and is read once
    an element, or it costs a few arithmetic ops at most. Transcendental functions,
    divisions, roots and gathers are never evaluated twice, and nothing is fused
    into a contraction, whose kernel is chosen later. A reshape between two
    elementwise ops is moved out of the way.

    ```mlir
    %0 = linalg.add ins(%a, %b : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
    %1 = linalg.exp ins(%0 : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
    ```

    becomes one linalg.generic that adds and takes the exponential.
  }];
  let options = [
    Option<"cheapOps", "cheap-ops", "int64_t", "4",
           "arithmetic ops that may be repeated rather than stored">];
  let statistics = [
    Statistic<"removed", "removed", "linalg ops fused into others">];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def OwnResults : Pass<"bitnet-own-results", "::mlir::func::FuncOp"> {
  let summary = "return only whole buffers that the function makes";
  let description = [{
    Before bufferization: copies a returned tensor that would become an argument, a
    constant, an archive entry or a part of another buffer, so that each result is
    a buffer of the function's own with the identity layout; the empty tensor that a
    result starts from is allocated. Arguments that are not marked
    `bufferization.writable = true` are marked read-only: the host owns them.

    ```mlir
    func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
      return %x : tensor<4xf32>
    }
    ```

    returns `bufferization.alloc_tensor() copy(%x)` instead.
  }];
  let statistics = [
    Statistic<"copies", "copies", "results copied">];
  let dependentDialects = [
    "::mlir::bufferization::BufferizationDialect", "::mlir::tensor::TensorDialect"];
}

def Bufferize : Pass<"bitnet-bufferize", "::mlir::ModuleOp"> {
  let summary = "tensors to buffers, caches in place";
  let description = [{
    Upstream's one-shot bufferization with function boundaries, and identity
    layouts there. A tensor argument with `bufferization.writable = true` is a
    cache: it is an error if its update needs a buffer or a copy of its size.

    ```mlir
    func.func @decode(%new: tensor<1x1x1x8xf32>, %position: index,
                      %cache: tensor<1x1x64x8xf32> {bufferization.writable = true}) {
      %0 = bitnet.cache_update ins(%new, %position : tensor<1x1x1x8xf32>, index)
          outs(%cache : tensor<1x1x64x8xf32>) -> tensor<1x1x64x8xf32>
      ...
    ```

    becomes an update of the argument's own memory.
  }];
  let dependentDialects = [
    "::mlir::bufferization::BufferizationDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

//===----------------------------------------------------------------------===//
// Loops phase: on buffers
//===----------------------------------------------------------------------===//

def ForwardStores : Pass<"bitnet-forward-stores", "::mlir::func::FuncOp"> {
  let summary = "use a stored element instead of loading it";
  let description = [{
    A load at constant indices from an allocation that nothing but loads and stores
    of elements touches becomes the value that its block stored there last; one from a
    constant becomes its element. Shapes
    that a reshape reads pass through such memory; on a device, each load would wait
    for it. So do scalars that linalg ops on one element compute for the function
    alone, the check of an index, say: those become loads, arithmetic and stores
    first.

    ```mlir
    memref.store %n, %shape[%c0] : memref<2xindex>
    %0 = memref.load %shape[%c0] : memref<2xindex>
    ```

    uses `%n` in place of `%0`.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
  let statistics = [
    Statistic<"numForwarded", "forwarded", "loads replaced">];
}

def OutlineKernels : Pass<"bitnet-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "move the structured ops of entries into kernel functions";
  let description = [{
    In functions with `bitnet.entry`, each linalg op, bitnet compute op, memref.copy
    and scf loop of scalars becomes a call of a private function that holds just
    that op. Ops on a single element stay. Equal ops (attributes and types, not
    names or locations) share a function. Scalar constants go into the function;
    other values come as arguments, each once. Control flow around compute ops
    stays, and the ops in its regions are outlined.

    ```mlir
    func.func @main(%a: memref<4x8xf32>) attributes {bitnet.entry} {
      %cst = arith.constant 0.0 : f32
      linalg.fill ins(%cst : f32) outs(%a : memref<4x8xf32>)
      return
    }
    ```

    becomes

    ```mlir
    func.func private @kernel_fill_4x8_0(%arg0: memref<4x8xf32>) attributes {bitnet.kernel, no_inline} {
      %cst = arith.constant 0.0 : f32
      linalg.fill ins(%cst : f32) outs(%arg0 : memref<4x8xf32>)
      return
    }
    func.func @main(%a: memref<4x8xf32>) attributes {bitnet.entry} {
      call @kernel_fill_4x8_0(%a) : (memref<4x8xf32>) -> ()
      return
    }
    ```
  }];
  let options = [
    Option<"singleElements", "single-elements", "bool", "false",
           "make kernels of ops on a single element too: the memory is a device's">];
  let statistics = [
    Statistic<"kernels", "kernels", "kernel functions made">,
    Statistic<"shared", "shared", "calls of a kernel made for an equal op">];
  let dependentDialects = [
    "::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect"];
}

def MarkNoAlias : Pass<"bitnet-mark-noalias", "::mlir::ModuleOp"> {
  let summary = "mark kernel arguments that overlap no other";
  let description = [{
    Sets `llvm.noalias` on a memref argument of a function with `bitnet.kernel` if,
    at each of its calls, no other memref operand can lie in the same allocation.
    Distinct allocations, arguments of an entry, globals and archive entries do not
    overlap. It must run before the memory plan, which gives all allocations one
    root; buffers that live at the same time stay apart there.

    ```mlir
    func.func private @kernel_map_8_0(%arg0: memref<8xf32> {llvm.noalias}, %arg1: memref<8xf32> {llvm.noalias})
    ```
  }];
  let statistics = [
    Statistic<"marked", "marked", "arguments marked">];
}

def PlanMemory : Pass<"bitnet-plan-memory", "::mlir::ModuleOp"> {
  let summary = "one workspace for the allocations of an entry";
  let description = [{
    Gives the entries (functions with `bitnet.entry`) the leading arguments
    `%archive` and `%workspace`, both `memref<?xi8>`, and replaces their static
    memref.alloc by views of the workspace. Buffers that do not live at the same
    time share bytes: the largest are placed first, each in the smallest gap that
    holds it, at multiples of `alignment`. A buffer lives from its first to its
    last use through any view; a returned one to the end. `bitnet.workspace` holds
    the bytes needed.

    A dynamic allocation stays, and is freed after its last use unless it is
    returned. So do those that a loop carries.

    ```mlir
    %0 = memref.alloc() : memref<16xf32>
    ```

    becomes

    ```mlir
    %c0 = arith.constant 0 : index
    %0 = memref.view %workspace[%c0][] : memref<?xi8> to memref<16xf32>
    ```
  }];
  let options = [
    Option<"alignment", "alignment", "int64_t", "64", "of every buffer, in bytes">];
  let statistics = [
    Statistic<"workspace", "workspace-bytes", "bytes of all workspaces">,
    Statistic<"unplanned", "unplanned-bytes", "bytes if no buffers shared memory">];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}

def ResolveArchive : Pass<"bitnet-resolve-archive", "::mlir::func::FuncOp"> {
  let summary = "archive entries to views of the archive argument";
  let description = [{
    After bitnet-plan-memory:

    ```mlir
    %w = bitnet.archive "w0" at 4096 : memref<98304xi8>
    ```

    becomes

    ```mlir
    %c4096 = arith.constant 4096 : index
    %w = memref.view %archive[%c4096][] : memref<?xi8> to memref<98304xi8>
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}

def CastDynamicExpansions : Pass<"bitnet-cast-dynamic-expansions", "::mlir::func::FuncOp"> {
  let summary = "rewrite memref.expand_shape with several dynamic extents in a group";
  let description = [{
    Upstream's expand-strided-metadata divides a group's extent by the static ones,
    and so expects one dynamic extent at most; a batch and a sequence length in
    one group are two. Such an expansion becomes a memref.reinterpret_cast, whose
    sizes are the op's output shape.

    ```mlir
    %y = memref.expand_shape %x [[0, 1], [2]] output_shape [%b, %s, 384]
        : memref<?x384xf32> into memref<?x?x384xf32>
    // becomes
    %base, %offset, %sizes:2, %strides:2 = memref.extract_strided_metadata %x : ...
    %stride = arith.muli %s, %strides#0 : index
    %y = memref.reinterpret_cast %base to offset: [0], sizes: [%b, %s, 384], strides: [%stride, 384, 1]
        : memref<f32> to memref<?x?x384xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}

def LinalgToLoops : Pass<"bitnet-linalg-to-loops", "::mlir::func::FuncOp"> {
  let summary = "linalg ops on buffers to parallel and sequential loops";
  let description = [{
    Lowers every linalg op and memref.copy to scf loops, loads and stores, in an
    order that lets LLVM vectorise: the innermost loop is the one along which most
    operands are contiguous, adjacent dimensions become one where all operands
    allow it, sums are carried in registers where the innermost loop reduces, and
    operands are read in the outermost loop that they depend on.

    Where the work estimated is at least twice `grain`, the outer parallel loops (or
    the innermost one, where it is the only one) become one scf.parallel, an
    iteration of which does about `grain` work; a unit of work is an arithmetic op.
    Dynamic extents count as `dynamic-extent` in that estimate.

    ```mlir
    linalg.fill ins(%cst : f32) outs(%a : memref<4x8xf32>)
    ```

    becomes

    ```mlir
    %0 = memref.collapse_shape %a [[0, 1]] : memref<4x8xf32> into memref<32xf32>
    scf.for %i = %c0 to %c32 step %c1 {
      memref.store %cst, %0[%i] : memref<32xf32>
    }
    ```
  }];
  let options = [
    Option<"grain", "grain", "int64_t", "16384",
           "work of one parallel iteration; 0 for sequential loops only">,
    Option<"dynamicExtent", "dynamic-extent", "int64_t", "1024",
           "the extent assumed of a dynamic dimension">,
    Option<"reassociate", "reassociate", "bool", "true",
           "let the additions and multiplications of a reduction be reordered">];
  let statistics = [
    Statistic<"parallel", "parallel", "ops with a parallel loop">,
    Statistic<"sequential", "sequential", "ops without one">];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect"];
}

#endif // BITNET_DIALECT_BITNET_TRANSFORMS_PASSES
