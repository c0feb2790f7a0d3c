// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-recognize-convolution --bitnet-fold-thresholds --canonicalize | FileCheck %s

// sign((0.5 sum + 0.25 - mean) * scale + b) of each channel: the second's falls as its sum grows.
//   channel 0: 0.5 sum + 0.25 - 1.25 + 0.5 >= 0 from 1 on
//   channel 1: -2 (0.5 sum + 0.25 - 3) - 1 >= 0 up to 4.5, so -sum from -4 on
// CHECK-LABEL: func.func @batch_norm(
// CHECK-DAG: %[[SIGNS:.*]] = onnx.Constant dense<{{\[\[\[}}1]], {{\[\[}}-1]]]> : tensor<2x1x1xi32>
// CHECK-DAG: %[[T:.*]] = onnx.Constant dense<{{\[\[\[}}1]], {{\[\[}}-4]]]> : tensor<2x1x1xi32>
// CHECK: bitnet.matmul
// CHECK: %[[SUMS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?x2x3x3xi32>)
// CHECK-NOT: onnx.Cast
// CHECK: %[[X:.*]] = onnx.Mul %[[SUMS]], %[[SIGNS]]
// CHECK-NOT: onnx.BatchNormalization
// CHECK: %[[P:.*]] = onnx.GreaterOrEqual %[[X]], %[[T]]
// CHECK: %[[Y:.*]] = onnx.Where %[[P]]
// CHECK: return %[[Y]]
func.func @batch_norm(%x: tensor<?x8x4x4xf32>) -> tensor<?x2x3x3xf32> {
  %none = onnx.NoValue
  %w = onnx.Constant dense<0.5> : tensor<2x8x2x2xf32>
  %bias = onnx.Constant dense<0.25> : tensor<2xf32>
  %scale = onnx.Constant dense<[1.0, -2.0]> : tensor<2xf32>
  %b = onnx.Constant dense<[0.5, -1.0]> : tensor<2xf32>
  %mean = onnx.Constant dense<[1.25, 3.0]> : tensor<2xf32>
  %var = onnx.Constant dense<1.0> : tensor<2xf32>
  %zero = onnx.Constant dense<0.0> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %minus = onnx.Constant dense<-1.0> : tensor<f32>
  %s = onnx.Sign %x : (tensor<?x8x4x4xf32>) -> tensor<?x8x4x4xf32>
  %y = onnx.Conv %s, %w, %bias : (tensor<?x8x4x4xf32>, tensor<2x8x2x2xf32>, tensor<2xf32>) -> tensor<?x2x3x3xf32>
  %n, %m, %v = onnx.BatchNormalization %y, %scale, %b, %mean, %var {epsilon = 0.0 : f32} : (tensor<?x2x3x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<?x2x3x3xf32>, none, none)
  %p = onnx.GreaterOrEqual %n, %zero : (tensor<?x2x3x3xf32>, tensor<f32>) -> tensor<?x2x3x3xi1>
  %q = onnx.Where %p, %one, %minus : (tensor<?x2x3x3xi1>, tensor<f32>, tensor<f32>) -> tensor<?x2x3x3xf32>
  return %q : tensor<?x2x3x3xf32>
}

// Constants along another axis than the channels', float pixels, and a result that is used as it is.
// CHECK-LABEL: func.func @others(
// CHECK-NOT: onnx.GreaterOrEqual
// CHECK: onnx.Add
// CHECK-NOT: onnx.GreaterOrEqual
// CHECK: return
func.func @others(%x: tensor<1x8x3x3xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>) {
  %none = onnx.NoValue
  %w = onnx.Constant dense<0.5> : tensor<2x8x2x2xf32>
  %columns = onnx.Constant dense<[1.0, 2.0]> : tensor<2xf32>
  %two = onnx.Constant dense<2.0> : tensor<f32>
  %s = onnx.Sign %x : (tensor<1x8x3x3xf32>) -> tensor<1x8x3x3xf32>
  %y0 = onnx.Conv %s, %w, %none : (tensor<1x8x3x3xf32>, tensor<2x8x2x2xf32>, none) -> tensor<1x2x2x2xf32>
  %a0 = onnx.Add %y0, %columns : (tensor<1x2x2x2xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
  %d0 = onnx.Div %a0, %two : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32>
  %c0 = onnx.Sign %d0 : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %y1 = onnx.Conv %x, %w, %none : (tensor<1x8x3x3xf32>, tensor<2x8x2x2xf32>, none) -> tensor<1x2x2x2xf32>
  %a1 = onnx.Add %y1, %two : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32>
  %d1 = onnx.Div %a1, %two : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32>
  %c1 = onnx.Sign %d1 : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %y2 = onnx.Conv %s, %w, %none : (tensor<1x8x3x3xf32>, tensor<2x8x2x2xf32>, none) -> tensor<1x2x2x2xf32>
  %a2 = onnx.Add %y2, %two : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32>
  %d2 = onnx.Div %a2, %two : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32>
  %c2 = onnx.Sign %d2 : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %c0, %c1, %d2, %c2 : tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>
}
