// RUN: bitnet-opt %s --split-input-file --convert-bitnet-to-vector --verify-diagnostics

func.func @tensors(%x: tensor<4x40xf32>, %y: tensor<4x40xf32>) -> tensor<4x40xf32> {
  // expected-error @below {{must be bufferized before it is lowered to loops}}
  %0 = bitnet.norm ins(%x : tensor<4x40xf32>) outs(%y : tensor<4x40xf32>)
    {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32} -> tensor<4x40xf32>
  return %0 : tensor<4x40xf32>
}

// -----

module attributes {bitnet.target = #bitnet.target<"v3", triple = "x86_64-unknown-linux-gnu", cpu = "icelake-server", features = ["ssse3", "avx2", "avx512f", "avx512bw"]>} {
func.func @blocks(%q: memref<8x16xi8>, %t: memref<8x256xi8>, %w: memref<256xi8>, %y: memref<8x64xi32>) {
  // expected-error @below {{has blocks of 8 tokens; expected multiples of 16}}
  bitnet.matmul ins(%q, %w : memref<8x16xi8>, memref<256xi8>) prepared(%t : memref<8x256xi8>) outs(%y : memref<8x64xi32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64, lowering = #bitnet.lowering<lut>, token_blocks = array<i64: 8>}
  return
}
}

// -----

module attributes {bitnet.target = #bitnet.target<"v1", triple = "x86_64-unknown-linux-gnu", cpu = "x86-64", features = ["sse2"]>} {
func.func @gaps(%q: memref<8x16xi8>, %t: memref<8x256xi8, strided<[300, 1]>>, %w: memref<256xi8>, %y: memref<8x64xi32>) {
  // expected-error @below {{has 'token_blocks' of prepared activations with gaps}}
  bitnet.matmul ins(%q, %w : memref<8x16xi8>, memref<256xi8>) prepared(%t : memref<8x256xi8, strided<[300, 1]>>) outs(%y : memref<8x64xi32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64, lowering = #bitnet.lowering<lut>, token_blocks = array<i64: 8>}
  return
}
}

// -----

func.func @gaps(%q: memref<8x16xi8>, %t: memref<8x256xi8, strided<[300, 1]>>) {
  // expected-error @below {{has 'token_blocks' in an output with gaps}}
  bitnet.prepare ins(%q : memref<8x16xi8>) outs(%t : memref<8x256xi8, strided<[300, 1]>>)
    {packing = #bitnet.packing<planes2, rows = 64>, lowering = #bitnet.lowering<lut>, token_blocks = array<i64: 8>}
  return
}

// -----

module attributes {bitnet.target = #bitnet.target<"v2", triple = "x86_64-unknown-linux-gnu", cpu = "nehalem", features = ["ssse3"]>} {
func.func @lut(%q: memref<1x16xi8>, %w: memref<256xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x64xf32>) {
  // expected-error @below {{has the lowering 'lut' but no prepared activations: run bitnet-prepare-activations on tensors first}}
  bitnet.linear ins(%q, %w, %s : memref<1x16xi8>, memref<256xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x64xf32>)
    {packing = #bitnet.packing<planes2, rows = 64>, rows = 64 : i64, columns = 16 : i64, lowering = #bitnet.lowering<lut>}
  return
}
}

// -----

func.func @rows(%q: memref<1x16xi8>, %w: memref<24xi8>, %y: memref<1x6xi32>) {
  // expected-error @below {{has tiles of 6 packed rows; expected a multiple of 4}}
  bitnet.matmul ins(%q, %w : memref<1x16xi8>, memref<24xi8>) outs(%y : memref<1x6xi32>)
    {packing = #bitnet.packing<planes2, rows = 6>, rows = 6 : i64, columns = 16 : i64}
  return
}
