// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// TorchScript's masked_fill with a mask as long as the keys that are repeated for every
// query head: their length is read from the past, and the mask proved to be causal.

// RUN: bitnet-opt %s --bitnet-recognize-attention --canonicalize --cse --bitnet-in-place-cache="max-context=64" --canonicalize --cse --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func @prefill(
// CHECK-SAME: %[[P:[^:]*]]: index, %[[C:[^:]*]]: tensor<1x2x64x8xf32>
// CHECK: %[[K:.*]] = bitnet.cache_update ins(%{{.*}}, %[[P]] : tensor<1x2x3x8xf32>, index) outs(%[[C]] :
// CHECK: bitnet.attention ins(%{{.*}}, %[[K]], %[[K]] : {{.*}}) position(%[[P]]) outs(%{{.*}}) {causal, scale = 2.500000e-01 : f32}
func.func @prefill(%ids: tensor<1x3xi64> {bitnet.role = "tokens"}, %past: tensor<1x2x?x8xf32> {bitnet.role = "past", bitnet.state = 0 : i64})
    -> (tensor<1x3x32xf32> {bitnet.role = "logits"}, tensor<1x2x?x8xf32> {bitnet.role = "present", bitnet.state = 0 : i64})
    attributes {bitnet.entry = "prefill"} {
  %zero = onnx.Constant dense<0> : tensor<i64>
  %one = onnx.Constant dense<1> : tensor<1xi64>
  %two = onnx.Constant dense<2> : tensor<i64>
  %tokens = onnx.Constant dense<3> : tensor<i64>
  %tokens1 = onnx.Constant dense<3> : tensor<1xi64>
  %scale = onnx.Constant dense<0.25> : tensor<f32>
  %hidden = onnx.Constant dense<0xFF800000> : tensor<f32>
  %table = onnx.Constant dense<0.5> : tensor<16x32xf32>
  %ktable = onnx.Constant dense<0.25> : tensor<16x16xf32>
  %e = onnx.Gather %table, %ids : (tensor<16x32xf32>, tensor<1x3xi64>) -> tensor<1x3x32xf32>
  %qs = onnx.Constant dense<[1, 3, 4, 8]> : tensor<4xi64>
  %q0 = onnx.Reshape %e, %qs : (tensor<1x3x32xf32>, tensor<4xi64>) -> tensor<1x3x4x8xf32>
  %q = onnx.Transpose %q0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x3x4x8xf32>) -> tensor<1x4x3x8xf32>
  %ke = onnx.Gather %ktable, %ids : (tensor<16x16xf32>, tensor<1x3xi64>) -> tensor<1x3x16xf32>
  %ks = onnx.Constant dense<[1, 3, 2, 8]> : tensor<4xi64>
  %k0 = onnx.Reshape %ke, %ks : (tensor<1x3x16xf32>, tensor<4xi64>) -> tensor<1x3x2x8xf32>
  %new = onnx.Transpose %k0 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x3x2x8xf32>) -> tensor<1x2x3x8xf32>
  %grown = onnx.Concat %past, %new {axis = 2 : i64} : (tensor<1x2x?x8xf32>, tensor<1x2x3x8xf32>) -> tensor<1x2x?x8xf32>
  %split = onnx.Constant dense<[1, 2, 1, -1, 8]> : tensor<5xi64>
  %k5 = onnx.Reshape %grown, %split : (tensor<1x2x?x8xf32>, tensor<5xi64>) -> tensor<1x2x1x?x8xf32>
  // Repeats by extents that are read from the keys themselves.
  %grownShape = onnx.Shape %grown : (tensor<1x2x?x8xf32>) -> tensor<4xi64>
  %grownCount = onnx.Gather %grownShape, %two : (tensor<4xi64>, tensor<i64>) -> tensor<i64>
  %grownCount1 = onnx.Reshape %grownCount, %one : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %front = onnx.Constant dense<[1, 2, 2]> : tensor<3xi64>
  %back = onnx.Constant dense<8> : tensor<1xi64>
  %to = onnx.Concat %front, %grownCount1, %back {axis = 0 : i64} : (tensor<3xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<5xi64>
  %kx = onnx.Expand %k5, %to : (tensor<1x2x1x?x8xf32>, tensor<5xi64>) -> tensor<1x2x2x?x8xf32>
  %join = onnx.Constant dense<[1, 4, -1, 8]> : tensor<4xi64>
  %kh = onnx.Reshape %kx, %join : (tensor<1x2x2x?x8xf32>, tensor<4xi64>) -> tensor<1x4x?x8xf32>
  %shape = onnx.Shape %kh : (tensor<1x4x?x8xf32>) -> tensor<4xi64>
  %count = onnx.Gather %shape, %two : (tensor<4xi64>, tensor<i64>) -> tensor<i64>
  %count1 = onnx.Reshape %count, %one : (tensor<i64>, tensor<1xi64>) -> tensor<1xi64>
  %square = onnx.Concat %tokens1, %count1 {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2xi64>
  %all = onnx.ConstantOfShape %square {value = dense<true> : tensor<1xi1>} : (tensor<2xi64>) -> tensor<3x?xi1>
  %diagonal = onnx.Sub %count, %tokens : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %seen = onnx.Trilu %all, %diagonal {upper = 0 : i64} : (tensor<3x?xi1>, tensor<i64>) -> tensor<3x?xi1>
  %unseen = onnx.Not %seen : (tensor<3x?xi1>) -> tensor<3x?xi1>
  %kt = onnx.Transpose %kh {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x4x?x8xf32>) -> tensor<1x4x8x?xf32>
  %dot = onnx.MatMul %q, %kt : (tensor<1x4x3x8xf32>, tensor<1x4x8x?xf32>) -> tensor<1x4x3x?xf32>
  %scores = onnx.Mul %dot, %scale : (tensor<1x4x3x?xf32>, tensor<f32>) -> tensor<1x4x3x?xf32>
  %masked = onnx.Where %unseen, %hidden, %scores : (tensor<3x?xi1>, tensor<f32>, tensor<1x4x3x?xf32>) -> tensor<1x4x3x?xf32>
  %soft = onnx.Softmax %masked : (tensor<1x4x3x?xf32>) -> tensor<1x4x3x?xf32>
  %y = onnx.MatMul %soft, %kh : (tensor<1x4x3x?xf32>, tensor<1x4x?x8xf32>) -> tensor<1x4x3x8xf32>
  %t = onnx.Transpose %y {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x4x3x8xf32>) -> tensor<1x3x4x8xf32>
  %flat = onnx.Constant dense<[1, 3, 32]> : tensor<3xi64>
  %logits = onnx.Reshape %t, %flat : (tensor<1x3x4x8xf32>, tensor<3xi64>) -> tensor<1x3x32xf32>
  return %logits, %grown : tensor<1x3x32xf32>, tensor<1x2x?x8xf32>
}
