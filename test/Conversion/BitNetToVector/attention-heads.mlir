// RUN: bitnet-opt %s --convert-bitnet-to-vector --split-input-file | FileCheck %s

// The three heads of a group share each row of the cache, as far as 32 registers
// reach; a single token fetches values while it meets keys, and the other way round.
module attributes {bitnet.target = #bitnet.target<"t", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = ["avx2", "avx512f", "avx512bw"]>} {
// CHECK-LABEL: func.func @grouped
// CHECK: scf.parallel {{.*}} to (%c2
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<3x1x144xf32>
// CHECK: memref.prefetch
// CHECK: vector.shuffle
// CHECK: memref.prefetch
func.func @grouped(%q: memref<1x6x1x64xf32>, %k: memref<1x2x8x64xf32>, %v: memref<1x2x8x64xf32>, %p: index, %y: memref<1x6x1x64xf32>) {
  bitnet.attention ins(%q, %k, %v : memref<1x6x1x64xf32>, memref<1x2x8x64xf32>, memref<1x2x8x64xf32>)
    position(%p) outs(%y : memref<1x6x1x64xf32>) {scale = 0.125 : f32, causal}
  return
}
}

// -----

// A tile has a few tokens too; its keys become columns, so that a vector has the
// scores of sixteen keys and nothing is summed across lanes. Heads may be wide. A
// chunk of tokens fetches nothing.
module attributes {bitnet.target = #bitnet.target<"t", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = ["avx2", "avx512f", "avx512bw"]>} {
// CHECK-LABEL: func.func @wide
// CHECK-NOT: memref.prefetch
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<3x21x80xf32>
// CHECK: %[[COLUMNS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<256x64xf32>
// CHECK: vector.load %arg1{{.*}}, vector<16xf32>
// CHECK: vector.shuffle
// CHECK: vector.store %{{.*}}, %[[COLUMNS]]
// Of a last block, half the keys may do.
// CHECK: scf.if
// CHECK-COUNT-4: vector.load %[[COLUMNS]]
// CHECK-NOT: vector.reduction
// CHECK-COUNT-12: arith.addf {{.*}}contract> : vector<16xf32>
// CHECK-NOT: contract> : vector<16xf32>
// CHECK: else
// CHECK-COUNT-2: vector.load %[[COLUMNS]]
// CHECK-COUNT-6: arith.addf {{.*}}contract> : vector<16xf32>
// CHECK-NOT: contract> : vector<16xf32>
// CHECK: math.exp {{.*}} : vector<16xf32>
// CHECK-NOT: memref.prefetch
func.func @wide(%q: memref<1x6x4x256xf32>, %k: memref<1x2x8x256xf32>, %v: memref<1x2x8x256xf32>, %p: index, %y: memref<1x6x4x256xf32>) {
  bitnet.attention ins(%q, %k, %v : memref<1x6x4x256xf32>, memref<1x2x8x256xf32>, memref<1x2x8x256xf32>)
    position(%p) outs(%y : memref<1x6x4x256xf32>) {scale = 0.125 : f32, causal}
  return
}
}

// -----

// Keys and values of 16 bits are widened as they are read, row by row, and rounded
// as they are written.
module attributes {bitnet.target = #bitnet.target<"t", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = ["avx2", "avx512f", "avx512bw"]>} {
// CHECK-LABEL: func.func @halves
// CHECK: memref.load %arg0{{.*}} : memref<1x2x1x64xf32>
// CHECK: arith.truncf {{.*}} : f32 to f16
// CHECK: vector.load %arg1{{.*}} : memref<1x2x8x64xf16>, vector<16xf16>
// CHECK-NEXT: arith.extf {{.*}} : vector<16xf16> to vector<16xf32>
// CHECK: vector.load %arg2{{.*}} : memref<1x2x8x64xbf16>, vector<16xbf16>
// CHECK-NEXT: arith.extf {{.*}} : vector<16xbf16> to vector<16xf32>
func.func @halves(%n: memref<1x2x1x64xf32>, %k: memref<1x2x8x64xf16>, %v: memref<1x2x8x64xbf16>, %q: memref<1x6x1x64xf32>, %p: index, %y: memref<1x6x1x64xf32>) {
  bitnet.cache_update ins(%n, %p : memref<1x2x1x64xf32>, index) outs(%k : memref<1x2x8x64xf16>)
  bitnet.attention ins(%q, %k, %v : memref<1x6x1x64xf32>, memref<1x2x8x64xf16>, memref<1x2x8x64xbf16>)
    position(%p) outs(%y : memref<1x6x1x64xf32>) {scale = 0.125 : f32, causal}
  return
}
}

