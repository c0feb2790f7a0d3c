// RUN: bitnet-opt %s --split-input-file --bitnet-prepare-activations --cse | FileCheck %s

// Two layers of one input share its tables. Activations that tables do not take
// leave the choice to the target.
module attributes {bitnet.target = #bitnet.target<"v2", triple = "x86_64-unknown-linux-gnu", cpu = "nehalem", features = ["ssse3"]>} {
  // CHECK-LABEL: func.func @lut
  // CHECK: %[[T:.*]] = bitnet.prepare ins(%[[Q:.*]] : tensor<?x32xi8>) outs(%{{.*}} : tensor<?x512xi8>) {lowering = #bitnet.lowering<lut>, {{.*}}token_blocks = array<i64: 32, 16, 8>}
  // CHECK-NOT: bitnet.prepare
  // CHECK: bitnet.linear ins(%[[Q]],{{.*}}prepared(%[[T]] : tensor<?x512xi8>){{.*}}lowering = #bitnet.lowering<lut>
  // CHECK: bitnet.matmul ins(%[[Q]],{{.*}}prepared(%[[T]] : tensor<?x512xi8>){{.*}}lowering = #bitnet.lowering<lut>
  func.func @lut(%q: tensor<?x32xi8>, %w: tensor<512xi8>, %s: tensor<1xf32>, %step: tensor<?xf32>, %sum: tensor<?xi32>, %y: tensor<?x64xf32>, %z: tensor<?x64xi32>) -> (tensor<?x64xf32>, tensor<?x64xi32>) {
    %0 = bitnet.linear ins(%q, %w, %s : tensor<?x32xi8>, tensor<512xi8>, tensor<1xf32>)
      quantized(%step, %sum : tensor<?xf32>, tensor<?xi32>) outs(%y : tensor<?x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 32 : i64, lowering = #bitnet.lowering<lut>} -> tensor<?x64xf32>
    %1 = bitnet.matmul ins(%q, %w : tensor<?x32xi8>, tensor<512xi8>) outs(%z : tensor<?x64xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 32 : i64, lowering = #bitnet.lowering<lut>} -> tensor<?x64xi32>
    return %0, %1 : tensor<?x64xf32>, tensor<?x64xi32>
  }

  // CHECK-LABEL: func.func @words
  // CHECK-NOT: bitnet.prepare
  // CHECK: lowering = #bitnet.lowering<dot>
  func.func @words(%q: tensor<1x16xi16>, %w: tensor<256xi8>, %z: tensor<1x64xi32>) -> tensor<1x64xi32> {
    %0 = bitnet.matmul ins(%q, %w : tensor<1x16xi16>, tensor<256xi8>) outs(%z : tensor<1x64xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64, lowering = #bitnet.lowering<lut>} -> tensor<1x64xi32>
    return %0 : tensor<1x64xi32>
  }

  // CHECK-LABEL: func.func @floats
  // CHECK-NOT: bitnet.prepare
  func.func @floats(%q: tensor<1x16xf32>, %w: tensor<256xi8>, %z: tensor<1x64xf32>) -> tensor<1x64xf32> {
    %0 = bitnet.matmul ins(%q, %w : tensor<1x16xf32>, tensor<256xi8>) outs(%z : tensor<1x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64, lowering = #bitnet.lowering<lut>} -> tensor<1x64xf32>
    return %0 : tensor<1x64xf32>
  }

  // Bits hold -1, 0 and 1 only.
  // CHECK-LABEL: func.func @popcount
  // CHECK: bitnet.prepare ins(%{{.*}} : tensor<1x32xi8>) outs(%{{.*}} : tensor<1x2xi32>) {lowering = #bitnet.lowering<popcount>
  // CHECK: bitnet.matmul {{.*}}lowering = #bitnet.lowering<popcount>
  // CHECK-NOT: bitnet.prepare
  // CHECK: bitnet.matmul {{.*}}lowering = #bitnet.lowering<dot>
  func.func @popcount(%q: tensor<1x32xi8>, %w: tensor<256xi8>, %z: tensor<1x64xi32>) -> (tensor<1x64xi32>, tensor<1x64xi32>) {
    %0 = bitnet.matmul ins(%q, %w : tensor<1x32xi8>, tensor<256xi8>) outs(%z : tensor<1x64xi32>)
      {packing = #bitnet.packing<planes1, rows = 64>, rows = 64 : i64, columns = 32 : i64, magnitude = 1 : i64, lowering = #bitnet.lowering<popcount>} -> tensor<1x64xi32>
    %1 = bitnet.matmul ins(%q, %w : tensor<1x32xi8>, tensor<256xi8>) outs(%z : tensor<1x64xi32>)
      {packing = #bitnet.packing<planes1, rows = 64>, rows = 64 : i64, columns = 32 : i64, lowering = #bitnet.lowering<popcount>} -> tensor<1x64xi32>
    return %0, %1 : tensor<1x64xi32>, tensor<1x64xi32>
  }

  // What is not packed is left alone.
  // CHECK-LABEL: func.func @unpacked
  // CHECK-NEXT: bitnet.matmul ins({{.*}}) outs({{.*}}) -> tensor<1x64xi32>
  func.func @unpacked(%q: tensor<1x32xi8>, %w: tensor<64x32x!bitnet.ternary>, %z: tensor<1x64xi32>) -> tensor<1x64xi32> {
    %0 = bitnet.matmul ins(%q, %w : tensor<1x32xi8>, tensor<64x32x!bitnet.ternary>) outs(%z : tensor<1x64xi32>) -> tensor<1x64xi32>
    return %0 : tensor<1x64xi32>
  }
}

// -----

// Without a byte shuffle.
module attributes {bitnet.target = #bitnet.target<"v1", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = ["sse2"]>} {
  // CHECK-LABEL: func.func @sse2
  // CHECK-NOT: bitnet.prepare
  // CHECK: lowering = #bitnet.lowering<addsub>
  func.func @sse2(%q: tensor<1x16xi8>, %w: tensor<256xi8>, %z: tensor<1x64xi32>) -> tensor<1x64xi32> {
    %0 = bitnet.matmul ins(%q, %w : tensor<1x16xi8>, tensor<256xi8>) outs(%z : tensor<1x64xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64, lowering = #bitnet.lowering<lut>} -> tensor<1x64xi32>
    return %0 : tensor<1x64xi32>
  }
}

// -----

// Blocks of tokens share lookups, which need no byte shuffle and which `auto`
// prefers here; fewer tokens than a vector do not, nor does a number not known.
module attributes {bitnet.target = #bitnet.target<"v1", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = ["sse2"]>} {
  // CHECK-LABEL: func.func @blocks
  // CHECK: bitnet.prepare {{.*}}token_blocks = array<i64: 32, 8>}
  // CHECK: bitnet.matmul {{.*}}lowering = #bitnet.lowering<lut>{{.*}}token_blocks = array<i64: 32, 8>}
  func.func @blocks(%q: tensor<44x16xi8>, %w: tensor<256xi8>, %z: tensor<44x64xi32>) -> tensor<44x64xi32> {
    %0 = bitnet.matmul ins(%q, %w : tensor<44x16xi8>, tensor<256xi8>) outs(%z : tensor<44x64xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64} -> tensor<44x64xi32>
    return %0 : tensor<44x64xi32>
  }

  // CHECK-LABEL: func.func @few
  // CHECK-NOT: bitnet.prepare
  // CHECK: lowering = #bitnet.lowering<addsub>
  func.func @few(%q: tensor<7x16xi8>, %w: tensor<256xi8>, %z: tensor<7x64xi32>) -> tensor<7x64xi32> {
    %0 = bitnet.matmul ins(%q, %w : tensor<7x16xi8>, tensor<256xi8>) outs(%z : tensor<7x64xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64} -> tensor<7x64xi32>
    return %0 : tensor<7x64xi32>
  }

  // CHECK-LABEL: func.func @unknown
  // CHECK-NOT: bitnet.prepare
  // CHECK: lowering = #bitnet.lowering<addsub>
  func.func @unknown(%q: tensor<?x16xi8>, %w: tensor<256xi8>, %z: tensor<?x64xi32>) -> tensor<?x64xi32> {
    %0 = bitnet.matmul ins(%q, %w : tensor<?x16xi8>, tensor<256xi8>) outs(%z : tensor<?x64xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64} -> tensor<?x64xi32>
    return %0 : tensor<?x64xi32>
  }
}

// -----

// A scale for each group of K: tables of single tokens. A dot product into 32
// bits is faster than shared lookups.
module attributes {bitnet.target = #bitnet.target<"vnni", triple = "x86_64-unknown-linux-gnu", cpu = "alderlake", features = ["ssse3", "avx2", "avxvnni"]>} {
  // CHECK-LABEL: func.func @groups
  // CHECK: bitnet.prepare {{.*}} {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>} ->
  // CHECK: bitnet.linear
  func.func @groups(%q: tensor<32x32xi8>, %w: tensor<512xi8>, %s: tensor<2x64xf32>, %step: tensor<32xf32>, %sum: tensor<32xi32>, %y: tensor<32x64xf32>) -> tensor<32x64xf32> {
    %0 = bitnet.linear ins(%q, %w, %s : tensor<32x32xi8>, tensor<512xi8>, tensor<2x64xf32>)
      quantized(%step, %sum : tensor<32xf32>, tensor<32xi32>) outs(%y : tensor<32x64xf32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 32 : i64, lowering = #bitnet.lowering<lut>} -> tensor<32x64xf32>
    return %0 : tensor<32x64xf32>
  }

  // CHECK-LABEL: func.func @vnni
  // CHECK-NOT: bitnet.prepare
  // CHECK: lowering = #bitnet.lowering<dot>
  func.func @vnni(%q: tensor<32x16xi8>, %w: tensor<256xi8>, %z: tensor<32x64xi32>) -> tensor<32x64xi32> {
    %0 = bitnet.matmul ins(%q, %w : tensor<32x16xi8>, tensor<256xi8>) outs(%z : tensor<32x64xi32>)
      {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64} -> tensor<32x64xi32>
    return %0 : tensor<32x64xi32>
  }
}

// -----

// Tiles that do not have four vectors.
module attributes {bitnet.target = #bitnet.target<"v2", triple = "x86_64-unknown-linux-gnu", cpu = "nehalem", features = ["ssse3"]>} {
  // CHECK-LABEL: func.func @tiles
  // CHECK-NOT: bitnet.prepare
  // CHECK: lowering = #bitnet.lowering<dot>
  func.func @tiles(%q: tensor<1x16xi8>, %w: tensor<32xi8>, %z: tensor<1x8xi32>) -> tensor<1x8xi32> {
    %0 = bitnet.matmul ins(%q, %w : tensor<1x16xi8>, tensor<32xi8>) outs(%z : tensor<1x8xi32>)
      {packing = #bitnet.packing<planes2, rows = 8>, rows = 8 : i64, columns = 16 : i64, lowering = #bitnet.lowering<lut>} -> tensor<1x8xi32>
    return %0 : tensor<1x8xi32>
  }
}
