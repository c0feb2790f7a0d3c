// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s | bitnet-opt | FileCheck %s
// RUN: bitnet-opt %s --mlir-print-op-generic | bitnet-opt | FileCheck %s

// CHECK-LABEL: func @constants
func.func @constants() -> (tensor<2x6x!bitnet.ternary>, tensor<2x6x!bitnet.binary>) {
  // CHECK: bitnet.constant dense_resource<t> : tensor<2x6x!bitnet.ternary>
  %0 = bitnet.constant dense_resource<t> : tensor<2x6x!bitnet.ternary>
  // CHECK: bitnet.constant dense_resource<b> : tensor<2x6x!bitnet.binary>
  %1 = bitnet.constant dense_resource<b> : tensor<2x6x!bitnet.binary>
  // CHECK: bitnet.archive "w0" at 4096 : tensor<24xi8>
  %2 = bitnet.archive "w0" at 4096 : tensor<24xi8>
  return %0, %1 : tensor<2x6x!bitnet.ternary>, tensor<2x6x!bitnet.binary>
}

// CHECK-LABEL: func private @types(
// CHECK-SAME: tensor<384x1024x!bitnet.ternary, #bitnet.packing<planes2, rows = 64>>
// CHECK-SAME: tensor<8x40x!bitnet.ternary, #bitnet.packing<base3, rows = 8, unit = 8>>
// CHECK-SAME: tensor<8x32x!bitnet.binary, #bitnet.packing<planes1, rows = 8>>
// CHECK-SAME: tensor<8x64x!bitnet.binary, #bitnet.packing<planes1, rows = 8, unit = 8>>
func.func private @types(
  tensor<384x1024x!bitnet.ternary, #bitnet.packing<planes2, rows = 64>>,
  tensor<8x40x!bitnet.ternary, #bitnet.packing<base3, rows = 8, unit = 8>>,
  tensor<8x32x!bitnet.binary, #bitnet.packing<planes1, rows = 8>>,
  tensor<8x64x!bitnet.binary, #bitnet.packing<planes1, rows = 8, unit = 8>>)

// CHECK: func private @target() attributes {a = #bitnet.target<"x86-64-v3", triple = "x86_64-unknown-linux-gnu", cpu = "haswell", features = ["avx2", "fma"]>, b = #bitnet.target<"x86-64", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = []>}
func.func private @target() attributes {
  a = #bitnet.target<"x86-64-v3", triple = "x86_64-unknown-linux-gnu", cpu = "haswell", features = ["avx2", "fma"]>,
  b = #bitnet.target<"x86-64", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = []>}

// CHECK-LABEL: func @quantize
func.func @quantize(%x: tensor<4x6xf32>, %0: tensor<4x8xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>,
                    %3: tensor<4x6xi16>, %4: tensor<1xf32>) {
  // CHECK: bitnet.quantize ins(%{{.*}} : tensor<4x6xf32>) outs(%{{.*}}, %{{.*}}, %{{.*}} : tensor<4x8xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 1.270000e+02 : f32, epsilon = 9.99999974E-6 : f32, qmax = 127 : i64, qmin = -128 : i64} -> tensor<4x8xi8>, tensor<4xf32>, tensor<4xi32>
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x8xi8>, tensor<4xf32>, tensor<4xi32>)
      {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64}
      -> tensor<4x8xi8>, tensor<4xf32>, tensor<4xi32>
  // CHECK: granularity = #bitnet.granularity<tensor>
  // CHECK-SAME: scaling = #bitnet.scaling<normalize_multiply>
  %p:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%3, %4, %2 : tensor<4x6xi16>, tensor<1xf32>, tensor<4xi32>)
      {bound = 128.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 128 : i64,
       granularity = #bitnet.granularity<tensor>, scaling = #bitnet.scaling<normalize_multiply>}
      -> tensor<4x6xi16>, tensor<1xf32>, tensor<4xi32>
  return
}

// CHECK-LABEL: func @linear
func.func @linear(%q: tensor<?x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %step: tensor<?xf32>,
                  %sum: tensor<?xi32>, %bias: tensor<2xf32>, %acc: tensor<?x2xi32>, %out: tensor<?x2xf32>,
                  %x: tensor<?x6xf32>, %packed: tensor<256xi8>, %groups: tensor<2x3xf32>,
                  %wide: tensor<?x16xi8>, %tables: tensor<?x256xi8>, %bits: tensor<?x2xi32>) {
  // CHECK: bitnet.matmul ins(%{{.*}}, %{{.*}} : tensor<?x6xi8>, tensor<2x6x!bitnet.ternary>) outs(%{{.*}} : tensor<?x2xi32>) -> tensor<?x2xi32>
  %0 = bitnet.matmul ins(%q, %w : tensor<?x6xi8>, tensor<2x6x!bitnet.ternary>) outs(%acc : tensor<?x2xi32>) -> tensor<?x2xi32>
  // CHECK: bitnet.rescale ins(
  %1 = bitnet.rescale ins(%0, %step, %s : tensor<?x2xi32>, tensor<?xf32>, tensor<1xf32>) outs(%out : tensor<?x2xf32>) -> tensor<?x2xf32>
  // CHECK: bitnet.linear ins({{.*}}) quantized({{.*}}) bias({{.*}}) outs({{.*}}) {activation = #bitnet.activation<relu_squared>}
  %2 = bitnet.linear ins(%q, %w, %s : tensor<?x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%step, %sum : tensor<?xf32>, tensor<?xi32>) bias(%bias : tensor<2xf32>)
      outs(%out : tensor<?x2xf32>) {activation = #bitnet.activation<relu_squared>} -> tensor<?x2xf32>
  // CHECK: bitnet.linear ins({{.*}}) quantized({{.*}}) times(%{{.*}} : tensor<?x2xf32>) plus(%{{.*}} : tensor<?x2xf32>) outs({{.*}})
  %g = bitnet.linear ins(%q, %w, %s : tensor<?x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%step, %sum : tensor<?xf32>, tensor<?xi32>) times(%2 : tensor<?x2xf32>) plus(%2 : tensor<?x2xf32>) outs(%2 : tensor<?x2xf32>) -> tensor<?x2xf32>
  // CHECK: bitnet.linear ins({{.*}} : tensor<?x6xf32>, tensor<2x6x!bitnet.ternary>, tensor<2x3xf32>) outs(
  %3 = bitnet.linear ins(%x, %w, %groups : tensor<?x6xf32>, tensor<2x6x!bitnet.ternary>, tensor<2x3xf32>)
      outs(%out : tensor<?x2xf32>) -> tensor<?x2xf32>
  // CHECK: columns = 6 : i64, lowering = #bitnet.lowering<dot>, packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64
  %4 = bitnet.linear ins(%wide, %packed, %s : tensor<?x16xi8>, tensor<256xi8>, tensor<1xf32>)
      quantized(%step, %sum : tensor<?xf32>, tensor<?xi32>) outs(%out : tensor<?x2xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<dot>}
      -> tensor<?x2xf32>
  // CHECK: bitnet.prepare ins(%{{.*}} : tensor<?x16xi8>) outs(%{{.*}} : tensor<?x256xi8>) {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>} -> tensor<?x256xi8>
  %5 = bitnet.prepare ins(%wide : tensor<?x16xi8>) outs(%tables : tensor<?x256xi8>)
      {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>} -> tensor<?x256xi8>
  // CHECK: bitnet.linear ins({{.*}}) quantized({{.*}}) prepared(%{{.*}} : tensor<?x256xi8>) outs(
  %6 = bitnet.linear ins(%wide, %packed, %s : tensor<?x16xi8>, tensor<256xi8>, tensor<1xf32>)
      quantized(%step, %sum : tensor<?xf32>, tensor<?xi32>) prepared(%5 : tensor<?x256xi8>) outs(%out : tensor<?x2xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<lut>}
      -> tensor<?x2xf32>
  // CHECK: bitnet.prepare {{.*}} {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>, token_blocks = array<i64: 32, 8>}
  %8 = bitnet.prepare ins(%wide : tensor<?x16xi8>) outs(%tables : tensor<?x256xi8>)
      {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>, token_blocks = array<i64: 32, 8>} -> tensor<?x256xi8>
  // CHECK: bitnet.matmul {{.*}} prepared(%{{.*}} : tensor<?x256xi8>) {{.*}}token_blocks = array<i64: 32, 8>
  %9 = bitnet.matmul ins(%wide, %packed : tensor<?x16xi8>, tensor<256xi8>) prepared(%8 : tensor<?x256xi8>) outs(%acc : tensor<?x2xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<lut>, token_blocks = array<i64: 32, 8>}
      -> tensor<?x2xi32>
  // CHECK: bitnet.matmul ins({{.*}}) prepared(%{{.*}} : tensor<?x2xi32>) outs({{.*}}) {columns = 6 : i64, lowering = #bitnet.lowering<popcount>, magnitude = 1 : i64, packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64}
  %7 = bitnet.matmul ins(%wide, %packed : tensor<?x16xi8>, tensor<256xi8>) prepared(%bits : tensor<?x2xi32>) outs(%acc : tensor<?x2xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<popcount>, magnitude = 1 : i64}
      -> tensor<?x2xi32>
  return
}

// CHECK-LABEL: func @block
func.func @block(%x: tensor<4x8xf32>, %w: tensor<8xf32>, %q: tensor<1x6x4x8xf32>, %t: tensor<1x4x8xf32>,
                 %new: tensor<1x2x4x8xf32>, %cache: tensor<1x2x16x8xf32>, %mask: tensor<1x1x4x?xf32>, %p: index,
                 %half: tensor<1x2x16x8xf16>, %brain: tensor<1x2x16x8xbf16>) {
  // CHECK: bitnet.norm ins(%{{.*}} : tensor<4x8xf32>) weight(%{{.*}} : tensor<8xf32>) outs(
  %0 = bitnet.norm ins(%x : tensor<4x8xf32>) weight(%w : tensor<8xf32>) outs(%x : tensor<4x8xf32>)
      {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32} -> tensor<4x8xf32>
  // CHECK: bitnet.norm ins(%{{.*}} : tensor<4x8xf32>) bias(%{{.*}} : tensor<8xf32>) outs(
  %1 = bitnet.norm ins(%x : tensor<4x8xf32>) bias(%w : tensor<8xf32>) outs(%x : tensor<4x8xf32>)
      {kind = #bitnet.norm_kind<layer>, epsilon = 1.0e-5 : f32} -> tensor<4x8xf32>
  %v = tensor.empty() : tensor<4x8xi8>
  %u = tensor.empty() : tensor<4xi32>
  %d = tensor.empty() : tensor<4xf32>
  // CHECK: bitnet.quantize ins(%{{.*}} : tensor<4x8xf32>) weight(%{{.*}} : tensor<8xf32>) bias(%{{.*}} : tensor<8xf32>) outs(
  // CHECK-SAME: norm = #bitnet.norm_kind<layer>, norm_epsilon = 9.99999974E-6 : f32
  %n:3 = bitnet.quantize ins(%x : tensor<4x8xf32>) weight(%w : tensor<8xf32>) bias(%w : tensor<8xf32>)
      outs(%v, %d, %u : tensor<4x8xi8>, tensor<4xf32>, tensor<4xi32>)
      {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64, norm = #bitnet.norm_kind<layer>, norm_epsilon = 1.0e-5 : f32}
      -> tensor<4x8xi8>, tensor<4xf32>, tensor<4xi32>
  // CHECK: bitnet.rotary ins(
  %2 = bitnet.rotary ins(%q, %t, %t : tensor<1x6x4x8xf32>, tensor<1x4x8xf32>, tensor<1x4x8xf32>)
      outs(%q : tensor<1x6x4x8xf32>) -> tensor<1x6x4x8xf32>
  // CHECK: bitnet.cache_update ins(%{{.*}}, %{{.*}} : tensor<1x2x4x8xf32>, index) outs(
  %3 = bitnet.cache_update ins(%new, %p : tensor<1x2x4x8xf32>, index) outs(%cache : tensor<1x2x16x8xf32>) -> tensor<1x2x16x8xf32>
  // CHECK: bitnet.attention ins({{.*}}) position(%{{.*}}) outs({{.*}}) {causal, scale = 1.250000e-01 : f32}
  %4 = bitnet.attention ins(%q, %3, %3 : tensor<1x6x4x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x8xf32>)
      position(%p) outs(%q : tensor<1x6x4x8xf32>) {scale = 0.125 : f32, causal} -> tensor<1x6x4x8xf32>
  // CHECK: bitnet.attention ins({{.*}}) mask({{.*}} : tensor<1x1x4x?xf32>) position(
  %5 = bitnet.attention ins(%q, %3, %3 : tensor<1x6x4x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x8xf32>)
      mask(%mask : tensor<1x1x4x?xf32>) position(%p) outs(%q : tensor<1x6x4x8xf32>) {scale = 0.125 : f32} -> tensor<1x6x4x8xf32>
  // CHECK: bitnet.cache_update ins(%{{.*}}, %{{.*}} : tensor<1x2x4x8xf32>, index) outs(%{{.*}} : tensor<1x2x16x8xf16>)
  %6 = bitnet.cache_update ins(%new, %p : tensor<1x2x4x8xf32>, index) outs(%half : tensor<1x2x16x8xf16>) -> tensor<1x2x16x8xf16>
  // CHECK: bitnet.attention ins(%{{.*}} : tensor<1x6x4x8xf32>, tensor<1x2x16x8xf16>, tensor<1x2x16x8xbf16>)
  %7 = bitnet.attention ins(%q, %6, %brain : tensor<1x6x4x8xf32>, tensor<1x2x16x8xf16>, tensor<1x2x16x8xbf16>)
      position(%p) outs(%q : tensor<1x6x4x8xf32>) {scale = 0.125 : f32} -> tensor<1x6x4x8xf32>
  return
}

// CHECK-LABEL: func @top
func.func @top(%h: tensor<1x8xf32>, %w: tensor<16x8xbf16>, %n: tensor<1xi64>, %p: tensor<16x64xi8>, %s: tensor<16xf32>,
               %b: tensor<2x16xf32>, %l: tensor<1x16xf32>) {
  // CHECK: bitnet.top_logits ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<1x8xf32>, tensor<16x8xbf16>, tensor<1xi64>) screen(
  // CHECK-SAME: outs(%{{.*}}, %{{.*}}, %{{.*}} : tensor<1x16xf32>, tensor<16xf32>, tensor<1xi64>)
  %0:3 = bitnet.top_logits ins(%h, %w, %n : tensor<1x8xf32>, tensor<16x8xbf16>, tensor<1xi64>)
      screen(%p, %p, %s, %b : tensor<16x64xi8>, tensor<16x64xi8>, tensor<16xf32>, tensor<2x16xf32>)
      outs(%l, %s, %n : tensor<1x16xf32>, tensor<16xf32>, tensor<1xi64>) -> tensor<1x16xf32>, tensor<16xf32>, tensor<1xi64>
  return
}

// CHECK-LABEL: func @buffers
func.func @buffers(%x: memref<4x8xf32>, %y: memref<4x8xf32, strided<[16, 1]>>) {
  // CHECK: bitnet.norm ins(%{{.*}} : memref<4x8xf32>) outs(%{{.*}} : memref<4x8xf32, strided<[16, 1]>>) {epsilon
  bitnet.norm ins(%x : memref<4x8xf32>) outs(%y : memref<4x8xf32, strided<[16, 1]>>)
      {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32}
  return
}

// CHECK-LABEL: func @fetch
func.func @fetch() -> (index, index) {
  // CHECK: bitnet.fetch_distance <far>
  %0 = bitnet.fetch_distance <far>
  // CHECK: bitnet.fetch_distance <near>
  %1 = bitnet.fetch_distance <near>
  return %0, %1 : index, index
}

{-#
  dialect_resources: {
    builtin: {
      t: "0x40000000556655",
      b: "0x40000000550A"
    }
  }
#-}
