// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --pass-pipeline='builtin.module(func.func(onnx-refine-types))' | FileCheck %s

// As TorchScript's exporter writes a rotation: bounds that were computed.
// CHECK-LABEL: func @slices
// CHECK-SAME: -> tensor<1x4x1x16xf32>
// CHECK: onnx.Slice {{.*}} -> tensor<1x4x1x6xf32>
// CHECK: onnx.Slice {{.*}} -> tensor<1x4x1x10xf32>
// CHECK: onnx.Neg {{.*}} -> tensor<1x4x1x10xf32>
// CHECK: onnx.Concat {{.*}} -> tensor<1x4x1x16xf32>
func.func @slices(%x: tensor<1x4x1x16xf32>) -> tensor<?x?x?x?xf32> {
  %none = onnx.NoValue {value}
  %c0 = onnx.Constant dense<0> : tensor<1xi64>
  %c6 = onnx.Constant dense<6> : tensor<1xi64>
  %end = onnx.Constant dense<9223372036854775807> : tensor<1xi64>
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %0 = onnx.Slice %x, %c0, %c6, %last, %none : (tensor<1x4x1x16xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, none) -> tensor<?x?x?x?xf32>
  %1 = onnx.Slice %x, %c6, %end, %last, %none : (tensor<1x4x1x16xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, none) -> tensor<?x?x?x?xf32>
  %2 = onnx.Neg %1 : (tensor<?x?x?x?xf32>) -> tensor<?x?x?x?xf32>
  %3 = onnx.Concat %2, %0 {axis = -1 : i64} : (tensor<?x?x?x?xf32>, tensor<?x?x?x?xf32>) -> tensor<?x?x?x?xf32>
  return %3 : tensor<?x?x?x?xf32>
}

// Dynamic extents that are copied cancel out of the -1.
// CHECK-LABEL: func @reshape_of_shape
// CHECK: onnx.Reshape {{.*}} -> tensor<?x4x?x16xf32>
func.func @reshape_of_shape(%x: tensor<?x2x2x?x16xf32>) -> tensor<?x?x?x16xf32> {
  %none = onnx.NoValue {value}
  %c0 = onnx.Constant dense<0> : tensor<1xi64>
  %c1 = onnx.Constant dense<1> : tensor<1xi64>
  %c3 = onnx.Constant dense<3> : tensor<1xi64>
  %c5 = onnx.Constant dense<5> : tensor<1xi64>
  %open = onnx.Constant dense<-1> : tensor<1xi64>
  %shape = onnx.Shape %x : (tensor<?x2x2x?x16xf32>) -> tensor<5xi64>
  %0 = onnx.Slice %shape, %c0, %c1, %c0, %none : (tensor<5xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, none) -> tensor<1xi64>
  %1 = onnx.Slice %shape, %c3, %c5, %c0, %none : (tensor<5xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, none) -> tensor<2xi64>
  %2 = onnx.Concat %0, %open, %1 {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>, tensor<2xi64>) -> tensor<4xi64>
  %3 = onnx.Reshape %x, %2 : (tensor<?x2x2x?x16xf32>, tensor<4xi64>) -> tensor<?x?x?x16xf32>
  return %3 : tensor<?x?x?x16xf32>
}

// The other dynamic extent stays, and so does the -1.
// CHECK-LABEL: func @unknown
// CHECK: onnx.Reshape {{.*}} -> tensor<?x?x16xf32>
// CHECK: onnx.Add {{.*}} -> tensor<?x?x16xf32>
func.func @unknown(%x: tensor<?x?x16xf32>, %n: tensor<1xi64>, %y: tensor<?x1x1xf32>) -> tensor<?x?x?xf32> {
  %c = onnx.Constant dense<[-1, 16]> : tensor<2xi64>
  %0 = onnx.Concat %n, %c {axis = 0 : i64} : (tensor<1xi64>, tensor<2xi64>) -> tensor<3xi64>
  %1 = onnx.Reshape %x, %0 : (tensor<?x?x16xf32>, tensor<3xi64>) -> tensor<?x?x?xf32>
  %2 = onnx.Add %1, %y : (tensor<?x?x?xf32>, tensor<?x1x1xf32>) -> tensor<?x?x?xf32>
  return %2 : tensor<?x?x?xf32>
}

// CHECK-LABEL: func @quantiser
// CHECK: onnx.ReduceMax {{.*}} -> tensor<?x64x1xf32>
// CHECK: onnx.ReduceMax {{.*}} -> tensor<?x?xf32>
// CHECK: onnx.Clip {{.*}} -> tensor<?x64x16xf32>
func.func @quantiser(%x: tensor<?x64x16xf32>, %hi: tensor<f32>) -> (tensor<?x?x1xf32>, tensor<?x?xf32>, tensor<?x?x16xf32>) {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %0 = onnx.ReduceMax %x, %last : (tensor<?x64x16xf32>, tensor<1xi64>) -> tensor<?x?x1xf32>
  %1 = onnx.ReduceMax %x, %last {keepdims = 0 : i64} : (tensor<?x64x16xf32>, tensor<1xi64>) -> tensor<?x?xf32>
  %2 = onnx.Clip %x, %none, %hi : (tensor<?x64x16xf32>, none, tensor<f32>) -> tensor<?x?x16xf32>
  return %0, %1, %2 : tensor<?x?x1xf32>, tensor<?x?xf32>, tensor<?x?x16xf32>
}

// -1 stands for an extent that is kept: exporters replace it by 1. No extent is -1.
// CHECK-LABEL: func @expand_with_kept_extents
// CHECK: onnx.Expand %{{.*}} -> tensor<1x2x3x?x8xf32>
func.func @expand_with_kept_extents(%x: tensor<1x2x1x?x8xf32>, %k: tensor<1x2x?x8xf32>) -> tensor<?x2x?x?x8xf32> {
  %two = onnx.Constant dense<2> : tensor<1xi64>
  %front = onnx.Constant dense<[-1, -1, 3]> : tensor<3xi64>
  %back = onnx.Constant dense<-1> : tensor<1xi64>
  %shape = onnx.Shape %k : (tensor<1x2x?x8xf32>) -> tensor<4xi64>
  %count = onnx.Gather %shape, %two : (tensor<4xi64>, tensor<1xi64>) -> tensor<1xi64>
  %to = onnx.Concat %front, %count, %back {axis = 0 : i64} : (tensor<3xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<5xi64>
  %minus = onnx.Constant dense<-1> : tensor<5xi64>
  %ones = onnx.Constant dense<1> : tensor<5xi64>
  %kept = onnx.Equal %to, %minus : (tensor<5xi64>, tensor<5xi64>) -> tensor<5xi1>
  %sizes = onnx.Where %kept, %ones, %to : (tensor<5xi1>, tensor<5xi64>, tensor<5xi64>) -> tensor<5xi64>
  %y = onnx.Expand %x, %sizes : (tensor<1x2x1x?x8xf32>, tensor<5xi64>) -> tensor<?x2x?x?x8xf32>
  return %y : tensor<?x2x?x?x8xf32>
}
