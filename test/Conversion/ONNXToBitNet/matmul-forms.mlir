// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-recognize-low-bit-weights --canonicalize | FileCheck %s

// Floats of 16 bits: the layer computes in f32, and its result is rounded once.
// CHECK-LABEL: func @half(
// CHECK-SAME: %[[X:.*]]: tensor<3x32xf16>
// CHECK: %[[F:.*]] = onnx.Cast %[[X]] : (tensor<3x32xf16>) -> tensor<3x32xf32>
// CHECK: %[[Y:.*]] = bitnet.linear ins(%[[F]]
// CHECK: onnx.Cast %[[Y]] : (tensor<3x4xf32>) -> tensor<3x4xf16>
func.func @half(%x: tensor<3x32xf16>) -> tensor<3x4xf16> {
  %w = onnx.Constant dense<0.5> : tensor<32x4xf16>
  %y = onnx.MatMul %x, %w : (tensor<3x32xf16>, tensor<32x4xf16>) -> tensor<3x4xf16>
  return %y : tensor<3x4xf16>
}

// CHECK-LABEL: func @half_gemm(
// CHECK-DAG: %[[C:.*]] = onnx.Constant dense<3.000000e+00> : tensor<4xf32>
// CHECK: %[[Y:.*]] = bitnet.linear
// CHECK: %[[S:.*]] = onnx.Add %[[Y]], %[[C]]
// CHECK: onnx.Cast %[[S]] : (tensor<3x4xf32>) -> tensor<3x4xbf16>
func.func @half_gemm(%x: tensor<3x32xbf16>) -> tensor<3x4xbf16> {
  %w = onnx.Constant dense<0.5> : tensor<32x4xbf16>
  %c = onnx.Constant dense<1.5> : tensor<4xbf16>
  %y = onnx.Gemm %x, %w, %c {beta = 2.0 : f32} : (tensor<3x32xbf16>, tensor<32x4xbf16>, tensor<4xbf16>) -> tensor<3x4xbf16>
  return %y : tensor<3x4xbf16>
}

// Any beta, and activations that are transposed.
// CHECK-LABEL: func @gemm(
// CHECK-SAME: %[[X:.*]]: tensor<32x3xf32>, %[[C:.*]]: tensor<4xf32>
// CHECK-DAG: %[[BETA:.*]] = onnx.Constant dense<5.000000e-01> : tensor<f32>
// CHECK-DAG: %[[T:.*]] = onnx.Transpose %[[X]]
// CHECK: %[[Y:.*]] = bitnet.linear ins(%[[T]]
// CHECK: %[[B:.*]] = onnx.Mul %[[C]], %[[BETA]]
// CHECK: onnx.Add %[[Y]], %[[B]]
func.func @gemm(%x: tensor<32x3xf32>, %c: tensor<4xf32>) -> tensor<3x4xf32> {
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %y = onnx.Gemm %x, %w, %c {beta = 0.5 : f32, transA = 1 : i64} : (tensor<32x3xf32>, tensor<32x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// CHECK-LABEL: func @vector(
// CHECK: %[[ROW:.*]] = tensor.expand_shape %{{.*}} : tensor<32xf32> into tensor<1x32xf32>
// CHECK: %[[Y:.*]] = bitnet.linear ins(%[[ROW]]
// CHECK: tensor.collapse_shape %[[Y]] {{.*}} : tensor<1x4xf32> into tensor<4xf32>
func.func @vector(%x: tensor<32xf32>) -> tensor<4xf32> {
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %y = onnx.MatMul %x, %w : (tensor<32xf32>, tensor<32x4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// Zero points of MatMulInteger: one of the activations, which the graph computes,
// and one for each output.
// CHECK-LABEL: func @zero_points(
// CHECK-SAME: %[[X:.*]]: tensor<3x32xui8>, %[[Z:.*]]: tensor<ui8>
// CHECK-DAG: arith.constant dense<[2.000000e+00, 1.000000e+00]> : tensor<2xf32>
// CHECK-DAG: %[[F:.*]] = onnx.Cast %[[X]]
// CHECK-DAG: %[[P:.*]] = onnx.Cast %[[Z]]
// CHECK: %[[S:.*]] = onnx.Sub %[[F]], %[[P]]
// CHECK: bitnet.linear ins(%[[S]], {{.*}} tensor<2x32x!bitnet.binary>
// CHECK-NOT: onnx.MatMulInteger
func.func @zero_points(%x: tensor<3x32xui8>, %z: tensor<ui8>) -> tensor<3x2xf32> {
  %w = onnx.Constant dense<5> : tensor<32x2xi8>
  %p = onnx.Constant dense<[3, 4]> : tensor<2xi8>
  %y = onnx.MatMulInteger %x, %w, %z, %p : (tensor<3x32xui8>, tensor<32x2xi8>, tensor<ui8>, tensor<2xi8>) -> tensor<3x2xi32>
  %f = onnx.Cast %y : (tensor<3x2xi32>) -> tensor<3x2xf32>
  return %f : tensor<3x2xf32>
}

// Left alone: a zero point for each row; integers that are used as such; f64.
// CHECK-LABEL: func @others(
// CHECK-NOT: bitnet.linear
// CHECK: return
func.func @others(%x: tensor<3x32xui8>, %z: tensor<3xui8>, %d: tensor<3x32xf64>) -> (tensor<3x4xf32>, tensor<3x4xi32>, tensor<3x4xf64>) {
  %none = onnx.NoValue {value}
  %w = onnx.Constant dense<1> : tensor<32x4xi8>
  %v = onnx.Constant dense<1.0> : tensor<32x4xf64>
  %y = onnx.MatMulInteger %x, %w, %z, %none : (tensor<3x32xui8>, tensor<32x4xi8>, tensor<3xui8>, none) -> tensor<3x4xi32>
  %f = onnx.Cast %y : (tensor<3x4xi32>) -> tensor<3x4xf32>
  %i = onnx.MatMulInteger %x, %w, %none, %none : (tensor<3x32xui8>, tensor<32x4xi8>, none, none) -> tensor<3x4xi32>
  %m = onnx.MatMul %d, %v : (tensor<3x32xf64>, tensor<32x4xf64>) -> tensor<3x4xf64>
  return %f, %i, %m : tensor<3x4xf32>, tensor<3x4xi32>, tensor<3x4xf64>
}
