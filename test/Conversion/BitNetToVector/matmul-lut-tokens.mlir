// RUN: bitnet-opt %s --split-input-file --convert-bitnet-to-vector | FileCheck %s

// A half byte of weights selects a vector of 16 sums, one a token: eight loads
// and additions for a row's word. Sums are kept in i32, by rows and tokens, and
// transposed for the epilogue. The tables of 8 blocks of K are 32 KiB.
module attributes {bitnet.target = #bitnet.target<"v3", triple = "x86_64-unknown-linux-gnu", cpu = "haswell", features = ["ssse3", "avx2"]>} {
  // CHECK-LABEL: func.func @block
  // CHECK: memref.alloca() {alignment = 64 : i64} : memref<64x16xi32>
  // CHECK: memref.collapse_shape {{.*}} : memref<16x8192xi8> into memref<131072xi8>
  // CHECK: scf.for {{.*}} step %c8
  // CHECK: arith.minui
  // CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (vector<16xi16>)
  // CHECK: vector.load {{.*}} : memref<8192xi8>, vector<4xi8>
  // CHECK: arith.shli
  // CHECK: arith.andi {{.*}} : i32
  // CHECK: vector.load {{.*}} : memref<131072xi8>, vector<32xi8>
  // CHECK-COUNT-8: arith.addi {{.*}} : vector<16xi16>
  // CHECK-NOT: vector<16xi16>
  // CHECK: scf.yield
  // CHECK: arith.extsi {{.*}} : vector<16xi16> to vector<16xi32>
  // CHECK: arith.addi {{.*}} : vector<16xi32>
  // CHECK-COUNT-24: vector.shuffle {{.*}} : vector<8xi32>, vector<8xi32>
  // CHECK-NOT: vector.shuffle
  // CHECK: arith.sitofp {{.*}} : vector<8xi32> to vector<8xf32>
  // CHECK-NOT: scf.parallel
  func.func @block(%q: memref<16x512xi8>, %t: memref<16x8192xi8>, %w: memref<8192xi8>, %s: memref<1xf32>, %step: memref<16xf32>, %sum: memref<16xi32>, %y: memref<16x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<16x512xi8>, memref<8192xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<16xf32>, memref<16xi32>) prepared(%t : memref<16x8192xi8>) outs(%y : memref<16x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 512 : i64, lowering = #bitnet.lowering<lut>, token_blocks = array<i64: 16>}
    return
  }
}

// -----

// With small vectors 15 blocks of 16 activations may sum in 16 bits, and their
// tables fit the cache. What blocks leave over is not looked up.
module attributes {bitnet.target = #bitnet.target<"v1", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = ["sse2"]>} {
  // CHECK-LABEL: func.func @rest
  // CHECK-SAME: (%[[Q:[^:]*]]: memref<?x512xi8>
  // CHECK: arith.divui %{{.*}}, %c8
  // CHECK: scf.parallel
  // CHECK: scf.for {{.*}} step %c15
  // CHECK: vector.load {{.*}} : memref<?xi8>, vector<16xi8>
  // CHECK: vector.load %[[Q]]{{.*}} vector<4xi8>
  // CHECK: arith.cmpi eq, {{.*}} : vector<16xi8>
  func.func @rest(%q: memref<?x512xi8>, %t: memref<?x8192xi8>, %w: memref<8192xi8>, %y: memref<?x64xi32>) {
    bitnet.matmul ins(%q, %w : memref<?x512xi8>, memref<8192xi8>) prepared(%t : memref<?x8192xi8>) outs(%y : memref<?x64xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 512 : i64, lowering = #bitnet.lowering<lut>, token_blocks = array<i64: 8>}
    return
  }
}

// -----

// Tables of 8 tokens, and no others: 16 bytes of each token are transposed, and
// the 9 sums of two ternary weights are stored.
// CHECK-LABEL: func.func @tables
// CHECK: scf.parallel
// CHECK-COUNT-8: vector.load {{.*}} : memref<12x32xi8>, vector<16xi8>
// CHECK-COUNT-24: vector.shuffle {{.*}} : vector<16xi8>, vector<16xi8>
// CHECK-NOT: vector.shuffle
// CHECK: arith.extsi {{.*}} : vector<8xi8> to vector<8xi16>
// CHECK-COUNT-72: vector.store {{.*}} : memref<6144xi8>, vector<16xi8>
// CHECK-NOT: vector.store
// CHECK-NOT: scf.parallel
// CHECK: return
func.func @tables(%q: memref<12x32xi8>, %t: memref<12x512xi8>) {
  bitnet.prepare ins(%q : memref<12x32xi8>) outs(%t : memref<12x512xi8>) {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>, token_blocks = array<i64: 8>}
  return
}
