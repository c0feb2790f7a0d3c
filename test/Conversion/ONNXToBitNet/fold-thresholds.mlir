// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-recognize-low-bit-weights --bitnet-recognize-quantization --bitnet-fold-thresholds --canonicalize | FileCheck %s

// sign((0.5 sum - mean) / 1 * scale + b): the second output's falls as its sum grows.
//   output 0: 0.5 sum - 1.25 + 0.5 >= 0 from 2 on
//   output 1: -2 (0.5 sum - 3) - 1 >= 0 up to 5, so -sum from -5 on
// CHECK-LABEL: func @batch_norm(
// CHECK-DAG: %[[SIGNS:.*]] = arith.constant dense<[1.000000e+00, -1.000000e+00]> : tensor<2xf32>
// CHECK-DAG: %[[T:.*]] = onnx.Constant dense<[2.000000e+00, -5.000000e+00]> : tensor<2xf32>
// CHECK-DAG: %[[LOW:.*]] = onnx.Constant dense<-1.000000e+00> : tensor<f32>
// CHECK-DAG: %[[HIGH:.*]] = onnx.Constant dense<1.000000e+00> : tensor<f32>
// CHECK: %[[X:.*]] = bitnet.linear ins(%{{.*}}, %{{.*}}, %[[SIGNS]]
// CHECK-NOT: onnx.BatchNormalization
// CHECK: %[[P:.*]] = onnx.GreaterOrEqual %[[X]], %[[T]]
// CHECK: %[[Y:.*]] = onnx.Where %[[P]], %[[HIGH]], %[[LOW]]
// CHECK: return %[[Y]]
func.func @batch_norm(%x: tensor<?x32xf32>) -> tensor<?x2xf32> {
  %none = onnx.NoValue {value}
  %w = onnx.Constant dense<0.5> : tensor<32x2xf32>
  %scale = onnx.Constant dense<[1.0, -2.0]> : tensor<2xf32>
  %b = onnx.Constant dense<[0.5, -1.0]> : tensor<2xf32>
  %mean = onnx.Constant dense<[1.25, 3.0]> : tensor<2xf32>
  %var = onnx.Constant dense<1.0> : tensor<2xf32>
  %zero = onnx.Constant dense<0.0> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %minus = onnx.Constant dense<-1.0> : tensor<f32>
  %s = onnx.Sign %x : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %y = onnx.MatMul %s, %w : (tensor<?x32xf32>, tensor<32x2xf32>) -> tensor<?x2xf32>
  %n, %m, %v = onnx.BatchNormalization %y, %scale, %b, %mean, %var {epsilon = 0.0 : f32} : (tensor<?x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<?x2xf32>, none, none)
  %p = onnx.GreaterOrEqual %n, %zero : (tensor<?x2xf32>, tensor<f32>) -> tensor<?x2xi1>
  %q = onnx.Where %p, %one, %minus : (tensor<?x2xi1>, tensor<f32>, tensor<f32>) -> tensor<?x2xf32>
  return %q : tensor<?x2xf32>
}

// Two bits: levels 0 to 3 of 0.5 sum / 2, half to even, begin at 3, 6 and 11.
// CHECK-LABEL: func @two_bits(
// CHECK-DAG: dense<3.000000e+00> : tensor<1xf32>
// CHECK-DAG: dense<6.000000e+00> : tensor<1xf32>
// CHECK-DAG: dense<1.100000e+01> : tensor<1xf32>
// CHECK-COUNT-3: onnx.GreaterOrEqual
// CHECK-NOT: onnx.Round
func.func @two_bits(%x: tensor<3x64xf32>) -> tensor<3x1xf32> {
  %w = onnx.Constant dense<0.5> : tensor<64x1xf32>
  %two = onnx.Constant dense<2.0> : tensor<f32>
  %lo = onnx.Constant dense<0.0> : tensor<f32>
  %hi = onnx.Constant dense<3.0> : tensor<f32>
  %s = onnx.Sign %x : (tensor<3x64xf32>) -> tensor<3x64xf32>
  %y = onnx.MatMul %s, %w : (tensor<3x64xf32>, tensor<64x1xf32>) -> tensor<3x1xf32>
  %r = onnx.Relu %y : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %d = onnx.Div %r, %two : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %q = onnx.Round %d : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %c = onnx.Clip %q, %lo, %hi : (tensor<3x1xf32>, tensor<f32>, tensor<f32>) -> tensor<3x1xf32>
  return %c : tensor<3x1xf32>
}

// Left alone: more levels; a result that is used before its quantiser; activations of
// a scale of their own.
// CHECK-LABEL: func @others(
// CHECK-NOT: onnx.GreaterOrEqual
// CHECK: return
func.func @others(%x: tensor<3x64xf32>) -> (tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>) {
  %w = onnx.Constant dense<0.5> : tensor<64x1xf32>
  %two = onnx.Constant dense<2.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %hi = onnx.Constant dense<127.0> : tensor<f32>
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %s = onnx.Sign %x : (tensor<3x64xf32>) -> tensor<3x64xf32>
  %y = onnx.MatMul %s, %w : (tensor<3x64xf32>, tensor<64x1xf32>) -> tensor<3x1xf32>
  %d = onnx.Div %y, %two : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %q = onnx.Round %d : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %c = onnx.Clip %q, %lo, %hi : (tensor<3x1xf32>, tensor<f32>, tensor<f32>) -> tensor<3x1xf32>
  %y1 = onnx.MatMul %s, %w : (tensor<3x64xf32>, tensor<64x1xf32>) -> tensor<3x1xf32>
  %a1 = onnx.Add %y1, %two : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %d1 = onnx.Div %a1, %two : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %c1 = onnx.Sign %d1 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  %a = onnx.Abs %x : (tensor<3x64xf32>) -> tensor<3x64xf32>
  %m = onnx.ReduceMax %a, %last : (tensor<3x64xf32>, tensor<1xi64>) -> tensor<3x1xf32>
  %z = onnx.Div %hi, %m : (tensor<f32>, tensor<3x1xf32>) -> tensor<3x1xf32>
  %p = onnx.Mul %x, %z : (tensor<3x64xf32>, tensor<3x1xf32>) -> tensor<3x64xf32>
  %r = onnx.Round %p : (tensor<3x64xf32>) -> tensor<3x64xf32>
  %k = onnx.Clip %r, %lo, %hi : (tensor<3x64xf32>, tensor<f32>, tensor<f32>) -> tensor<3x64xf32>
  %f = onnx.Div %k, %z : (tensor<3x64xf32>, tensor<3x1xf32>) -> tensor<3x64xf32>
  %y2 = onnx.MatMul %f, %w : (tensor<3x64xf32>, tensor<64x1xf32>) -> tensor<3x1xf32>
  %a2 = onnx.Add %y2, %two : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %d2 = onnx.Div %a2, %two : (tensor<3x1xf32>, tensor<f32>) -> tensor<3x1xf32>
  %c2 = onnx.Sign %d2 : (tensor<3x1xf32>) -> tensor<3x1xf32>
  return %c, %c1, %d1, %c2 : tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>, tensor<3x1xf32>
}