// -----

// Several tokens share values that are widened once, a part at a time.
module attributes {bitnet.target = #bitnet.target<"t", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = ["avx2", "avx512f", "avx512bw"]>} {
// CHECK-LABEL: func.func @widened
// CHECK-SAME: %[[STORED:[a-z0-9]+]]: memref<1x2x256x128xbf16>, %{{[a-z0-9]+}}: index
// CHECK: %[[PART:.*]] = memref.alloca() {alignment = 64 : i64} : memref<64x64xf32>
// CHECK: math.exp {{.*}} : vector<16xf32>
// CHECK: vector.load %[[STORED]]
// CHECK-NEXT: arith.extf
// CHECK-COUNT-4: vector.store %{{.*}}, %[[PART]]
// CHECK-NOT: vector.load %[[STORED]]
// CHECK: vector.load %[[PART]]
// CHECK: vector.load %[[STORED]]
// CHECK-COUNT-4: vector.store %{{.*}}, %[[PART]]
// CHECK-NOT: vector.load %[[STORED]]
// CHECK: vector.load %[[PART]]
// CHECK-NOT: vector.load %[[STORED]]
// CHECK: return
func.func @widened(%q: memref<1x4x4x128xf32>, %k: memref<1x2x256x128xbf16>, %v: memref<1x2x256x128xbf16>, %p: index, %y: memref<1x4x4x128xf32>) {
  bitnet.attention ins(%q, %k, %v : memref<1x4x4x128xf32>, memref<1x2x256x128xbf16>, memref<1x2x256x128xbf16>)
    position(%p) outs(%y : memref<1x4x4x128xf32>) {scale = 0.125 : f32, causal}
  return
}
}

// -----

// A token's values end where its keys do: those of later tokens of the tile may be
// infinite, which a weight of 0 would not hide.
module attributes {bitnet.target = #bitnet.target<"t", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = ["avx2", "avx512f", "avx512bw"]>} {
// CHECK-LABEL: func.func @two_heads
// CHECK-SAME: %[[VALUES:[a-z0-9]+]]: memref<1x2x8x64xf32>, %{{[a-z0-9]+}}: index
// CHECK: math.exp {{.*}} : vector<16xf32>
// Two tokens' queries of two heads up to the keys of the first; then the second's.
// CHECK: %[[SEEN:.*]] = arith.maxsi
// CHECK: scf.for {{.*}} to %[[SEEN]]
// CHECK: vector.load %[[VALUES]]
// CHECK: %[[END:.*]] = arith.maxsi
// CHECK: scf.for {{.*}} = %[[SEEN]] to %[[END]]
// CHECK: vector.load %[[VALUES]]
func.func @two_heads(%q: memref<1x4x4x64xf32>, %k: memref<1x2x8x64xf32>, %v: memref<1x2x8x64xf32>, %p: index, %y: memref<1x4x4x64xf32>) {
  bitnet.attention ins(%q, %k, %v : memref<1x4x4x64xf32>, memref<1x2x8x64xf32>, memref<1x2x8x64xf32>)
    position(%p) outs(%y : memref<1x4x4x64xf32>) {scale = 0.125 : f32, causal}
  return
}
}
