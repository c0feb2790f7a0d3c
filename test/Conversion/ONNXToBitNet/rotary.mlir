// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-recognize-rotary --canonicalize | FileCheck %s

// CHECK-LABEL: func @rotary
// CHECK-SAME: %[[X:[^:]*]]: tensor<1x6x4x8xf32>, %[[C:[^:]*]]: tensor<1x4x8xf32>, %[[S:[^:]*]]: tensor<1x1x4x8xf32>
// CHECK: %[[T:.*]] = tensor.collapse_shape %[[S]]
// CHECK: bitnet.rotary ins(%[[X]], %[[C]], %[[T]] :
// CHECK-NOT: onnx
func.func @rotary(%x: tensor<1x6x4x8xf32>, %cos: tensor<1x4x8xf32>, %sin: tensor<1x1x4x8xf32>) -> tensor<1x6x4x8xf32> {
  %none = onnx.NoValue {value}
  %c0 = onnx.Constant dense<0> : tensor<1xi64>
  %c1 = onnx.Constant dense<1> : tensor<1xi64>
  %c3 = onnx.Constant dense<-1> : tensor<1xi64>
  %c4 = onnx.Constant dense<4> : tensor<1xi64>
  %end = onnx.Constant dense<9223372036854775807> : tensor<1xi64>
  %cosu = onnx.Unsqueeze %cos, %c1 : (tensor<1x4x8xf32>, tensor<1xi64>) -> tensor<1x1x4x8xf32>
  %0 = onnx.Mul %x, %cosu : (tensor<1x6x4x8xf32>, tensor<1x1x4x8xf32>) -> tensor<1x6x4x8xf32>
  %1 = onnx.Slice %x, %c0, %c4, %c3, %c1 : (tensor<1x6x4x8xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<1x6x4x4xf32>
  %2 = onnx.Slice %x, %c4, %end, %c3, %none : (tensor<1x6x4x8xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, none) -> tensor<1x6x4x4xf32>
  %3 = onnx.Neg %2 : (tensor<1x6x4x4xf32>) -> tensor<1x6x4x4xf32>
  %4 = onnx.Concat %3, %1 {axis = -1 : i64} : (tensor<1x6x4x4xf32>, tensor<1x6x4x4xf32>) -> tensor<1x6x4x8xf32>
  %5 = onnx.Mul %4, %sin : (tensor<1x6x4x8xf32>, tensor<1x1x4x8xf32>) -> tensor<1x6x4x8xf32>
  %6 = onnx.Add %5, %0 : (tensor<1x6x4x8xf32>, tensor<1x6x4x8xf32>) -> tensor<1x6x4x8xf32>
  return %6 : tensor<1x6x4x8xf32>
}

// The lower half negated, and split: the first is another function.
// CHECK-LABEL: func @halves
// CHECK-NOT: bitnet.rotary
func.func @halves(%x: tensor<1x6x4x8xf32>, %cos: tensor<1x1x4x8xf32>) -> tensor<1x6x4x8xf32> {
  %none = onnx.NoValue {value}
  %0 = onnx.Mul %x, %cos : (tensor<1x6x4x8xf32>, tensor<1x1x4x8xf32>) -> tensor<1x6x4x8xf32>
  %1:2 = onnx.Split %x, %none {axis = 3 : i64, num_outputs = 2 : i64} : (tensor<1x6x4x8xf32>, none) -> (tensor<1x6x4x4xf32>, tensor<1x6x4x4xf32>)
  %3 = onnx.Neg %1#0 : (tensor<1x6x4x4xf32>) -> tensor<1x6x4x4xf32>
  %4 = onnx.Concat %3, %1#1 {axis = -1 : i64} : (tensor<1x6x4x4xf32>, tensor<1x6x4x4xf32>) -> tensor<1x6x4x8xf32>
  %5 = onnx.Mul %4, %cos : (tensor<1x6x4x8xf32>, tensor<1x1x4x8xf32>) -> tensor<1x6x4x8xf32>
  %6 = onnx.Add %5, %0 : (tensor<1x6x4x8xf32>, tensor<1x6x4x8xf32>) -> tensor<1x6x4x8xf32>
  return %6 : tensor<1x6x4x8xf32>
}
