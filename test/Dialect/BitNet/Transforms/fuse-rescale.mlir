// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-fuse-rescale | FileCheck %s

// CHECK-LABEL: func @fused
// CHECK: %[[Q:.*]]:3 = bitnet.quantize
// CHECK-NOT: bitnet.matmul
// CHECK: bitnet.linear ins(%[[Q]]#0, {{.*}}) quantized(%[[Q]]#1, %[[Q]]#2 : tensor<4xf32>, tensor<4xi32>)
// CHECK-NOT: bitnet.rescale
func.func @fused(%x: tensor<4x6xf32>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %o: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %0 = tensor.empty() : tensor<4x6xi8>
  %1 = tensor.empty() : tensor<4xf32>
  %2 = tensor.empty() : tensor<4xi32>
  %3 = tensor.empty() : tensor<4x2xi32>
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>)
      {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64}
      -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  %c = bitnet.matmul ins(%q#0, %w : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>) outs(%3 : tensor<4x2xi32>) -> tensor<4x2xi32>
  %y = bitnet.rescale ins(%c, %q#1, %s : tensor<4x2xi32>, tensor<4xf32>, tensor<1xf32>) outs(%o : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// The sums have another user.
// CHECK-LABEL: func @shared
// CHECK: bitnet.matmul
// CHECK: bitnet.rescale
func.func @shared(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %t: tensor<4xf32>, %s: tensor<1xf32>, %o: tensor<4x2xf32>) -> (tensor<4x2xf32>, tensor<4x2xi32>) {
  %3 = tensor.empty() : tensor<4x2xi32>
  %c = bitnet.matmul ins(%q, %w : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>) outs(%3 : tensor<4x2xi32>) -> tensor<4x2xi32>
  %y = bitnet.rescale ins(%c, %t, %s : tensor<4x2xi32>, tensor<4xf32>, tensor<1xf32>) outs(%o : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y, %c : tensor<4x2xf32>, tensor<4x2xi32>
}
