// RUN: bitnet-opt %s --bitnet-layout | FileCheck %s

// Rows longer than a line of a cache are whole lines, where a quantiser writes them
// for low-bit matmuls alone. Five blocks of 16 would do.
// CHECK-LABEL: func.func @lines
// CHECK-NOT: tensor.pad
// CHECK: bitnet.quantize {{.*}} -> tensor<4x128xi8>
// CHECK: bitnet.linear ins({{.*}} : tensor<4x128xi8>
func.func @lines(%x: tensor<4x80xf32>) -> tensor<4x1xf32> {
  %q = tensor.empty() : tensor<4x80xi8>
  %t = tensor.empty() : tensor<4xf32>
  %u = tensor.empty() : tensor<4xi32>
  %a:3 = bitnet.quantize ins(%x : tensor<4x80xf32>) outs(%q, %t, %u : tensor<4x80xi8>, tensor<4xf32>, tensor<4xi32>)
      {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64,
       scaling = #bitnet.scaling<reciprocal_multiply>, granularity = #bitnet.granularity<token>}
      -> tensor<4x80xi8>, tensor<4xf32>, tensor<4xi32>
  %w = bitnet.constant dense_resource<w> : tensor<1x80x!bitnet.ternary>
  %s = arith.constant dense<1.0> : tensor<1xf32>
  %o = tensor.empty() : tensor<4x1xf32>
  %y = bitnet.linear ins(%a#0, %w, %s : tensor<4x80xi8>, tensor<1x80x!bitnet.ternary>, tensor<1xf32>)
      quantized(%a#1, %a#2 : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x1xf32>) -> tensor<4x1xf32>
  return %y : tensor<4x1xf32>
}

// CHECK-LABEL: func.func @also_read
// CHECK-NOT: tensor.pad
// CHECK: bitnet.quantize {{.*}} -> tensor<4x80xi8>
// CHECK: bitnet.linear ins({{.*}} : tensor<4x80xi8>
func.func @also_read(%x: tensor<4x80xf32>) -> (tensor<4x1xf32>, tensor<4x80xi8>) {
  %q = tensor.empty() : tensor<4x80xi8>
  %t = tensor.empty() : tensor<4xf32>
  %u = tensor.empty() : tensor<4xi32>
  %a:3 = bitnet.quantize ins(%x : tensor<4x80xf32>) outs(%q, %t, %u : tensor<4x80xi8>, tensor<4xf32>, tensor<4xi32>)
      {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64,
       scaling = #bitnet.scaling<reciprocal_multiply>, granularity = #bitnet.granularity<token>}
      -> tensor<4x80xi8>, tensor<4xf32>, tensor<4xi32>
  %w = bitnet.constant dense_resource<w> : tensor<1x80x!bitnet.ternary>
  %s = arith.constant dense<1.0> : tensor<1xf32>
  %o = tensor.empty() : tensor<4x1xf32>
  %y = bitnet.linear ins(%a#0, %w, %s : tensor<4x80xi8>, tensor<1x80x!bitnet.ternary>, tensor<1xf32>)
      quantized(%a#1, %a#2 : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x1xf32>) -> tensor<4x1xf32>
  return %y, %a#0 : tensor<4x1xf32>, tensor<4x80xi8>
}

// What nobody quantises is padded to whole blocks alone.
// CHECK-LABEL: func.func @weight_only
// CHECK: tensor.pad {{.*}} high[0, 8]
// CHECK: bitnet.linear ins({{.*}} : tensor<4x80xf32>
func.func @weight_only(%x: tensor<4x72xf32>) -> tensor<4x1xf32> {
  %w = bitnet.constant dense_resource<v> : tensor<1x72x!bitnet.ternary>
  %s = arith.constant dense<1.0> : tensor<1xf32>
  %o = tensor.empty() : tensor<4x1xf32>
  %y = bitnet.linear ins(%x, %w, %s : tensor<4x72xf32>, tensor<1x72x!bitnet.ternary>, tensor<1xf32>)
      outs(%o : tensor<4x1xf32>) -> tensor<4x1xf32>
  return %y : tensor<4x1xf32>
}

{-# dialect_resources: { builtin: {
  w: "0x400000005555555555555555555555555555555555555555",
  v: "0x40000000555555555555555555555555555555555555"
} } #-}
