// RUN: bitnet-opt %s --convert-bitnet-to-vector | FileCheck %s

// Per token: the largest magnitude, then the integers and their sum; columns from K
// on are zero.
// CHECK-LABEL: func.func @quantize
// CHECK: scf.parallel
// CHECK: scf.for
// CHECK: arith.andi {{.*}} : i32
// CHECK: arith.maxsi
// CHECK: arith.divf
// CHECK: scf.for
// CHECK: math.roundeven
// CHECK: arith.fptosi
// CHECK: memref.store {{.*}} : memref<?x48xi8>
// CHECK: scf.for {{.*}} = %c40
// CHECK: memref.store
func.func @quantize(%x: memref<?x40xf32>, %q: memref<?x48xi8>, %step: memref<?xf32>, %sum: memref<?xi32>) {
  bitnet.quantize ins(%x : memref<?x40xf32>) outs(%q, %step, %sum : memref<?x48xi8>, memref<?xf32>, memref<?xi32>)
    {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64}
  return
}

// A norm in the same loop over tokens, computed again for the integers.
// CHECK-LABEL: func.func @quantize_norm
// CHECK: scf.parallel
// CHECK: math.sqrt
// CHECK: scf.for
// CHECK: memref.load %arg1
// CHECK: arith.maxsi
// CHECK: scf.for
// CHECK: memref.load %arg1
// CHECK: math.roundeven
// CHECK-NOT: scf.parallel
// CHECK: return
func.func @quantize_norm(%x: memref<?x40xf32>, %w: memref<40xf32>, %q: memref<?x48xi8>, %step: memref<?xf32>, %sum: memref<?xi32>) {
  bitnet.quantize ins(%x : memref<?x40xf32>) weight(%w : memref<40xf32>) outs(%q, %step, %sum : memref<?x48xi8>, memref<?xf32>, memref<?xi32>)
    {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64, norm = #bitnet.norm_kind<rms>, norm_epsilon = 1.0e-5 : f32}
  return
}

// CHECK-LABEL: func.func @norm
// CHECK: arith.addf {{.*}} fastmath<reassoc>
// CHECK: math.sqrt
// CHECK: memref.store
func.func @norm(%x: memref<4x40xf32>, %w: memref<40xf32>, %y: memref<4x40xf32>) {
  bitnet.norm ins(%x : memref<4x40xf32>) weight(%w : memref<40xf32>) outs(%y : memref<4x40xf32>)
    {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32}
  return
}

// CHECK-LABEL: func.func @rotary
// CHECK: arith.negf
func.func @rotary(%x: memref<1x6x4x64xf32>, %c: memref<1x4x64xf32>, %s: memref<1x4x64xf32>, %y: memref<1x6x4x64xf32>) {
  bitnet.rotary ins(%x, %c, %s : memref<1x6x4x64xf32>, memref<1x4x64xf32>, memref<1x4x64xf32>) outs(%y : memref<1x6x4x64xf32>)
  return
}

// CHECK-LABEL: func.func @cache_update
// CHECK-SAME: %[[NEW:.*]]: memref<1x2x1x64xf32>, %[[POSITION:.*]]: index, %[[CACHE:.*]]: memref<1x2x8x64xf32>
// CHECK: memref.store {{.*}}, %[[CACHE]][
func.func @cache_update(%new: memref<1x2x1x64xf32>, %position: index, %cache: memref<1x2x8x64xf32>) {
  bitnet.cache_update ins(%new, %position : memref<1x2x1x64xf32>, index) outs(%cache : memref<1x2x8x64xf32>)
  return
}

// Keys in blocks, with the running maximum and sum carried along; the row of
// values stays in vectors.
// CHECK-LABEL: func.func @attention
// CHECK: scf.parallel
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<3x1x132xf32>
// CHECK: math.exp {{.*}} : vector<4xf32>
// CHECK-NOT: bitnet.attention
func.func @attention(%q: memref<1x6x1x64xf32>, %k: memref<1x2x8x64xf32>, %v: memref<1x2x8x64xf32>, %p: index, %y: memref<1x6x1x64xf32>) {
  bitnet.attention ins(%q, %k, %v : memref<1x6x1x64xf32>, memref<1x2x8x64xf32>, memref<1x2x8x64xf32>)
    position(%p) outs(%y : memref<1x6x1x64xf32>) {scale = 0.125 : f32, causal}
  return
}
