// RUN: bitnet-opt %s --split-input-file --convert-bitnet-to-vector | FileCheck %s

// AVX-512 VNNI, one token: masks instead of shifts, four accumulators a vector.
module attributes {bitnet.target = #bitnet.target<"v4", triple = "x86_64-unknown-linux-gnu", cpu = "sapphirerapids", features = ["avx2", "avx512f", "avx512bw", "avx512vl", "avx512vnni"]>} {
  // CHECK-LABEL: func.func @decode
  // CHECK: scf.parallel
  // CHECK: scf.for
  // CHECK: %[[FAR:.*]] = bitnet.fetch_distance <far>
  // CHECK: %[[AHEAD:.*]] = arith.addi %{{.*}}, %[[FAR]]
  // CHECK: memref.prefetch %{{.*}}[%[[AHEAD]]], read, locality<2>
  // CHECK: %[[NEAR:.*]] = bitnet.fetch_distance <near>
  // CHECK: %[[CLOSE:.*]] = arith.addi %{{.*}}, %[[NEAR]]
  // CHECK: memref.prefetch %{{.*}}[%[[CLOSE]]], read, locality<3>
  // CHECK: vector.load {{.*}} : memref<36864xi8>, vector<64xi8>
  // CHECK-NOT: arith.shrui
  // CHECK-COUNT-16: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
  // CHECK: arith.sitofp
  // CHECK-NOT: bitnet.linear
  func.func @decode(%q: memref<1x384xi8>, %w: memref<36864xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x384xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x384xi8>, memref<36864xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x384xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 384 : i64, columns = 384 : i64}
    return
  }

  // A gate and a residual, of which the last vector has a part; where elements are
  // apart, they are read and written one by one.
  // CHECK-LABEL: func.func @gated
  // CHECK-COUNT-2: vector.maskedload {{.*}} : memref<1x40xf32>
  // CHECK: vector.maskedstore
  // CHECK-LABEL: func.func @strided
  // CHECK-NOT: vector.masked
  // CHECK: vector.from_elements
  // CHECK-NOT: vector.masked
  // CHECK: return
  func.func @gated(%q: memref<1x16xi8>, %w: memref<256xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %f: memref<1x40xf32>, %y: memref<1x40xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x16xi8>, memref<256xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) times(%f : memref<1x40xf32>) plus(%f : memref<1x40xf32>) outs(%y : memref<1x40xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 40 : i64, columns = 16 : i64}
    return
  }
  func.func @strided(%q: memref<1x16xi8>, %w: memref<256xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %f: memref<1x40xf32, strided<[80, 2]>>, %y: memref<1x40xf32, strided<[120, 3]>>) {
    bitnet.linear ins(%q, %w, %s : memref<1x16xi8>, memref<256xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) plus(%f : memref<1x40xf32, strided<[80, 2]>>) outs(%y : memref<1x40xf32, strided<[120, 3]>>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 40 : i64, columns = 16 : i64}
    return
  }

  // Loops that do more for a byte fetch by fixed distances: two tokens, and digits of base 3.
  // CHECK-LABEL: func.func @two_tokens
  // CHECK-NOT: bitnet.fetch_distance
  // CHECK: memref.prefetch %{{.*}}, read, locality<2>
  // CHECK: memref.prefetch %{{.*}}, read, locality<3>
  // CHECK-NOT: bitnet.fetch_distance
  // CHECK-LABEL: func.func @digits
  // CHECK-NOT: bitnet.fetch_distance
  // CHECK: memref.prefetch %{{.*}}, read, locality<2>
  // CHECK: memref.prefetch %{{.*}}, read, locality<3>
  // CHECK-NOT: bitnet.fetch_distance
  // CHECK: return
  func.func @two_tokens(%q: memref<2x384xi8>, %w: memref<36864xi8>, %s: memref<1xf32>, %step: memref<2xf32>, %sum: memref<2xi32>, %y: memref<2x384xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<2x384xi8>, memref<36864xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<2xf32>, memref<2xi32>) outs(%y : memref<2x384xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 384 : i64, columns = 384 : i64}
    return
  }
  func.func @digits(%q: memref<1x400xi8>, %w: memref<5120xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x400xi8>, memref<5120xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x64xf32>)
      {packing = #bitnet.packing<base3, rows = 64>, rows = 64 : i64, columns = 400 : i64}
    return
  }

  // Many tokens: codes are shifted out once, into memory, and meet six tokens at a time, which ask for their share of the
  // next codes.
  // CHECK-LABEL: func.func @prefill
  // CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<24576xi8>
  // CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<18x64xi32>
  // CHECK: arith.shrui
  // CHECK-NOT: memref.prefetch
  // CHECK: vector.store {{.*}} : memref<24576xi8>, vector<64xi8>
  // CHECK: scf.for
  // CHECK: memref.prefetch {{.*}} : memref<256xi8>
  // CHECK: scf.for
  // CHECK-NOT: arith.shrui
  // CHECK-COUNT-24: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
  // CHECK-NOT: llvm.call_intrinsic
  // The epilogue: bias, then the activation function.
  // CHECK: arith.addf
  // CHECK: arith.cmpf olt
  // CHECK: vector.store
  func.func @prefill(%q: memref<18x16xi8>, %w: memref<256xi8>, %s: memref<64xf32>, %step: memref<18xf32>, %sum: memref<18xi32>, %b: memref<64xf32>, %y: memref<18x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<18x16xi8>, memref<256xi8>, memref<64xf32>)
      quantized(%step, %sum : memref<18xf32>, memref<18xi32>) bias(%b : memref<64xf32>) outs(%y : memref<18x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64, activation = #bitnet.activation<relu_squared>}
    return
  }

  // Panels of a size, each met by all tiles before the next: 240 tokens are
  // 120 and 120. Sums wait in memory for the next chunk of K, but those of the last
  // chunk, which go through the epilogue as they are. What that reads and writes is
  // asked for one and two chunks before.
  // CHECK-LABEL: func.func @panels
  // CHECK: %[[COUNT:.*]] = arith.constant 4 : index
  // CHECK: scf.parallel ({{.*}}) = ({{.*}}) to (%[[COUNT]])
  // CHECK: memref.alloca() {alignment = 64 : i64} : memref<120x64xi32>
  // CHECK: scf.if
  // CHECK: vector.load {{.*}} : memref<120x64xi32>, vector<16xi32>
  // CHECK: vpdpbusd.512
  // CHECK: vector.store {{.*}} : memref<120x64xi32>, vector<16xi32>
  // CHECK: %[[LAST_BUT_ONE:.*]] = arith.cmpi eq
  // CHECK: scf.if %[[LAST_BUT_ONE]]
  // CHECK-COUNT-24: memref.prefetch %[[Y:[a-z0-9]+]][{{.*}} : memref<240x128xf32>
  // CHECK: %[[LAST_BUT_TWO:.*]] = arith.cmpi eq
  // CHECK: scf.if %[[LAST_BUT_TWO]]
  // CHECK-COUNT-24: memref.prefetch %[[F:[a-z0-9]+]][{{.*}} : memref<240x128xf32>
  // CHECK-NOT: memref.prefetch {{.*}} : memref<240x128xf32>
  // CHECK: vpdpbusd.512
  // CHECK-NOT: vector.store {{.*}} : memref<120x64xi32>
  // CHECK: arith.sitofp
  // CHECK: vector.load %[[F]][
  // CHECK: vector.store {{.*}}, %[[Y]][{{.*}} : memref<240x128xf32>
  func.func @panels(%q: memref<240x1600xi8>, %w: memref<51200xi8>, %s: memref<1xf32>, %step: memref<240xf32>, %sum: memref<240xi32>, %f: memref<240x128xf32>, %y: memref<240x128xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<240x1600xi8>, memref<51200xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<240xf32>, memref<240xi32>) times(%f : memref<240x128xf32>) outs(%y : memref<240x128xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 128 : i64, columns = 1600 : i64}
    return
  }

  // Rows beyond N are not stored.
  // CHECK-LABEL: func.func @ragged
  // CHECK: vector.create_mask
  // CHECK: vector.maskedstore
  func.func @ragged(%q: memref<1x16xi8>, %w: memref<256xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x40xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x16xi8>, memref<256xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x40xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 40 : i64, columns = 16 : i64}
    return
  }
}

// -----

// AVX2 without VNNI: pairs of products in 16 bits, widened once a block.
module attributes {bitnet.target = #bitnet.target<"v3", triple = "x86_64-unknown-linux-gnu", cpu = "haswell", features = ["ssse3", "avx2"]>} {
  // CHECK-LABEL: func.func @avx2
  // CHECK: llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
  // CHECK: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
  func.func @avx2(%q: memref<1x16xi8>, %w: memref<256xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x16xi8>, memref<256xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64}
    return
  }
}

// -----

// AVX-VNNI has the dot product on 256 bits.
module attributes {bitnet.target = #bitnet.target<"vnni", triple = "x86_64-unknown-linux-gnu", cpu = "alderlake", features = ["ssse3", "avx2", "avxvnni"]>} {
  // CHECK-LABEL: func.func @avxvnni
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"
  func.func @avxvnni(%q: memref<1x16xi8>, %w: memref<256xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x16xi8>, memref<256xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64}
    return
  }
}
