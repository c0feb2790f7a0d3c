// RUN: bitnet-opt %s --split-input-file --convert-bitnet-to-vector | FileCheck %s

// Counts of 32 bits at once.
module attributes {bitnet.target = #bitnet.target<"v4", triple = "x86_64-unknown-linux-gnu", cpu = "icelake-server", features = ["ssse3", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "avx512vpopcntdq"]>} {
  // CHECK-LABEL: func.func @vpopcntdq
  // CHECK: scf.for
  // CHECK: arith.xori {{.*}} : vector<16xi32>
  // CHECK: arith.andi {{.*}} : vector<16xi32>
  // CHECK: llvm.intr.ctpop({{.*}}) : (vector<16xi32>) -> vector<16xi32>
  // CHECK-NOT: vpdpbusd
  // Binary codes count half.
  // CHECK: arith.addi
  // CHECK: arith.subi
  // CHECK: arith.sitofp
  func.func @vpopcntdq(%q: memref<1x384xi8>, %p: memref<1x24xi32>, %w: memref<3072xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x384xi8>, memref<3072xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) prepared(%p : memref<1x24xi32>) outs(%y : memref<1x64xf32>)
      {packing = #bitnet.packing<planes1, rows = 64>, rows = 64 : i64, columns = 384 : i64, magnitude = 1 : i64, lowering = #bitnet.lowering<popcount>}
    return
  }
}

// -----

// Counts of bytes, summed by the dot product. Ternary codes become as many bits.
module attributes {bitnet.target = #bitnet.target<"v3", triple = "x86_64-unknown-linux-gnu", cpu = "haswell", features = ["ssse3", "avx2"]>} {
  // CHECK-LABEL: func.func @avx2
  // CHECK: arith.constant dense<1431655765> : vector<8xi32>
  // CHECK: llvm.intr.ctpop({{.*}}) : (vector<32xi8>) -> vector<32xi8>
  // CHECK: llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
  // CHECK: vector.store {{.*}} : memref<1x64xi32>
  func.func @avx2(%q: memref<1x384xi8>, %p: memref<1x48xi32>, %w: memref<6144xi8>, %y: memref<1x64xi32>) {
    bitnet.matmul ins(%q, %w : memref<1x384xi8>, memref<6144xi8>) prepared(%p : memref<1x48xi32>) outs(%y : memref<1x64xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 384 : i64, magnitude = 1 : i64, lowering = #bitnet.lowering<popcount>}
    return
  }
}

// -----

// Four activations at a time: their signs, and whether they are there.
// CHECK-LABEL: func.func @bits
// CHECK: scf.parallel
// CHECK: scf.for
// CHECK-COUNT-8: vector.load {{.*}} : memref<4x64xi8>, vector<4xi8>
// CHECK: memref.store {{.*}} : memref<4x4xi32>
// CHECK: memref.store {{.*}} : memref<4x4xi32>
func.func @bits(%q: memref<4x64xi8>, %p: memref<4x4xi32>) {
  bitnet.prepare ins(%q : memref<4x64xi8>) outs(%p : memref<4x4xi32>) {lowering = #bitnet.lowering<popcount>, packing = #bitnet.packing<planes1, rows = 64>}
  return
}
