// RUN: bitnet-opt %s --bitnet-layout=ternary-packing=base3 | FileCheck %s

// Activations are padded to whole blocks of 20 where they are quantised.
// CHECK-LABEL: func.func @plain
// CHECK: tensor.empty() : tensor<1x40xi8>
// CHECK: bitnet.archive "weights" at 0 : tensor<512xi8>
// CHECK: packing = #bitnet.packing<base3, rows = 64>, rows = 1 : i64
func.func @plain(%x: tensor<1x30xf32>) -> tensor<1x1xf32> {
  %q = tensor.empty() : tensor<1x30xi8>
  %t = tensor.empty() : tensor<1xf32>
  %u = tensor.empty() : tensor<1xi32>
  %a:3 = bitnet.quantize ins(%x : tensor<1x30xf32>) outs(%q, %t, %u : tensor<1x30xi8>, tensor<1xf32>, tensor<1xi32>)
      {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64,
       scaling = #bitnet.scaling<reciprocal_multiply>, granularity = #bitnet.granularity<token>}
      -> tensor<1x30xi8>, tensor<1xf32>, tensor<1xi32>
  %w = bitnet.constant dense_resource<w> : tensor<1x30x!bitnet.ternary> loc("weights")
  %s = arith.constant dense<1.0> : tensor<1xf32>
  %o = tensor.empty() : tensor<1x1xf32>
  %y = bitnet.linear ins(%a#0, %w, %s : tensor<1x30xi8>, tensor<1x30x!bitnet.ternary>, tensor<1xf32>)
      quantized(%a#1, %a#2 : tensor<1xf32>, tensor<1xi32>) outs(%o : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// A block must not straddle groups of 16: four codes to a byte.
// CHECK-LABEL: func.func @groups
// CHECK: packing = #bitnet.packing<planes2, rows = 64>, rows = 1 : i64
func.func @groups(%x: tensor<1x32xf32>) -> tensor<1x1xf32> {
  %w = bitnet.constant dense_resource<v> : tensor<1x32x!bitnet.ternary>
  %s = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %o = tensor.empty() : tensor<1x1xf32>
  %y = bitnet.linear ins(%x, %w, %s : tensor<1x32xf32>, tensor<1x32x!bitnet.ternary>, tensor<1x2xf32>)
      outs(%o : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// Groups of 20 hold a block of base 3, or none at all.
// CHECK-LABEL: func.func @fives
// CHECK: packing = #bitnet.packing<base3, rows = 64>, rows = 1 : i64
func.func @fives(%x: tensor<1x160xf32>) -> tensor<1x1xf32> {
  %w = bitnet.constant dense_resource<u> : tensor<1x160x!bitnet.ternary>
  %s = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %o = tensor.empty() : tensor<1x1xf32>
  %y = bitnet.linear ins(%x, %w, %s : tensor<1x160xf32>, tensor<1x160x!bitnet.ternary>, tensor<1x2xf32>)
      outs(%o : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// Codes of one bit are as dense as they get, whatever is asked for ternary ones.
// CHECK-LABEL: func.func @binary
// CHECK: packing = #bitnet.packing<planes1,
func.func @binary(%x: tensor<1x32xf32>) -> tensor<1x1xf32> {
  %w = bitnet.constant dense_resource<b> : tensor<1x32x!bitnet.binary>
  %s = arith.constant dense<1.0> : tensor<1xf32>
  %o = tensor.empty() : tensor<1x1xf32>
  %y = bitnet.linear ins(%x, %w, %s : tensor<1x32xf32>, tensor<1x32x!bitnet.binary>, tensor<1xf32>)
      outs(%o : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// A slice of activations is not copied to fill a block of 20: 32 columns keep
// blocks of 16.
// CHECK-LABEL: func.func @slice
// CHECK: packing = #bitnet.packing<planes2, rows = 64
func.func @slice(%x: tensor<9x32xi8>, %o: tensor<4x1xi32>) -> tensor<4x1xi32> {
  %w = bitnet.constant dense_resource<v> : tensor<1x32x!bitnet.ternary>
  %part = tensor.extract_slice %x[1, 0] [4, 32] [2, 1] : tensor<9x32xi8> to tensor<4x32xi8>
  %y = bitnet.matmul ins(%part, %w : tensor<4x32xi8>, tensor<1x32x!bitnet.ternary>) outs(%o : tensor<4x1xi32>) -> tensor<4x1xi32>
  return %y : tensor<4x1xi32>
}

// The first weight is 1, the fifth -1, all others 0. Five codes 1 are 125; 84 - 28
// more is a 2 in the first place and a 0 in the second.
// CHECK: "0x40000000B57D7D7D7D7D
{-# dialect_resources: { builtin: {
  w: "0x400000005654555555555505",
  v: "0x400000005654555555555555",
  u: "0x4000000055555555555555555555555555555555555555555555555555555555555555555555555555555555",
  b: "0x40000000A5A5A5A5"
} } #-}
