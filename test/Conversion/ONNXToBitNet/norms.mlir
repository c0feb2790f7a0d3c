// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-recognize-norms --canonicalize | FileCheck %s

// CHECK-LABEL: func @rms
// CHECK-SAME: %[[X:.*]]: tensor<2x3x4xf32>
// CHECK: %[[R:.*]] = tensor.collapse_shape %[[X]]
// CHECK: bitnet.norm ins(%[[R]] : tensor<6x4xf32>) weight(%{{.*}} : tensor<4xf32>) {{.*}}epsilon = 9.99999997E-7 : f32, kind = #bitnet.norm_kind<rms>
// CHECK-NOT: onnx
func.func @rms(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %two = onnx.Constant dense<2.0> : tensor<f32>
  %eps = onnx.Constant dense<1.0e-6> : tensor<f32>
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %w = onnx.Constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = onnx.Pow %x, %two : (tensor<2x3x4xf32>, tensor<f32>) -> tensor<2x3x4xf32>
  %1 = onnx.ReduceMean %0, %last : (tensor<2x3x4xf32>, tensor<1xi64>) -> tensor<2x3x1xf32>
  %2 = onnx.Add %1, %eps : (tensor<2x3x1xf32>, tensor<f32>) -> tensor<2x3x1xf32>
  %3 = onnx.Sqrt %2 : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %4 = onnx.Reciprocal %3 : (tensor<2x3x1xf32>) -> tensor<2x3x1xf32>
  %5 = onnx.Mul %x, %4 : (tensor<2x3x4xf32>, tensor<2x3x1xf32>) -> tensor<2x3x4xf32>
  %6 = onnx.Mul %w, %5 : (tensor<4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %6 : tensor<2x3x4xf32>
}

// The weight multiplied first, the root divided by, no epsilon.
// CHECK-LABEL: func @weight_first
// CHECK: bitnet.norm {{.*}} weight({{.*}}epsilon = 0.000000e+00 : f32
// CHECK-NOT: onnx
func.func @weight_first(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %last = onnx.Constant dense<1> : tensor<1xi64>
  %w = onnx.Constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %0 = onnx.Mul %x, %x : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = onnx.ReduceMean %0, %last : (tensor<3x4xf32>, tensor<1xi64>) -> tensor<3x1xf32>
  %2 = onnx.Sqrt %1 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %3 = onnx.Mul %x, %w : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  %4 = onnx.Div %3, %2 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  return %4 : tensor<3x4xf32>
}

// CHECK-LABEL: func @layer
// CHECK: bitnet.norm {{.*}} weight({{.*}} bias({{.*}}kind = #bitnet.norm_kind<layer>
// CHECK-NOT: onnx
func.func @layer(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-6> : tensor<f32>
  %w = onnx.Constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %b = onnx.Constant dense<[4.0, 3.0, 2.0, 1.0]> : tensor<4xf32>
  %m = onnx.ReduceMean %x, %last : (tensor<3x4xf32>, tensor<1xi64>) -> tensor<3x1xf32>
  %c = onnx.Sub %x, %m : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  %0 = onnx.Mul %c, %c : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = onnx.ReduceMean %0, %last : (tensor<3x4xf32>, tensor<1xi64>) -> tensor<3x1xf32>
  %2 = onnx.Add %1, %eps : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %3 = onnx.Sqrt %2 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %4 = onnx.Div %c, %3 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  %5 = onnx.Mul %4, %w : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  %6 = onnx.Add %5, %b : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  return %6 : tensor<3x4xf32>
}

// CHECK-LABEL: func @standard
// CHECK: bitnet.norm ins(%{{.*}} : tensor<3x4xf32>) outs({{.*}}kind = #bitnet.norm_kind<layer>
// CHECK: bitnet.norm ins(%{{.*}} : tensor<3x4xf32>) weight({{.*}}kind = #bitnet.norm_kind<rms>
// CHECK-NOT: onnx
func.func @standard(%x: tensor<3x4xf32>, %w: tensor<4xf32>) -> tensor<3x4xf32> {
  %none = onnx.NoValue {value}
  %one = onnx.Constant dense<1.0> : tensor<4xf32>
  %0, %m, %i = onnx.LayerNormalization %x, %one, %none : (tensor<3x4xf32>, tensor<4xf32>, none) -> (tensor<3x4xf32>, none, none)
  %1 = onnx.RMSNormalization %0, %w : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
  return %1 : tensor<3x4xf32>
}

// Over another axis, or of another value than what is scaled: left alone.
// CHECK-LABEL: func @left_alone
// CHECK-NOT: bitnet.norm
func.func @left_alone(%x: tensor<3x4xf32>, %z: tensor<3x4xf32>, %w: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %0, %m, %i = onnx.LayerNormalization %x, %w, %none {axis = 0 : i64} : (tensor<3x4xf32>, tensor<3x4xf32>, none) -> (tensor<3x4xf32>, none, none)
  %1 = onnx.Mul %x, %x : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %2 = onnx.ReduceMean %1, %last : (tensor<3x4xf32>, tensor<1xi64>) -> tensor<3x1xf32>
  %3 = onnx.Sqrt %2 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %4 = onnx.Div %z, %3 : (tensor<3x4xf32>, tensor<3x1xf32>) -> tensor<3x4xf32>
  return %0, %4 : tensor<3x4xf32>, tensor<3x4xf32>
}
