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

// CHECK-LABEL: func @standard
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x6x?x8xf32>, %[[C:[^:]*]]: tensor<?x?x4xf32>, %[[S:[^:]*]]: tensor<?x?x4xf32>
// CHECK-DAG: %[[CC:.*]] = onnx.Concat %[[C]], %[[C]] {axis = 2 : i64} : {{.*}} -> tensor<?x?x8xf32>
// CHECK-DAG: %[[SS:.*]] = onnx.Concat %[[S]], %[[S]] {axis = 2 : i64} : {{.*}} -> tensor<?x?x8xf32>
// CHECK: bitnet.rotary ins(%[[X]], %[[CC]], %[[SS]] :
func.func @standard(%x: tensor<?x6x?x8xf32>, %cos: tensor<?x?x4xf32>, %sin: tensor<?x?x4xf32>) -> tensor<?x6x?x8xf32> {
  %none = onnx.NoValue {value}
  %0 = onnx.RotaryEmbedding %x, %cos, %sin, %none {num_heads = 6 : i64} : (tensor<?x6x?x8xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>, none) -> tensor<?x6x?x8xf32>
  return %0 : tensor<?x6x?x8xf32>
}

// CHECK-LABEL: func @standard_of_positions
// CHECK-SAME: %[[X:[^:]*]]: tensor<1x6x4x8xf32>, %[[C:[^:]*]]: tensor<64x4xf32>, %{{.*}}: tensor<64x4xf32>, %[[P:[^:]*]]: tensor<1x4xi64>
// CHECK: onnx.Gather %[[C]], %[[P]] : {{.*}} -> tensor<1x4x4xf32>
// CHECK: bitnet.rotary ins(%[[X]],
func.func @standard_of_positions(%x: tensor<1x6x4x8xf32>, %cos: tensor<64x4xf32>, %sin: tensor<64x4xf32>, %positions: tensor<1x4xi64>) -> tensor<1x6x4x8xf32> {
  %0 = onnx.RotaryEmbedding %x, %cos, %sin, %positions : (tensor<1x6x4x8xf32>, tensor<64x4xf32>, tensor<64x4xf32>, tensor<1x4xi64>) -> tensor<1x6x4x8xf32>
  return %0 : tensor<1x6x4x8xf32>
}

// Pairs of neighbours, and a part of the channels, are not those of bitnet.rotary.
// CHECK-LABEL: func @other_rotations
// CHECK-NOT: bitnet.rotary
func.func @other_rotations(%x: tensor<1x6x4x8xf32>, %cos: tensor<1x4x4xf32>, %part: tensor<1x4x2xf32>) -> (tensor<1x6x4x8xf32>, tensor<1x6x4x8xf32>) {
  %none = onnx.NoValue {value}
  %0 = onnx.RotaryEmbedding %x, %cos, %cos, %none {interleaved = 1 : i64} : (tensor<1x6x4x8xf32>, tensor<1x4x4xf32>, tensor<1x4x4xf32>, none) -> tensor<1x6x4x8xf32>
  %1 = onnx.RotaryEmbedding %x, %part, %part, %none {rotary_embedding_dim = 4 : i64} : (tensor<1x6x4x8xf32>, tensor<1x4x2xf32>, tensor<1x4x2xf32>, none) -> tensor<1x6x4x8xf32>
  return %0, %1 : tensor<1x6x4x8xf32>, tensor<1x6x4x8xf32>
}
