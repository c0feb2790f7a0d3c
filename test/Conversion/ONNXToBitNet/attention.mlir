// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-recognize-attention --canonicalize | FileCheck %s

// The scale lies on both operands, the mask is boolean, and the keys' transpose
// moves their heads too.
// CHECK-LABEL: func @scaled_operands
// CHECK: %[[K:.*]] = onnx.Transpose %{{.*}} {perm = array<i64: 0, 2, 1, 3>}
// CHECK: %[[M:.*]] = onnx.Where
// CHECK: bitnet.attention ins(%{{.*}}, %[[K]], %{{.*}} mask(%{{.*}} : tensor<1x1x4x9xf32>) outs({{.*}}scale = 2.500000e-01 : f32
// CHECK-NOT: onnx.{{MatMul|Softmax}}
func.func @scaled_operands(%q: tensor<1x2x4x8xf32>, %k: tensor<1x9x2x8xf32>, %v: tensor<1x2x9x8xf32>, %m: tensor<4x9xi1>) -> tensor<1x2x4x8xf32> {
  %half = onnx.Constant dense<0.5> : tensor<f32>
  %min = onnx.Constant dense<-1.0e9> : tensor<f32>
  %qs = onnx.Mul %q, %half : (tensor<1x2x4x8xf32>, tensor<f32>) -> tensor<1x2x4x8xf32>
  %kt = onnx.Transpose %k {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x9x2x8xf32>) -> tensor<1x2x8x9xf32>
  %ks = onnx.Mul %kt, %half : (tensor<1x2x8x9xf32>, tensor<f32>) -> tensor<1x2x8x9xf32>
  %s = onnx.MatMul %qs, %ks : (tensor<1x2x4x8xf32>, tensor<1x2x8x9xf32>) -> tensor<1x2x4x9xf32>
  %w = onnx.Where %m, %s, %min : (tensor<4x9xi1>, tensor<1x2x4x9xf32>, tensor<f32>) -> tensor<1x2x4x9xf32>
  %p = onnx.Softmax %w : (tensor<1x2x4x9xf32>) -> tensor<1x2x4x9xf32>
  %y = onnx.MatMul %p, %v : (tensor<1x2x4x9xf32>, tensor<1x2x9x8xf32>) -> tensor<1x2x4x8xf32>
  return %y : tensor<1x2x4x8xf32>
}

// CHECK-LABEL: func @standard
// CHECK: bitnet.attention {{.*}}{causal, scale = 5.000000e-01 : f32}
func.func @standard(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x3x4xf32>) -> tensor<1x4x3x4xf32> {
  %none = onnx.NoValue {value}
  %y:4 = onnx.Attention %q, %k, %k, %none, %none, %none, %none {is_causal = 1 : i64}
      : (tensor<1x4x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, none, none, none, none) -> (tensor<1x4x3x4xf32>, none, none, none)
  return %y#0 : tensor<1x4x3x4xf32>
}

// A softmax over another axis is no attention.
// CHECK-LABEL: func @other_axis
// CHECK-NOT: bitnet.attention
func.func @other_axis(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x8x9xf32>, %v: tensor<1x2x9x8xf32>) -> tensor<1x2x4x8xf32> {
  %s = onnx.MatMul %q, %k : (tensor<1x2x4x8xf32>, tensor<1x2x8x9xf32>) -> tensor<1x2x4x9xf32>
  %p = onnx.Softmax %s {axis = 2 : i64} : (tensor<1x2x4x9xf32>) -> tensor<1x2x4x9xf32>
  %y = onnx.MatMul %p, %v : (tensor<1x2x4x9xf32>, tensor<1x2x9x8xf32>) -> tensor<1x2x4x8xf32>
  return %y : tensor<1x2x4x8xf32>
}

// Dynamo's sdpa at opset 23 repeats the heads in front of the standard's op.
// CHECK-LABEL: func @standard_of_repeated_heads
// CHECK-SAME: %[[Q:[^:]*]]: tensor<1x4x3x4xf32>, %[[K:[^:]*]]: tensor<1x2x3x4xf32>
// CHECK: bitnet.attention ins(%[[Q]], %[[K]], %[[K]] :
func.func @standard_of_repeated_heads(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x3x4xf32>) -> tensor<1x4x3x4xf32> {
  %none = onnx.NoValue {value}
  %view = onnx.Constant dense<[1, 2, 1, 3, 4]> : tensor<5xi64>
  %twice = onnx.Constant dense<[1, 2, 2, 3, 4]> : tensor<5xi64>
  %heads = onnx.Constant dense<[1, 4, 3, 4]> : tensor<4xi64>
  %0 = onnx.Reshape %k, %view : (tensor<1x2x3x4xf32>, tensor<5xi64>) -> tensor<1x2x1x3x4xf32>
  %1 = onnx.Expand %0, %twice : (tensor<1x2x1x3x4xf32>, tensor<5xi64>) -> tensor<1x2x2x3x4xf32>
  %2 = onnx.Reshape %1, %heads : (tensor<1x2x2x3x4xf32>, tensor<4xi64>) -> tensor<1x4x3x4xf32>
  %y:4 = onnx.Attention %q, %2, %2, %none, %none, %none, %none {scale = 0.5 : f32}
      : (tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>, tensor<1x4x3x4xf32>, none, none, none, none) -> (tensor<1x4x3x4xf32>, none, none, none)
  return %y#0 : tensor<1x4x3x4xf32>
}

// masked_fill: what is hidden, not what is seen.
// CHECK-LABEL: func @masked_fill
// CHECK-SAME: %[[HIDDEN:[^:]*]]: tensor<3x5xi1>
// CHECK-DAG: %[[ZERO:.*]] = onnx.Constant dense<0.000000e+00>
// CHECK-DAG: %[[FILL:.*]] = onnx.Constant dense<-1.000000e+09>
// CHECK: onnx.Where %[[HIDDEN]], %[[FILL]], %[[ZERO]]
// CHECK: bitnet.attention {{.*}}mask(
func.func @masked_fill(%q: tensor<1x2x3x8xf32>, %kt: tensor<1x2x5x8xf32>, %hidden: tensor<3x5xi1>) -> tensor<1x2x3x8xf32> {
  %fill = onnx.Constant dense<-1.0e9> : tensor<f32>
  %k = onnx.Transpose %kt {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x2x5x8xf32>) -> tensor<1x2x8x5xf32>
  %s = onnx.MatMul %q, %k : (tensor<1x2x3x8xf32>, tensor<1x2x8x5xf32>) -> tensor<1x2x3x5xf32>
  %w = onnx.Where %hidden, %fill, %s : (tensor<3x5xi1>, tensor<f32>, tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %p = onnx.Softmax %w : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
  %y = onnx.MatMul %p, %kt : (tensor<1x2x3x5xf32>, tensor<1x2x5x8xf32>) -> tensor<1x2x3x8xf32>
  return %y : tensor<1x2x3x8xf32>
}
