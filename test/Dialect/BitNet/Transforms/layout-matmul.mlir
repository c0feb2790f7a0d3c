// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-layout=lowering=lut | FileCheck %s

// CHECK: module attributes {bitnet.archive = [{name = "{{.*}}", offset = 0 : i64, value = dense_resource<{{.*}}> : tensor<256xi8>}

// A quantiser of {-1, 0, 1} bounds the activations, and pads them.
// CHECK-LABEL: func @linear
// CHECK: %[[Q:.*]]:3 = bitnet.quantize {{.*}} -> tensor<4x16xi8>
// CHECK: bitnet.linear ins(%[[Q]]#0, %{{.*}} : tensor<4x16xi8>, tensor<256xi8>, tensor<1xf32>)
// CHECK-SAME: columns = 6 : i64, lowering = #bitnet.lowering<lut>, magnitude = 1 : i64, packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64
func.func @linear(%x: tensor<4x6xf32>, %s: tensor<1xf32>, %o: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %w = bitnet.constant dense_resource<t> : tensor<2x6x!bitnet.ternary>
  %0 = tensor.empty() : tensor<4x6xi8>
  %1 = tensor.empty() : tensor<4xf32>
  %2 = tensor.empty() : tensor<4xi32>
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>)
      {bound = 1.0 : f32, epsilon = 1.0e-5 : f32, qmin = -1 : i64, qmax = 1 : i64}
      -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  %y = bitnet.linear ins(%q#0, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%q#1, %q#2 : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// Sums that two ops use stay a matmul, of padded activations; their rescale is
// plain arithmetic. Nothing is known of their magnitude.
// CHECK-LABEL: func @matmul
// CHECK: %[[X:.*]] = tensor.pad %{{.*}} high[0, 26]
// CHECK: %[[C:.*]] = bitnet.matmul ins(%[[X]], %{{.*}} : tensor<4x32xi8>, tensor<256xi8>) outs({{.*}}) {columns = 6 : i64, lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes1, rows = 64>, rows = 2 : i64} -> tensor<4x2xi32>
// CHECK-NOT: bitnet.rescale
// CHECK: linalg.generic {{.*}} ins(%[[C]], %{{.*}}, %{{.*}} : tensor<4x2xi32>, tensor<4xf32>, tensor<1xf32>)
// CHECK: arith.sitofp
// CHECK: arith.mulf
// CHECK: arith.mulf
func.func @matmul(%q: tensor<4x6xi8>, %t: tensor<4xf32>, %s: tensor<1xf32>, %o: tensor<4x2xf32>) -> (tensor<4x2xf32>, tensor<4x2xi32>) {
  %w = bitnet.constant dense_resource<b> : tensor<2x6x!bitnet.binary>
  %3 = tensor.empty() : tensor<4x2xi32>
  %c = bitnet.matmul ins(%q, %w : tensor<4x6xi8>, tensor<2x6x!bitnet.binary>) outs(%3 : tensor<4x2xi32>) -> tensor<4x2xi32>
  %y = bitnet.rescale ins(%c, %t, %s : tensor<4x2xi32>, tensor<4xf32>, tensor<1xf32>) outs(%o : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y, %c : tensor<4x2xf32>, tensor<4x2xi32>
}

{-#
  dialect_resources: {
    builtin: {
      t: "0x40000000556655",
      b: "0x40000000550A"
    }
  }
#-}
