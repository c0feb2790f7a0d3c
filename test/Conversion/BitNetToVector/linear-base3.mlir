// RUN: bitnet-opt %s --split-input-file --convert-bitnet-to-vector | FileCheck %s

// AVX-512 VBMI, one token: the upper six bits of bytes index tables of the first
// two codes, what is left of the bytes those of the others. 64 times the first code
// has accumulators of its own.
module attributes {bitnet.target = #bitnet.target<"vbmi", triple = "x86_64-unknown-linux-gnu", cpu = "sapphirerapids", features = ["ssse3", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "avx512vbmi"]>} {
  // CHECK-LABEL: func.func @decode
  // CHECK: scf.for
  // CHECK: arith.shrui
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.permvar.qi.512"
  // CHECK: arith.andi
  // CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
  // CHECK: arith.subi
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.permvar.qi.512"
  // CHECK-NOT: arith.minui
  // CHECK-COUNT-16: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
  // CHECK-NOT: llvm.call_intrinsic
  // CHECK: arith.shrsi
  // CHECK: arith.sitofp
  func.func @decode(%q: memref<1x400xi8>, %w: memref<30720xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x384xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x400xi8>, memref<30720xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x384xf32>)
      {packing = #bitnet.packing<base3, rows = 64>, rows = 384 : i64, columns = 384 : i64}
    return
  }

  // Many tokens: codes are unpacked once, five steps a block.
  // CHECK-LABEL: func.func @prefill
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.permvar.qi.512"
  // CHECK: vector.store {{.*}} : memref<24320xi8>, vector<64xi8>
  // CHECK: scf.for
  // CHECK-NOT: arith.minui
  // CHECK-COUNT-24: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
  // CHECK-NOT: llvm.call_intrinsic
  func.func @prefill(%q: memref<18x20xi8>, %w: memref<256xi8>, %s: memref<64xf32>, %step: memref<18xf32>, %sum: memref<18xi32>, %y: memref<18x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<18x20xi8>, memref<256xi8>, memref<64xf32>)
      quantized(%step, %sum : memref<18xf32>, memref<18xi32>) outs(%y : memref<18x64xf32>)
      {packing = #bitnet.packing<base3, rows = 64>, rows = 64 : i64, columns = 20 : i64}
    return
  }
}

// -----

// AVX-512 without it: digits are divided out by arithmetic, and multiplied as they
// stand; pshufb looks up the last two. 21 times this is 1 modulo 2^32.
module attributes {bitnet.target = #bitnet.target<"vnni", triple = "x86_64-unknown-linux-gnu", cpu = "cascadelake", features = ["ssse3", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512vnni"]>} {
  // CHECK-LABEL: func.func @digits
  // CHECK: arith.minui
  // CHECK: %[[REST:.*]] = arith.minui
  // CHECK: %[[DIGIT:.*]] = arith.subi %{{.*}}, %[[REST]]
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%{{.*}}, %[[DIGIT]],
  // CHECK: llvm.call_intrinsic "llvm.x86.avx512.pshuf.b.512"
  // CHECK: arith.shrsi
  // CHECK: %[[INVERSE:.*]] = arith.constant dense<1022611261> : vector<16xi32>
  // CHECK: arith.muli %{{.*}}, %[[INVERSE]] : vector<16xi32>
  func.func @digits(%q: memref<1x400xi8>, %w: memref<30720xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x384xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x400xi8>, memref<30720xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x384xf32>)
      {packing = #bitnet.packing<base3, rows = 64>, rows = 384 : i64, columns = 384 : i64}
    return
  }
}

// -----

// Products in 16 bits take codes themselves.
module attributes {bitnet.target = #bitnet.target<"v3", triple = "x86_64-unknown-linux-gnu", cpu = "haswell", features = ["ssse3", "avx2"]>} {
  // CHECK-LABEL: func.func @avx2
  // CHECK-COUNT-2: arith.minui
  // CHECK: arith.andi
  // CHECK: llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
  // CHECK-NOT: arith.muli {{.*}} vector
  func.func @avx2(%q: memref<1x20xi8>, %w: memref<256xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x20xi8>, memref<256xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x64xf32>)
      {packing = #bitnet.packing<base3, rows = 64>, rows = 64 : i64, columns = 20 : i64}
    return
  }

  // Lookups are indexed by bits of codes, so that `lut` becomes `dot` here.
  // CHECK-LABEL: func.func @lut
  // CHECK: llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
  func.func @lut(%q: memref<1x20xi8>, %w: memref<256xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
    bitnet.linear ins(%q, %w, %s : memref<1x20xi8>, memref<256xi8>, memref<1xf32>)
      quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x64xf32>)
      {packing = #bitnet.packing<base3, rows = 64>, rows = 64 : i64, columns = 20 : i64, lowering = #bitnet.lowering<lut>}
    return
  }
}
