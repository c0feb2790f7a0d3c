// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-fuse-norms | FileCheck %s

// CHECK-LABEL: func @fused
// CHECK-NOT: bitnet.norm
// CHECK: bitnet.quantize ins(%arg0 : tensor<4x6xf32>) weight(%arg1 : tensor<6xf32>) bias(%arg2 : tensor<6xf32>)
// CHECK-SAME: norm = #bitnet.norm_kind<layer>, norm_epsilon = 9.99999997E-7 : f32
func.func @fused(%x: tensor<4x6xf32>, %w: tensor<6xf32>, %b: tensor<6xf32>, %v: tensor<4x6xi8>, %t: tensor<4xf32>, %u: tensor<4xi32>) -> tensor<4x6xi8> {
  %0 = tensor.empty() : tensor<4x6xf32>
  %n = bitnet.norm ins(%x : tensor<4x6xf32>) weight(%w : tensor<6xf32>) bias(%b : tensor<6xf32>) outs(%0 : tensor<4x6xf32>)
      {kind = #bitnet.norm_kind<layer>, epsilon = 1.0e-6 : f32} -> tensor<4x6xf32>
  %q:3 = bitnet.quantize ins(%n : tensor<4x6xf32>) outs(%v, %t, %u : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>)
      {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return %q#0 : tensor<4x6xi8>
}

// The norm has another user.
// CHECK-LABEL: func @shared
// CHECK: bitnet.norm
// CHECK: bitnet.quantize
// CHECK-NOT: norm_epsilon
func.func @shared(%x: tensor<4x6xf32>, %v: tensor<4x6xi8>, %t: tensor<4xf32>, %u: tensor<4xi32>) -> (tensor<4x6xi8>, tensor<4x6xf32>) {
  %0 = tensor.empty() : tensor<4x6xf32>
  %n = bitnet.norm ins(%x : tensor<4x6xf32>) outs(%0 : tensor<4x6xf32>) {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-6 : f32} -> tensor<4x6xf32>
  %q:3 = bitnet.quantize ins(%n : tensor<4x6xf32>) outs(%v, %t, %u : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>)
      {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return %q#0, %n : tensor<4x6xi8>, tensor<4x6xf32>
}

// The step of a whole tensor is known after all of its norms.
// CHECK-LABEL: func @tensor
// CHECK: bitnet.norm
// CHECK: bitnet.quantize
// CHECK-NOT: norm_epsilon
func.func @tensor(%x: tensor<4x6xf32>, %v: tensor<4x6xi8>, %t: tensor<1xf32>, %u: tensor<4xi32>) -> tensor<4x6xi8> {
  %0 = tensor.empty() : tensor<4x6xf32>
  %n = bitnet.norm ins(%x : tensor<4x6xf32>) outs(%0 : tensor<4x6xf32>) {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-6 : f32} -> tensor<4x6xf32>
  %q:3 = bitnet.quantize ins(%n : tensor<4x6xf32>) outs(%v, %t, %u : tensor<4x6xi8>, tensor<1xf32>, tensor<4xi32>)
      {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64, granularity = #bitnet.granularity<tensor>} -> tensor<4x6xi8>, tensor<1xf32>, tensor<4xi32>
  return %q#0 : tensor<4x6xi8>
}
