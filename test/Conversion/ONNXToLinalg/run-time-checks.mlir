// RUN: bitnet-opt %s -convert-onnx-to-linalg -canonicalize -cse | FileCheck %s

// What cannot be proven about sizes and indices is asserted, and nothing else.

// CHECK-LABEL: func.func @gather
// CHECK: %[[LEAST:.*]] = linalg.generic
// CHECK: %[[VALUE:.*]] = tensor.extract %[[LEAST]][]
// CHECK: %[[VALID:.*]] = arith.cmpi ne, %[[VALUE]]
// CHECK: cf.assert %[[VALID]], "index out of range"
func.func @gather(%w: tensor<100x8xf32>, %i: tensor<?xi64>) -> tensor<?x8xf32> {
  %0 = onnx.Gather %w, %i : (tensor<100x8xf32>, tensor<?xi64>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @constant_indices
// CHECK-NOT: cf.assert
func.func @constant_indices(%w: tensor<100x8xf32>) -> tensor<2x8xf32> {
  %i = onnx.Constant dense<[-100, 99]> : tensor<2xi64>
  %0 = onnx.Gather %w, %i : (tensor<100x8xf32>, tensor<2xi64>) -> tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @reshape
// CHECK: cf.assert %{{.*}}, "shapes do not fit together"
// CHECK: tensor.reshape
func.func @reshape(%x: tensor<?x3xf32>, %shape: tensor<2xi64>) -> tensor<?x?xf32> {
  %0 = onnx.Reshape %x, %shape : (tensor<?x3xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// CHECK-LABEL: func.func @product
// CHECK: %[[SAME:.*]] = arith.cmpi eq
// CHECK: cf.assert %[[SAME]], "shapes do not fit together"
func.func @product(%x: tensor<2x?xf32>, %y: tensor<?x4xf32>) -> tensor<2x4xf32> {
  %0 = onnx.MatMul %x, %y : (tensor<2x?xf32>, tensor<?x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// Dimensions of one name are equal.
// CHECK-LABEL: func.func @named
// CHECK-NOT: cf.assert
func.func @named(%x: tensor<2x?xf32> {onnx.dims = ["", "k"]}, %y: tensor<?x4xf32> {onnx.dims = ["k", ""]}) -> tensor<2x4xf32> {
  %0 = onnx.MatMul %x, %y : (tensor<2x?xf32>, tensor<?x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
