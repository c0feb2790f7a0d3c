// RUN: bitnet-opt %s --bitnet-layout | FileCheck %s --check-prefixes=CHECK,FOUR
// RUN: bitnet-opt %s --bitnet-layout=unit=8 | FileCheck %s --check-prefixes=CHECK,EIGHT
// RUN: not bitnet-opt %s --bitnet-layout=unit=5 2>&1 | FileCheck %s --check-prefix=ERROR
// ERROR: error: the layout's unit must be 4 or 8, got 5

// Weights move to the archive, in blocks of the unit asked for, and activations
// are padded to whole blocks where they are quantised.
// CHECK-LABEL: func.func @plain
// CHECK-NOT: bitnet.constant
// FOUR: tensor.empty() : tensor<1x32xi8>
// FOUR: bitnet.archive "weights" at 0 : tensor<512xi8>
// FOUR: packing = #bitnet.packing<planes2, rows = 64>, rows = 1 : i64
// EIGHT: bitnet.archive "weights" at 0 : tensor<512xi8>
// EIGHT: packing = #bitnet.packing<planes2, rows = 64, unit = 8>, rows = 1 : i64
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

// A block must not straddle groups of 16: the unit falls back to 4.
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

// The same codes without groups: with the unit 8 they are packed twice.
// CHECK-LABEL: func.func @again
// FOUR: bitnet.archive "constant" at 512
// EIGHT: bitnet.archive "constant.1" at 1024
// EIGHT: packing = #bitnet.packing<planes2, rows = 64, unit = 8>
func.func @again(%x: tensor<1x32xf32>) -> tensor<1x1xf32> {
  %w = bitnet.constant dense_resource<v> : tensor<1x32x!bitnet.ternary>
  %s = arith.constant dense<1.0> : tensor<1xf32>
  %o = tensor.empty() : tensor<1x1xf32>
  %y = bitnet.linear ins(%x, %w, %s : tensor<1x32xf32>, tensor<1x32x!bitnet.ternary>, tensor<1xf32>)
      outs(%o : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// The first weight is 1, the fifth -1, all others 0 (the code 1). Codes that are
// packed are let go.
// CHECK: dialect_resources
// CHECK-NOT: {{^ *[vw]: "}}
// FOUR-DAG: packed: "0x4000000052555555555555
// FOUR-DAG: packed_1: "0x4000000052555555555555
// EIGHT-DAG: packed: "0x40000000565555555455555555555555
// EIGHT-DAG: packed_1: "0x4000000052555555555555
// EIGHT-DAG: packed_2: "0x40000000565555555455555555555555
// CHECK-NOT: {{^ *[vw]: "}}
{-# dialect_resources: { builtin: {
  w: "0x400000005654555555555505",
  v: "0x400000005654555555555555"
} } #-}
