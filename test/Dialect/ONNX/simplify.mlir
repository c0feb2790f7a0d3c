// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s -onnx-simplify | FileCheck %s

// CHECK-LABEL: func.func @casts
func.func @casts(%x: tensor<2xi8>, %like: tensor<f32>) -> tensor<2xf32> {
  // CHECK-NEXT: %[[Y:.*]] = onnx.Cast %{{.*}} : (tensor<2xi8>) -> tensor<2xf32>
  // CHECK-NEXT: return %[[Y]]
  %0 = onnx.Cast %x : (tensor<2xi8>) -> tensor<2xi32>
  %1 = onnx.CastLike %0, %like : (tensor<2xi32>, tensor<f32>) -> tensor<2xf32>
  %2 = onnx.Identity %1 : (tensor<2xf32>) -> tensor<2xf32>
  return %2 : tensor<2xf32>
}

// A cast that loses something stays.
// CHECK-LABEL: func.func @lossy
func.func @lossy(%x: tensor<2xf32>) -> tensor<2xf32> {
  // CHECK-COUNT-2: onnx.Cast
  %0 = onnx.Cast %x : (tensor<2xf32>) -> tensor<2xf16>
  %1 = onnx.Cast %0 : (tensor<2xf16>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// CHECK-LABEL: func.func @transposes
func.func @transposes(%x: tensor<2x?x?xf32>) -> tensor<2x?x?xf32> {
  // CHECK-NEXT: return %arg0
  %0 = onnx.Transpose %x {perm = array<i64: 1, 2, 0>} : (tensor<2x?x?xf32>) -> tensor<?x?x2xf32>
  %1 = onnx.Transpose %0 {perm = array<i64: 2, 0, 1>} : (tensor<?x?x2xf32>) -> tensor<2x?x?xf32>
  return %1 : tensor<2x?x?xf32>
}

// CHECK-LABEL: func.func @unsqueeze
func.func @unsqueeze(%x: tensor<?x4xf32>) -> tensor<1x?x4xf32> {
  // CHECK: %[[S:.*]] = onnx.Constant dense<[1, -1, 4]>
  // CHECK: onnx.Reshape %arg0, %[[S]]
  %axes = onnx.Constant dense<0> : tensor<1xi64>
  %0 = onnx.Unsqueeze %x, %axes : (tensor<?x4xf32>, tensor<1xi64>) -> tensor<1x?x4xf32>
  return %0 : tensor<1x?x4xf32>
}
