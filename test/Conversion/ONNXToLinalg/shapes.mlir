// RUN: bitnet-opt %s -convert-onnx-to-linalg -canonicalize -cse | FileCheck %s

// Shape arithmetic folds to a view: no tensor of integers is left.
// CHECK-LABEL: func.func @shape_arithmetic
// CHECK-NOT: tensor.from_elements
// CHECK-NOT: tensor.reshape
// CHECK: tensor.expand_shape %arg0 {{\[}}[0], [1], [2, 3]] output_shape [1, %{{.*}}, 4, 16]
// CHECK-NOT: tensor.from_elements
func.func @shape_arithmetic(%x: tensor<1x?x64xf32> {onnx.dims = ["", "s", ""]}) -> tensor<1x?x4x16xf32> {
  %shape = onnx.Shape %x {start = 0 : i64, end = 2 : i64} : (tensor<1x?x64xf32>) -> tensor<2xi64>
  %heads = onnx.Constant dense<[4, -1]> : tensor<2xi64>
  %target = onnx.Concat %shape, %heads {axis = 0 : i64} : (tensor<2xi64>, tensor<2xi64>) -> tensor<4xi64>
  %0 = onnx.Reshape %x, %target : (tensor<1x?x64xf32>, tensor<4xi64>) -> tensor<1x?x4x16xf32>
  return %0 : tensor<1x?x4x16xf32>
}

// CHECK-LABEL: func.func @unknown_shape
// CHECK: tensor.reshape
func.func @unknown_shape(%x: tensor<?x?xf32>, %shape: tensor<3xi64>) -> tensor<?x?x?xf32> {
  %0 = onnx.Reshape %x, %shape : (tensor<?x?xf32>, tensor<3xi64>) -> tensor<?x?x?xf32>
  return %0 : tensor<?x?x?xf32>
}

// A slice from 0 to a size needs no clamping.
// CHECK-LABEL: func.func @slice
// CHECK-NOT: arith.minsi
// CHECK: tensor.extract_slice %arg0[0, 32] [%{{.*}}, 32] [1, 1]
func.func @slice(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %start = onnx.Constant dense<32> : tensor<1xi64>
  %end = onnx.Constant dense<9223372036854775807> : tensor<1xi64>
  %axis = onnx.Constant dense<1> : tensor<1xi64>
  %none = onnx.NoValue
  %0 = onnx.Slice %x, %start, %end, %axis, %none : (tensor<?x64xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, none) -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// Moving a dimension of 1 is a view.
// CHECK-LABEL: func.func @transpose_unit
// CHECK-NOT: linalg.generic
// CHECK: tensor.expand_shape
func.func @transpose_unit(%x: tensor<1x4x16xf32>) -> tensor<4x1x16xf32> {
  %0 = onnx.Transpose %x {perm = array<i64: 1, 0, 2>} : (tensor<1x4x16xf32>) -> tensor<4x1x16xf32>
  return %0 : tensor<4x1x16xf32>
}
