// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s -onnx-fold-constants -split-input-file | FileCheck %s

// A b1.58 weight chain with its straight-through remains.
// CHECK-LABEL: func.func @ternary
// CHECK-SAME: (%[[X:.*]]: tensor<?x3xf32>)
func.func @ternary(%x: tensor<?x3xf32>) -> tensor<?x2xf32> {
  // mean |w| is 1: the codes are round(w), halves to even, within [-1, 1].
  // CHECK: %[[W:.*]] = onnx.Constant dense<{{\[\[}}0.000000e+00, 1.000000e+00], [-1.000000e+00, 0.000000e+00], [1.000000e+00, -1.000000e+00]]> : tensor<3x2xf32>
  // CHECK-NEXT: %[[Y:.*]] = onnx.MatMul %[[X]], %[[W]]
  // CHECK-NEXT: return %[[Y]]
  %none = onnx.NoValue
  %w = onnx.Constant dense<[[0.5, -1.5, 2.0], [0.75, 0.25, -1.0]]> : tensor<2x3xf32>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %low = onnx.Constant dense<-1.0> : tensor<f32>
  %high = onnx.Constant dense<1.0> : tensor<f32>
  %0 = onnx.Abs %w : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = onnx.ReduceMean %0, %none {keepdims = 0 : i64} : (tensor<2x3xf32>, none) -> tensor<f32>
  %2 = onnx.Clip %1, %eps, %none : (tensor<f32>, tensor<f32>, none) -> tensor<f32>
  %3 = onnx.Reciprocal %2 : (tensor<f32>) -> tensor<f32>
  %4 = onnx.Mul %w, %3 : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %5 = onnx.Round %4 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %6 = onnx.Clip %5, %low, %high : (tensor<2x3xf32>, tensor<f32>, tensor<f32>) -> tensor<2x3xf32>
  %7 = onnx.Div %6, %3 : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %8 = onnx.Sub %7, %w : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %9 = onnx.Add %w, %8 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = onnx.Transpose %9 {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %11 = onnx.MatMul %x, %10 : (tensor<?x3xf32>, tensor<3x2xf32>) -> tensor<?x2xf32>
  return %11 : tensor<?x2xf32>
}

// -----

// Types become static with their values.
// CHECK-LABEL: func.func @range
func.func @range(%x: tensor<3x2xf32>) -> tensor<6xi64> {
  // CHECK: %[[C:.*]] = onnx.Constant dense<[0, 1, 2, 0, 1, 2]> : tensor<6xi64>
  // CHECK-NEXT: return %[[C]]
  %zero = onnx.Constant dense<0> : tensor<i64>
  %one = onnx.Constant dense<1> : tensor<i64>
  %three = onnx.Constant dense<3> : tensor<i64>
  %0 = onnx.Range %zero, %three, %one : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %1 = onnx.Concat %0, %0 {axis = 0 : i64} : (tensor<?xi64>, tensor<?xi64>) -> tensor<6xi64>
  return %1 : tensor<6xi64>
}

// -----

// A division by 0 has no value; what depends on it stays.
// CHECK-LABEL: func.func @undefined
func.func @undefined() -> (tensor<i64>, tensor<i64>) {
  // CHECK: onnx.Div
  // CHECK: onnx.Neg
  // CHECK: onnx.Constant dense<3> : tensor<i64>
  %zero = onnx.Constant dense<0> : tensor<i64>
  %three = onnx.Constant dense<-3> : tensor<i64>
  %0 = onnx.Div %three, %zero : (tensor<i64>, tensor<i64>) -> tensor<i64>
  %1 = onnx.Neg %0 : (tensor<i64>) -> tensor<i64>
  %2 = onnx.Abs %three : (tensor<i64>) -> tensor<i64>
  return %1, %2 : tensor<i64>, tensor<i64>
}

// -----

// A tied embedding would be stored twice.
// CHECK-LABEL: func.func @tied
func.func @tied(%ids: tensor<?xi64>, %x: tensor<?x128xf32>) -> (tensor<?x128xf32>, tensor<?x256xf32>) {
  // CHECK: onnx.Constant
  // CHECK-NEXT: onnx.Gather
  // CHECK-NEXT: onnx.Transpose
  // CHECK-NEXT: onnx.MatMul
  %w = onnx.Constant dense<1.0> : tensor<256x128xf32>
  %0 = onnx.Gather %w, %ids : (tensor<256x128xf32>, tensor<?xi64>) -> tensor<?x128xf32>
  %1 = onnx.Transpose %w {perm = array<i64: 1, 0>} : (tensor<256x128xf32>) -> tensor<128x256xf32>
  %2 = onnx.MatMul %x, %1 : (tensor<?x128xf32>, tensor<128x256xf32>) -> tensor<?x256xf32>
  return %0, %2 : tensor<?x128xf32>, tensor<?x256xf32>
}

// -----

// Weights that the graph quantises become integers: half to even, saturated, a
// scale for each index of the axis. What turns them back to floats stays.
// CHECK-LABEL: func.func @quantize_linear
// CHECK: onnx.Constant dense<{{\[\[}}0, 2, -128], [1, -2, 127]]> : tensor<2x3xi8>
// CHECK: onnx.DequantizeLinear
// CHECK: onnx.Constant dense<[3, 255]> : tensor<2xui8>
func.func @quantize_linear() -> (tensor<2x3xf32>, tensor<2xui8>) {
  %none = onnx.NoValue {value}
  %w = onnx.Constant dense<[[0.5, 1.5, -1000.0], [0.5, -1.0, 1000.0]]> : tensor<2x3xf32>
  %s = onnx.Constant dense<[1.0, 0.5]> : tensor<2xf32>
  %q = onnx.QuantizeLinear %w, %s, %none {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2xf32>, none) -> tensor<2x3xi8>
  %d = onnx.DequantizeLinear %q, %s, %none {axis = 0 : i64} : (tensor<2x3xi8>, tensor<2xf32>, none) -> tensor<2x3xf32>
  %v = onnx.Constant dense<[0.5, 1000.0]> : tensor<2xf32>
  %t = onnx.Constant dense<0.25> : tensor<f32>
  %z = onnx.Constant dense<1> : tensor<ui8>
  %p = onnx.QuantizeLinear %v, %t, %z : (tensor<2xf32>, tensor<f32>, tensor<ui8>) -> tensor<2xui8>
  return %d, %p : tensor<2x3xf32>, tensor<2xui8>
}

// A large table is read as it is stored; a small one is widened.
// CHECK-LABEL: func.func @stored_table
// CHECK: %[[T:.*]] = onnx.Cast %{{.*}} : (tensor<40000x2xbf16>) -> tensor<40000x2xf32>
// CHECK: onnx.Gather %[[T]]
// CHECK-NOT: onnx.Cast
func.func @stored_table(%i: tensor<3xi64>) -> (tensor<3x2xf32>, tensor<3x2xf32>) {
  %t = onnx.Constant dense<1.5> : tensor<40000x2xbf16>
  %s = onnx.Constant dense<[[1.5, 2.0], [3.0, 4.0]]> : tensor<2x2xbf16>
  %0 = onnx.Cast %t {to = 1 : i64} : (tensor<40000x2xbf16>) -> tensor<40000x2xf32>
  %1 = onnx.Cast %s {to = 1 : i64} : (tensor<2x2xbf16>) -> tensor<2x2xf32>
  %2 = onnx.Gather %0, %i : (tensor<40000x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
  %3 = onnx.Gather %1, %i : (tensor<2x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
  return %2, %3 : tensor<3x2xf32>, tensor<3x2xf32>
}
