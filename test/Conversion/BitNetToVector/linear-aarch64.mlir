// RUN: bitnet-opt %s --split-input-file --convert-bitnet-to-vector | FileCheck %s

// Plain ARM: products in 16 bits, by halves, pairs of them widened once a block.
module attributes {bitnet.target = #bitnet.target<"aarch64", triple = "aarch64-unknown-linux-gnu", cpu = "cortex-a72", features = ["neon"]>} {
  // CHECK-LABEL: func.func @plain
  // Bytes are shifted as bytes, and the last field needs no mask.
  // CHECK: arith.shrui {{.*}} : vector<16xi8>
  // CHECK: llvm.call_intrinsic "llvm.aarch64.neon.smull.v8i16"
  // CHECK: llvm.call_intrinsic "llvm.aarch64.neon.addp.v8i16"
  // CHECK: llvm.call_intrinsic "llvm.aarch64.neon.saddlp.v4i32.v8i16"
  func.func @plain(%q: memref<1x16xi8>, %w: memref<256xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x16xi8>, memref<256xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64}
    return
  }
}

// -----

module attributes {bitnet.target = #bitnet.target<"dotprod", triple = "aarch64-unknown-linux-gnu", cpu = "cortex-a76", features = ["neon", "dotprod"]>} {
  // One load of 16 activations serves four fields; the first three need no shift,
  // the last would leave the range of a signed byte.
  // CHECK-LABEL: func.func @dotprod
  // CHECK: scf.for
  // CHECK: vector.load {{.*}} : memref<1x32xi8>, vector<16xi8>
  // CHECK-NOT: vector.load
  // CHECK-COUNT-12: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"
  // CHECK: arith.shrui {{.*}} : vector<16xi8>
  // CHECK-COUNT-4: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"
  func.func @dotprod(%q: memref<1x32xi8>, %w: memref<512xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x32xi8>, memref<512xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 32 : i64}
    return
  }

  // A packing for matrix products: rows are taken apart into two blocks of four.
  // CHECK-LABEL: func.func @halves
  // CHECK: vector.deinterleave {{.*}} : vector<8xi32> -> vector<4xi32>
  // CHECK: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"
  func.func @halves(%q: memref<1x32xi8>, %w: memref<512xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x32xi8>, memref<512xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64, unit = 8>, rows = 64 : i64, columns = 32 : i64}
    return
  }
}

// -----

module attributes {bitnet.target = #bitnet.target<"i8mm", triple = "aarch64-unknown-linux-gnu", cpu = "neoverse-v1", features = ["neon", "dotprod", "i8mm", "sve"]>} {
  // Several tokens are matrices, an odd last one its own partner; their vectors are
  // of 128 bits even where longer ones may be.
  // CHECK-LABEL: func.func @matrices
  // CHECK-NOT: vscale
  // CHECK-COUNT-32: llvm.call_intrinsic "llvm.aarch64.neon.smmla.v4i32.v16i8"
  // CHECK-NOT: llvm.call_intrinsic
  func.func @matrices(%q: memref<3x32xi8>, %w: memref<512xi8>, %s: memref<1xf32>, %step: memref<3xf32>, %sum: memref<3xi32>, %y: memref<3x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<3x32xi8>, memref<512xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<3xf32>, memref<3xi32>) outs(%y : memref<3x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64, unit = 8>, rows = 64 : i64, columns = 32 : i64}
    return
  }

  // One token: vectors of any length, four at a time and then one by one, rows
  // beyond N masked.
  // CHECK-LABEL: func.func @scalable
  // CHECK: vector.vscale
  // CHECK: scf.for
  // CHECK: vector.deinterleave {{.*}} : vector<[8]xi32> -> vector<[4]xi32>
  // CHECK: llvm.call_intrinsic "llvm.aarch64.sve.sdot.nxv4i32"
  // CHECK: vector.create_mask {{.*}} : vector<[4]xi1>
  // CHECK: vector.maskedstore
  func.func @scalable(%q: memref<1x32xi8>, %w: memref<512xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x40xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x32xi8>, memref<512xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x40xf32>)
      {packing = #bitnet.packing<planes2, rows = 64, unit = 8>, rows = 40 : i64, columns = 32 : i64}
    return
  }

  // An output whose rows are not contiguous is stored by element: no scalable
  // vectors.
  // CHECK-LABEL: func.func @scattered
  // CHECK-NOT: vscale
  // CHECK: llvm.call_intrinsic "llvm.aarch64.neon.sdot.v4i32.v16i8"
  func.func @scattered(%q: memref<1x32xi8>, %w: memref<512xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32, strided<[128, 2]>>) {
    bitnet.linear ins(%q, %w, %s : memref<1x32xi8>, memref<512xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x64xf32, strided<[128, 2]>>)
      {packing = #bitnet.packing<planes2, rows = 64, unit = 8>, rows = 64 : i64, columns = 32 : i64}
    return
  }
}
