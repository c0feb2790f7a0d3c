// RUN: bitnet-opt %s --convert-bitnet-to-vector | FileCheck %s

// The plain level has no dot product of bytes: masked additions and subtractions,
// in vectors of 128 bits, without any intrinsic.
module attributes {bitnet.target = #bitnet.target<"x86-64", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = []>} {
  // CHECK-LABEL: func.func @addsub
  // CHECK-NOT: call_intrinsic
  // CHECK: arith.cmpi eq, {{.*}} : vector<16xi8>
  // CHECK: arith.select {{.*}} : vector<16xi1>, vector<16xi8>
  // CHECK: arith.subi {{.*}} : vector<8xi16>
  // CHECK-NOT: bitnet.linear
  func.func @addsub(%q: memref<?x32xi8>, %w: memref<256xi8>, %s: memref<1xf32>, %step: memref<?xf32>, %sum: memref<?xi32>, %y: memref<?x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<?x32xi8>, memref<256xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<?xf32>, memref<?xi32>) outs(%y : memref<?x64xf32>)
      {packing = #bitnet.packing<planes1, rows = 64>, rows = 64 : i64, columns = 32 : i64}
    return
  }

  // Weight-only: codes become floats.
  // CHECK-LABEL: func.func @weight_only
  // CHECK: arith.sitofp {{.*}} : vector<4xi32> to vector<4xf32>
  // CHECK: arith.mulf {{.*}} fastmath<reassoc,contract>
  func.func @weight_only(%x: memref<2x16xf32>, %w: memref<256xi8>, %s: memref<1xf32>, %y: memref<2x64xf32>) {
    bitnet.linear ins(%x, %w, %s : memref<2x16xf32>, memref<256xi8>, memref<1xf32>) outs(%y : memref<2x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64}
    return
  }
}
