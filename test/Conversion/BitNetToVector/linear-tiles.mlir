// RUN: bitnet-opt %s --convert-bitnet-to-vector | FileCheck %s

// AMX, which four tokens or more take.
module attributes {bitnet.target = #bitnet.target<"amx", triple = "x86_64-unknown-linux-gnu", cpu = "sapphirerapids", features = ["avx2", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "amx-tile", "amx-int8"]>} {
  // CHECK-LABEL: func.func @three
  // CHECK-NOT: tdpbsud
  func.func @three(%q: memref<3x384xi8>, %w: memref<36864xi8>, %s: memref<1xf32>, %step: memref<3xf32>, %sum: memref<3xi32>, %y: memref<3x384xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<3x384xi8>, memref<36864xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<3xf32>, memref<3xi32>) outs(%y : memref<3x384xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 384 : i64, columns = 384 : i64}
    return
  }

  // Sums stay in the registers, and the next codes are unpacked before the last are
  // multiplied: one tile of tokens by four of codes.
  // CHECK-LABEL: func.func @few
  // CHECK: scf.parallel
  // CHECK: call_intrinsic "llvm.x86.ldtilecfg"
  // CHECK-COUNT-4: call_intrinsic "llvm.x86.tilezero"
  // CHECK-NOT: tilezero
  // CHECK: scf.for
  // CHECK: memref.prefetch %{{.*}}, read, locality<2>
  // CHECK: vector.store {{.*}} : memref<8192xi8>, vector<64xi8>
  // CHECK-NOT: tilestored64
  // CHECK: call_intrinsic "llvm.x86.tileloadd64"
  // CHECK: call_intrinsic "llvm.x86.tileloadd64"
  // CHECK: call_intrinsic "llvm.x86.tdpbsud"
  // CHECK-COUNT-4: call_intrinsic "llvm.x86.tilestored64"
  // CHECK-NOT: vpdpbusd
  // CHECK: arith.sitofp
  // CHECK: call_intrinsic "llvm.x86.tilerelease"
  // CHECK: return
  func.func @few(%q: memref<4x384xi8>, %w: memref<36864xi8>, %s: memref<1xf32>, %step: memref<4xf32>, %sum: memref<4xi32>, %y: memref<4x384xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<4x384xi8>, memref<36864xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<4xf32>, memref<4xi32>) outs(%y : memref<4x384xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 384 : i64, columns = 384 : i64}
    return
  }

  // Two tiles of tokens by two of codes; sums wait in memory from chunk to chunk (two
  // of 32 blocks, and half a one) while other tokens go on. 33 tokens are 17 and 16,
  // which have shapes of their own.
  // CHECK-LABEL: func.func @many
  // CHECK: scf.parallel
  // CHECK: scf.for
  // CHECK: scf.for
  // CHECK-COUNT-2: call_intrinsic "llvm.x86.ldtilecfg"
  // CHECK-COUNT-2: call_intrinsic "llvm.x86.ldtilecfg"
  // CHECK-NOT: ldtilecfg
  // CHECK: call_intrinsic "llvm.x86.tilerelease"
  // CHECK: return
  func.func @many(%q: memref<33x1280xi8>, %w: memref<40960xi8>, %s: memref<1xf32>, %step: memref<33xf32>, %sum: memref<33xi32>, %y: memref<33x128xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<33x1280xi8>, memref<40960xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<33xf32>, memref<33xi32>) outs(%y : memref<33x128xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 1280 : i64}
    return
  }

  // K that ends within a tile, five blocks of 16: the last 64 columns are read again,
  // with 48 of the 64 vectors of codes zero.
  // CHECK-LABEL: func.func @tail
  // CHECK: %[[CODES:.*]] = memref.alloca() {alignment = 64 : i64} : memref<16384xi8>
  // CHECK-COUNT-48: vector.store %{{.*}}, %[[CODES]]
  // CHECK-NOT: vector.store %{{.*}}, %[[CODES]]
  // CHECK: "llvm.x86.ldtilecfg"
  // CHECK: scf.for
  // CHECK: %[[COPY:.*]] = vector.load %[[CODES]]
  // CHECK: vector.store %[[COPY]], %[[CODES]]
  // CHECK-COUNT-8: "llvm.x86.tdpbsud"
  // CHECK-NOT: "llvm.x86.tdpbsud"
  // CHECK: return
  func.func @tail(%q: memref<4x80xi8>, %w: memref<1280xi8>, %s: memref<1xf32>, %step: memref<4xf32>, %sum: memref<4xi32>, %y: memref<4x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<4x80xi8>, memref<1280xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<4xf32>, memref<4xi32>) outs(%y : memref<4x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 80 : i64}
    return
  }
}
