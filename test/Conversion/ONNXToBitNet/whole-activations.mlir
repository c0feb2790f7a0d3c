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
// CHECK: bitnet.linear ins(%{{.*}} : tensor<3x32xi8>
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

// Limits after rounding.
// CHECK-LABEL: func @clipped_last(
// CHECK: bitnet.linear ins(%{{.*}} : tensor<3x32xi8>, {{.*}}) quantized
func.func @clipped_last(%x: tensor<3x32xf32>) -> tensor<3x4xf32> {
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %hi = onnx.Constant dense<127.0> : tensor<f32>
  %scale = onnx.Constant dense<0.25> : tensor<f32>
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %p = onnx.Div %x, %scale : (tensor<3x32xf32>, tensor<f32>) -> tensor<3x32xf32>
  %r = onnx.Round %p : (tensor<3x32xf32>) -> tensor<3x32xf32>
  %c = onnx.Clip %r, %lo, %hi : (tensor<3x32xf32>, tensor<f32>, tensor<f32>) -> tensor<3x32xf32>
  %s = onnx.Mul %c, %scale : (tensor<3x32xf32>, tensor<f32>) -> tensor<3x32xf32>
  %y = onnx.MatMul %s, %w : (tensor<3x32xf32>, tensor<32x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
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

// A quantiser of floats of 16 bits: the graph makes the integers and their step,
// by which the result is divided.
// CHECK-LABEL: func @half(
// CHECK: %[[R:.*]] = onnx.Round
// CHECK: %[[Q:.*]] = onnx.Clip %[[R]]
// CHECK-DAG: %[[V:.*]] = onnx.Cast %[[Q]] : (tensor<?x32xf16>) -> tensor<?x32xi8>
// CHECK: %[[Y:.*]] = bitnet.linear ins(%[[V]]
// CHECK-DAG: %[[F:.*]] = onnx.Cast %{{.*}} : (tensor<?x1xf16>) -> tensor<?x1xf32>
// CHECK: %[[D:.*]] = onnx.Div %[[Y]], %[[F]]
// CHECK: onnx.Cast %[[D]] : (tensor<?x4xf32>) -> tensor<?x4xf16>
func.func @half(%x: tensor<?x32xf16>) -> tensor<?x4xf16> {
  %lo = onnx.Constant dense<-128.0> : tensor<f16>
  %hi = onnx.Constant dense<127.0> : tensor<f16>
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %w = onnx.Constant dense<0.5> : tensor<32x4xf16>
  %a = onnx.Abs %x : (tensor<?x32xf16>) -> tensor<?x32xf16>
  %m = onnx.ReduceMax %a, %last : (tensor<?x32xf16>, tensor<1xi64>) -> tensor<?x1xf16>
  %s = onnx.Div %hi, %m : (tensor<f16>, tensor<?x1xf16>) -> tensor<?x1xf16>
  %p = onnx.Mul %x, %s : (tensor<?x32xf16>, tensor<?x1xf16>) -> tensor<?x32xf16>
  %r = onnx.Round %p : (tensor<?x32xf16>) -> tensor<?x32xf16>
  %q = onnx.Clip %r, %lo, %hi : (tensor<?x32xf16>, tensor<f16>, tensor<f16>) -> tensor<?x32xf16>
  %d = onnx.Div %q, %s : (tensor<?x32xf16>, tensor<?x1xf16>) -> tensor<?x32xf16>
  %y = onnx.MatMul %d, %w : (tensor<?x32xf16>, tensor<32x4xf16>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// About a zero point that the graph computes, with rows regrouped after it.
// CHECK-LABEL: func @asymmetric(
// CHECK-SAME: %[[X:.*]]: tensor<?x?x32xf32>
// CHECK: %[[N:.*]] = onnx.Sub
// CHECK: %[[ROWS:.*]] = tensor.collapse_shape %[[N]]
// CHECK: %[[V:.*]] = onnx.Cast %[[ROWS]] : (tensor<?x32xf32>) -> tensor<?x32xi16>
// CHECK: %[[Y:.*]] = bitnet.linear ins(%[[V]]
// CHECK: %[[E:.*]] = tensor.expand_shape %[[Y]]
// CHECK: %[[S:.*]] = onnx.Mul %[[E]], %y_scale
// CHECK: tensor.collapse_shape %[[S]]
func.func @asymmetric(%x: tensor<?x?x32xf32>) -> tensor<?x4xf32> {
  %shape = onnx.Constant dense<[-1, 32]> : tensor<2xi64>
  %w = onnx.Constant dense<0.5> : tensor<32x4xf32>
  %y, %y_scale, %y_zero_point = onnx.DynamicQuantizeLinear %x : (tensor<?x?x32xf32>) -> (tensor<?x?x32xui8>, tensor<f32>, tensor<ui8>)
  %f = onnx.Cast %y : (tensor<?x?x32xui8>) -> tensor<?x?x32xf32>
  %z = onnx.Cast %y_zero_point : (tensor<ui8>) -> tensor<f32>
  %n = onnx.Sub %f, %z : (tensor<?x?x32xf32>, tensor<f32>) -> tensor<?x?x32xf32>
  %d = onnx.Mul %n, %y_scale : (tensor<?x?x32xf32>, tensor<f32>) -> tensor<?x?x32xf32>
  %r = onnx.Reshape %d, %shape : (tensor<?x?x32xf32>, tensor<2xi64>) -> tensor<?x32xf32>
  %m = onnx.MatMul %r, %w : (tensor<?x32xf32>, tensor<32x4xf32>) -> tensor<?x4xf32>
  return %m : tensor<?x4xf32>
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
