// RUN: bitnet-opt %s --split-input-file --verify-diagnostics --convert-bitnet-to-gpu

module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {
func.func @prepare(%x: memref<4x384xi8>, %y: memref<4x6144xi8>) {
  // expected-error @below {{has no kernel: the layout phase decomposes it}}
  bitnet.prepare ins(%x : memref<4x384xi8>) outs(%y : memref<4x6144xi8>)
    {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>}
  return
}
}

// -----

module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {
func.func @base3(%x: memref<1x400xi8>, %w: memref<10240xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x128xf32>) {
  // expected-error @below {{has weights packed as base3, which only CPUs read; a GPU needs ternary-packing=planes2}}
  bitnet.linear ins(%x, %w, %s : memref<1x400xi8>, memref<10240xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x128xf32>)
    {packing = #bitnet.packing<base3, rows = 64>, rows = 128 : i64, columns = 400 : i64}
  return
}
}

// -----

module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {
func.func @unit(%x: memref<1x384xi8>, %w: memref<12288xi8>, %s: memref<1xf32>, %step: memref<1xf32>, %sum: memref<1xi32>, %y: memref<1x128xf32>) {
  // expected-error @below {{has weights packed in units of 8 bytes; a GPU reads units of 4}}
  bitnet.linear ins(%x, %w, %s : memref<1x384xi8>, memref<12288xi8>, memref<1xf32>)
    quantized(%step, %sum : memref<1xf32>, memref<1xi32>) outs(%y : memref<1x128xf32>)
    {packing = #bitnet.packing<planes2, rows = 64, unit = 8>, rows = 128 : i64, columns = 384 : i64}
  return
}
}

// -----

module attributes {bitnet.target = #bitnet.target<"vulkan", triple = "spirv-unknown-vulkan", cpu = "", features = []>} {
func.func @tensors(%x: tensor<4x40xf32>, %y: tensor<4x40xf32>) -> tensor<4x40xf32> {
  // expected-error @below {{must be bufferized before it is lowered to launches}}
  %0 = bitnet.norm ins(%x : tensor<4x40xf32>) outs(%y : tensor<4x40xf32>)
    {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32} -> tensor<4x40xf32>
  return %0 : tensor<4x40xf32>
}
}

// -----

// expected-error @below {{expected a bitnet.target that names a GPU}}
module {
}
