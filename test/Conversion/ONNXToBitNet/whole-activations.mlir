// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-recognize-low-bit-weights --bitnet-recognize-quantization --bitnet-fuse-epilogues --canonicalize | FileCheck %s

// Activations that are whole numbers within limits, times a constant, are
// integers to a low-bit matmul, whichever ops made them.

// 0 becomes 1, and the scale is the layer's.
// CHECK-LABEL: func @bipolar(
// CHECK-DAG: %[[S:.*]] = arith.constant dense<2.500000e-01> : tensor<1xf32>
// CHECK-DAG: %[[STEP:.*]] = arith.constant dense<1.000000e+00> : tensor<1xf32>
// CHECK: %[[W:.*]] = onnx.Where
// CHECK: %[[V:.*]] = onnx.Cast %[[W]] : (tensor<?x32xf32>) -> tensor<?x32xi8>
// CHECK: %[[I:.*]] = onnx.Cast %[[V]] : (tensor<?x32xi8>) -> tensor<?x32xi32>
// CHECK: %[[SUMS:.*]] = onnx.ReduceSum %[[I]], %{{.*}} -> tensor<?xi32>
// CHECK: bitnet.linear ins(%[[V]], %{{.*}}, %[[S]] : tensor<?x32xi8>, tensor<4x32x!bitnet.binary>, tensor<1xf32>)
// CHECK-SAME: quantized(%[[STEP]], %[[SUMS]] : tensor<1xf32>, tensor<?xi32>)
// CHECK-SAME: magnitude = 1 : i64
// CHECK-NOT: onnx.Mul
func.func @bipolar(%x: tensor<?x32xf32>) -> tensor<?x4xf32> {
  %zero = onnx.Constant dense<0.0> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %minus = onnx.Constant dense<-1.0> : tensor<f32>
  %scale = onnx.Constant dense<0.5> : tensor<f32>
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %p = onnx.GreaterOrEqual %x, %zero : (tensor<?x32xf32>, tensor<f32>) -> tensor<?x32xi1>
  %q = onnx.Where %p, %one, %minus : (tensor<?x32xi1>, tensor<f32>, tensor<f32>) -> tensor<?x32xf32>
  %s = onnx.Mul %q, %scale : (tensor<?x32xf32>, tensor<f32>) -> tensor<?x32xf32>
  %y = onnx.MatMul %s, %w : (tensor<?x32xf32>, tensor<32x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// Two bits of a zero point: -2 to 1. Layers share the integers.
// CHECK-LABEL: func @zero_point(
// CHECK: %[[V:.*]] = onnx.Cast %{{.*}} : (tensor<3x32xf32>) -> tensor<3x32xi8>
// CHECK: bitnet.linear ins(%[[V]]
// CHECK-NOT: magnitude
// CHECK: bitnet.linear ins(%{{.*}} : tensor<3x32xi8>
func.func @zero_point(%x: tensor<3x32xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) {
  %lo = onnx.Constant dense<0.0> : tensor<f32>
  %hi = onnx.Constant dense<3.0> : tensor<f32>
  %zp = onnx.Constant dense<2.0> : tensor<f32>
  %scale = onnx.Constant dense<0.25> : tensor<f32>
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %d = onnx.Div %x, %scale : (tensor<3x32xf32>, tensor<f32>) -> tensor<3x32xf32>
  %a = onnx.Add %d, %zp : (tensor<3x32xf32>, tensor<f32>) -> tensor<3x32xf32>
  %c = onnx.Clip %a, %lo, %hi : (tensor<3x32xf32>, tensor<f32>, tensor<f32>) -> tensor<3x32xf32>
  %r = onnx.Round %c : (tensor<3x32xf32>) -> tensor<3x32xf32>
  %b = onnx.Sub %r, %zp : (tensor<3x32xf32>, tensor<f32>) -> tensor<3x32xf32>
  %s = onnx.Mul %b, %scale : (tensor<3x32xf32>, tensor<f32>) -> tensor<3x32xf32>
  %y = onnx.MatMul %s, %w : (tensor<3x32xf32>, tensor<32x4xf32>) -> tensor<3x4xf32>
  %z = onnx.MatMul %s, %w : (tensor<3x32xf32>, tensor<32x4xf32>) -> tensor<3x4xf32>
  return %y, %z : tensor<3x4xf32>, tensor<3x4xf32>
}

// 0 to 255 takes 16 bits.
// CHECK-LABEL: func @eight_bits(
// CHECK: bitnet.linear ins(%{{.*}} : tensor<3x32xi16>, tensor<4x32x!bitnet.binary>, tensor<1xf32>) quantized
func.func @eight_bits(%x: tensor<3x32xf32>) -> tensor<3x4xf32> {
  %lo = onnx.Constant dense<0.0> : tensor<f32>
  %hi = onnx.Constant dense<255.0> : tensor<f32>
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %c = onnx.Clip %x, %lo, %hi : (tensor<3x32xf32>, tensor<f32>, tensor<f32>) -> tensor<3x32xf32>
  %r = onnx.Floor %c : (tensor<3x32xf32>) -> tensor<3x32xf32>
  %y = onnx.MatMul %r, %w : (tensor<3x32xf32>, tensor<32x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// QuantizeLinear, Clip, DequantizeLinear.
// CHECK-LABEL: func @qcdq(
// CHECK: arith.constant dense<2.500000e-01> : tensor<1xf32>
// CHECK: bitnet.linear ins(%{{.*}} : tensor<3x32xi8>, tensor<4x32x!bitnet.binary>, tensor<1xf32>) quantized
// CHECK-SAME: magnitude = 1 : i64
func.func @qcdq(%x: tensor<3x32xf32>) -> tensor<3x4xf32> {
  %scale = onnx.Constant dense<0.5> : tensor<f32>
  %zero = onnx.Constant dense<0> : tensor<i8>
  %lo = onnx.Constant dense<-1> : tensor<i8>
  %hi = onnx.Constant dense<1> : tensor<i8>
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %q = onnx.QuantizeLinear %x, %scale, %zero : (tensor<3x32xf32>, tensor<f32>, tensor<i8>) -> tensor<3x32xi8>
  %c = onnx.Clip %q, %lo, %hi : (tensor<3x32xi8>, tensor<i8>, tensor<i8>) -> tensor<3x32xi8>
  %d = onnx.DequantizeLinear %c, %scale, %zero : (tensor<3x32xi8>, tensor<f32>, tensor<i8>) -> tensor<3x32xf32>
  %y = onnx.MatMul %d, %w : (tensor<3x32xf32>, tensor<32x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// Thresholds that are passed, counted.
// CHECK-LABEL: func @thresholds(
// CHECK: bitnet.linear ins(%{{.*}} : tensor<3x32xi8>, {{.*}}) quantized
func.func @thresholds(%x: tensor<3x32x1xf32>) -> tensor<3x4xf32> {
  %t = onnx.Constant dense<[0.5, 1.5, 2.5]> : tensor<3xf32>
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %p = onnx.GreaterOrEqual %x, %t : (tensor<3x32x1xf32>, tensor<3xf32>) -> tensor<3x32x3xi1>
  %f = onnx.Cast %p {to = 1 : i64} : (tensor<3x32x3xi1>) -> tensor<3x32x3xf32>
  %n = onnx.ReduceSum %f, %last {keepdims = 0 : i64} : (tensor<3x32x3xf32>, tensor<1xi64>) -> tensor<3x32xf32>
  %y = onnx.MatMul %n, %w : (tensor<3x32xf32>, tensor<32x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// The matmul tells the number of columns.
// CHECK-LABEL: func @unknown_columns(
// CHECK: bitnet.linear ins(%{{.*}} : tensor<?x32xi8>, {{.*}}) quantized
func.func @unknown_columns(%x: tensor<?x?xf32>) -> tensor<?x4xf32> {
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %s = onnx.Sign %x : (tensor<?x?xf32>) -> tensor<?x?xf32>
  %y = onnx.MatMul %s, %w : (tensor<?x?xf32>, tensor<32x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// Left alone: no limits; limits that are no whole numbers; a scale for each
// column of the activations.
// CHECK-LABEL: func @others(
// CHECK-NOT: quantized
// CHECK: return
func.func @others(%x: tensor<3x32xf32>, %s: tensor<1x32xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>) {
  %lo = onnx.Constant dense<-1.5> : tensor<f32>
  %hi = onnx.Constant dense<1.0> : tensor<f32>
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %r = onnx.Round %x : (tensor<3x32xf32>) -> tensor<3x32xf32>
  %y = onnx.MatMul %r, %w : (tensor<3x32xf32>, tensor<32x4xf32>) -> tensor<3x4xf32>
  %c = onnx.Clip %r, %lo, %hi : (tensor<3x32xf32>, tensor<f32>, tensor<f32>) -> tensor<3x32xf32>
  %z = onnx.MatMul %c, %w : (tensor<3x32xf32>, tensor<32x4xf32>) -> tensor<3x4xf32>
  %i = onnx.Sign %x : (tensor<3x32xf32>) -> tensor<3x32xf32>
  %m = onnx.Mul %i, %s : (tensor<3x32xf32>, tensor<1x32xf32>) -> tensor<3x32xf32>
  %v = onnx.MatMul %m, %w : (tensor<3x32xf32>, tensor<32x4xf32>) -> tensor<3x4xf32>
  return %y, %z, %v : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>
}
