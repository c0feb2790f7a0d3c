// RUN: bitnet-opt %s --convert-bitnet-to-gpu | FileCheck %s

module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {

// Per token a workgroup: the largest magnitude in its memory, then the integers and their
// sum; columns from K on are zero.
// CHECK-LABEL: func.func @quantize
// CHECK: %[[ROWS:.*]] = memref.dim %arg0, %c0
// CHECK: %[[GROUPS:.*]] = arith.minui %[[ROWS]], %c65535
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %[[GROUPS]],{{.*}}) threads({{.*}}) in ({{.*}} = %c128{{.*}},
// CHECK: arith.maxsi
// CHECK: memref.alloc() : memref<128xi32, #gpu.address_space<workgroup>>
// CHECK: gpu.barrier
// CHECK: arith.divf
// CHECK: math.roundeven
// CHECK: arith.fptosi
// CHECK: memref.store {{.*}} : memref<?x48xi8>
// CHECK: gpu.barrier
// CHECK-NOT: bitnet.quantize
func.func @quantize(%x: memref<?x40xf32>, %q: memref<?x48xi8>, %step: memref<?xf32>, %sum: memref<?xi32>) {
  bitnet.quantize ins(%x : memref<?x40xf32>) outs(%q, %step, %sum : memref<?x48xi8>, memref<?xf32>, memref<?xi32>)
    {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64}
  return
}

// A norm in the same launch.
// CHECK-LABEL: func.func @quantize_norm
// CHECK: gpu.launch
// CHECK: gpu.barrier
// CHECK: math.sqrt
// CHECK: memref.load %arg1
// CHECK: arith.maxsi
// CHECK: memref.load %arg1
// CHECK: math.roundeven
// CHECK-NOT: gpu.launch
// CHECK: return
func.func @quantize_norm(%x: memref<?x40xf32>, %w: memref<40xf32>, %q: memref<?x48xi8>, %step: memref<?xf32>, %sum: memref<?xi32>) {
  bitnet.quantize ins(%x : memref<?x40xf32>) weight(%w : memref<40xf32>) outs(%q, %step, %sum : memref<?x48xi8>, memref<?xf32>, memref<?xi32>)
    {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64, norm = #bitnet.norm_kind<rms>, norm_epsilon = 1.0e-5 : f32}
  return
}

// The magnitude of a whole tensor goes from launch to launch in the step's place.
// CHECK-LABEL: func.func @quantize_tensor
// CHECK-COUNT-3: gpu.launch
// CHECK-NOT: gpu.launch
func.func @quantize_tensor(%x: memref<4x48xf32>, %q: memref<4x48xi8>, %step: memref<1xf32>, %sum: memref<4xi32>) {
  bitnet.quantize ins(%x : memref<4x48xf32>) outs(%q, %step, %sum : memref<4x48xi8>, memref<1xf32>, memref<4xi32>)
    {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64, granularity = #bitnet.granularity<tensor>}
  return
}

// CHECK-LABEL: func.func @norm
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %c4
// CHECK: arith.addf {{.*}} fastmath<reassoc>
// CHECK: math.sqrt
// CHECK: memref.store
func.func @norm(%x: memref<4x40xf32>, %w: memref<40xf32>, %y: memref<4x40xf32>) {
  bitnet.norm ins(%x : memref<4x40xf32>) weight(%w : memref<40xf32>) outs(%y : memref<4x40xf32>)
    {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32}
  return
}

// A thread for each pair of elements: 6 * 4 * 32 are three groups of 256.
// CHECK-LABEL: func.func @rotary
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %c3{{.*}}) threads({{.*}}) in ({{.*}} = %c256
// CHECK: arith.negf
func.func @rotary(%x: memref<1x6x4x64xf32>, %c: memref<1x4x64xf32>, %s: memref<1x4x64xf32>, %y: memref<1x6x4x64xf32>) {
  bitnet.rotary ins(%x, %c, %s : memref<1x6x4x64xf32>, memref<1x4x64xf32>, memref<1x4x64xf32>) outs(%y : memref<1x6x4x64xf32>)
  return
}

// CHECK-LABEL: func.func @cache_update
// CHECK: gpu.launch
// CHECK: %[[V:.*]] = memref.load %arg0
// CHECK: arith.addi %arg1
// CHECK: memref.store %[[V]], %arg2
func.func @cache_update(%new: memref<1x2x4x64xf32>, %position: index, %cache: memref<1x2x64x64xf32>) {
  bitnet.cache_update ins(%new, %position : memref<1x2x4x64xf32>, index) outs(%cache : memref<1x2x64x64xf32>)
  return
}

// CHECK-LABEL: func.func @round_to_cache
// CHECK: gpu.launch
// CHECK: %[[V:.*]] = memref.load %arg0
// CHECK: %[[R:.*]] = arith.truncf %[[V]] : f32 to bf16
// CHECK: memref.store %[[R]], %arg2
func.func @round_to_cache(%new: memref<1x2x4x64xf32>, %position: index, %cache: memref<1x2x64x64xbf16>) {
  bitnet.cache_update ins(%new, %position : memref<1x2x4x64xf32>, index) outs(%cache : memref<1x2x64x64xbf16>)
  return
}

// CHECK-LABEL: func.func @read_rounded
// CHECK: gpu.launch
// CHECK: arith.extf %{{.*}} : f16 to f32
func.func @read_rounded(%q: memref<1x6x2x64xf32>, %k: memref<1x2x64x64xf16>, %v: memref<1x2x64x64xf16>, %position: index, %y: memref<1x6x2x64xf32>) {
  bitnet.attention ins(%q, %k, %v : memref<1x6x2x64xf32>, memref<1x2x64x64xf16>, memref<1x2x64x64xf16>)
    position(%position) outs(%y : memref<1x6x2x64xf32>) {scale = 0.125 : f32, causal}
  return
}

// A workgroup for each of 6 heads of 2 tokens.
// CHECK-LABEL: func.func @attention
// CHECK: gpu.launch blocks({{.*}}) in ({{.*}} = %c12{{.*}}) threads({{.*}}) in ({{.*}} = %c128
// CHECK: arith.maximumf
// CHECK: math.exp
// CHECK: gpu.barrier
// CHECK: memref.store {{.*}} : memref<1x6x2x64xf32>
func.func @attention(%q: memref<1x6x2x64xf32>, %k: memref<1x2x64x64xf32>, %v: memref<1x2x64x64xf32>, %position: index, %y: memref<1x6x2x64xf32>) {
  bitnet.attention ins(%q, %k, %v : memref<1x6x2x64xf32>, memref<1x2x64x64xf32>, memref<1x2x64x64xf32>)
    position(%position) outs(%y : memref<1x6x2x64xf32>) {scale = 0.125 : f32, causal}
  return
}

// What is not of the dialect stays.
// CHECK-LABEL: func.func @other
// CHECK-NEXT: linalg.fill
func.func @other(%y: memref<4xf32>, %z: f32) {
  linalg.fill ins(%z : f32) outs(%y : memref<4xf32>)
  return
}
}
