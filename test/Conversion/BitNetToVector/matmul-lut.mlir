// RUN: bitnet-opt %s --split-input-file --convert-bitnet-to-vector | FileCheck %s

// AVX2: four vectors are transposed, and half a byte of weights looks up 16 sums
// whose bytes interleave. Chunks of 15 blocks sum in 16 bits.
module attributes {bitnet.target = #bitnet.target<"v3", triple = "x86_64-unknown-linux-gnu", cpu = "haswell", features = ["ssse3", "avx2"]>} {
  // CHECK-LABEL: func.func @avx2
  // CHECK: scf.for {{.*}} step %c15{{.*}} iter_args
  // CHECK: arith.minui
  // CHECK: scf.for
  // CHECK-NOT: bitnet.fetch_distance
  // CHECK: memref.prefetch
  // CHECK-COUNT-4: vector.load {{.*}} : memref<{{[0-9]+}}xi8>, vector<32xi8>
  // CHECK-COUNT-16: llvm.call_intrinsic "llvm.x86.avx2.pshuf.b"
  // CHECK-NOT: pshuf.b
  // CHECK: arith.extsi {{.*}} : vector<8xi16> to vector<8xi32>
  // CHECK: arith.sitofp
  // CHECK-NOT: bitnet.linear
  func.func @avx2(%q: memref<1x512xi8>, %t: memref<1x8192xi8>, %w: memref<8192xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x512xi8>, memref<8192xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) prepared(%t : memref<1x8192xi8>) outs(%y : memref<1x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 512 : i64, lowering = #bitnet.lowering<lut>}
    return
  }
}

// -----

// Two tokens share the indices: 8 of each half byte, for twice the lookups.
module attributes {bitnet.target = #bitnet.target<"v3", triple = "x86_64-unknown-linux-gnu", cpu = "haswell", features = ["ssse3", "avx2"]>} {
  // CHECK-LABEL: func.func @tokens
  // CHECK-COUNT-4: arith.shrui {{.*}} : vector<8xi32>
  // CHECK-NOT: arith.shrui
  // CHECK: arith.sitofp
  func.func @tokens(%q: memref<2x16xi8>, %t: memref<2x256xi8>, %w: memref<128xi8>, %s: memref<1xf32>, %step: memref<2xf32>, %sum: memref<2xi32>, %y: memref<2x32xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<2x16xi8>, memref<128xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<2xf32>, memref<2xi32>) prepared(%t : memref<2x256xi8>) outs(%y : memref<2x32xf32>)
      {packing = #bitnet.packing<planes2, rows = 32>, rows = 32 : i64, columns = 16 : i64, lowering = #bitnet.lowering<lut>}
    return
  }
}

// -----

// vpermb has a table for each byte of a lane: nothing is transposed.
module attributes {bitnet.target = #bitnet.target<"vbmi", triple = "x86_64-unknown-linux-gnu", cpu = "icelake-server", features = ["ssse3", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "avx512vbmi"]>} {
  // CHECK-LABEL: func.func @vbmi
  // CHECK-NOT: vector.shuffle
  // CHECK-COUNT-4: vector.load {{.*}} : memref<1x256xi8>, vector<64xi8>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.permvar.qi.512"
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
  // CHECK-NOT: vector.shuffle
  // CHECK: vector.store {{.*}} : memref<1x64xi32>
  func.func @vbmi(%q: memref<1x32xi8>, %t: memref<1x256xi8>, %w: memref<256xi8>, %y: memref<1x64xi32>) {
    bitnet.matmul ins(%q, %w : memref<1x32xi8>, memref<256xi8>) prepared(%t : memref<1x256xi8>) outs(%y : memref<1x64xi32>)
      {packing = #bitnet.packing<planes1, rows = 64>, rows = 64 : i64, columns = 32 : i64, lowering = #bitnet.lowering<lut>}
    return
  }
}

// -----

// The tables of two ternary weights: sums w0 * a0 + w1 * a1, low bytes and high.
// CHECK-LABEL: func.func @tables
// CHECK: scf.parallel
// CHECK: scf.for
// CHECK: arith.muli {{.*}} : vector<16xi16>
// CHECK: arith.addi {{.*}} : vector<16xi16>
// CHECK: arith.trunci {{.*}} : vector<16xi16> to vector<16xi8>
// CHECK: arith.shrsi {{.*}} : vector<16xi16>
// CHECK-COUNT-15: vector.store {{.*}} : memref<4x512xi8>, vector<16xi8>
func.func @tables(%q: memref<4x32xi8>, %t: memref<4x512xi8>) {
  bitnet.prepare ins(%q : memref<4x32xi8>) outs(%t : memref<4x512xi8>) {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>}
  return
}
