// RUN: bitnet-opt %s -convert-onnx-to-linalg -canonicalize | FileCheck %s

// No index reads outside, whatever the input holds.
// CHECK-LABEL: func.func @embedding
// CHECK: linalg.generic
// CHECK: arith.select
// CHECK: arith.minsi
// CHECK: %[[ROW:.*]] = arith.maxsi
// CHECK: tensor.extract %arg0[%[[ROW]], %{{.*}}]
func.func @embedding(%w: tensor<100x8xf32>, %i: tensor<1x?xi64>) -> tensor<1x?x8xf32> {
  %0 = onnx.Gather %w, %i : (tensor<100x8xf32>, tensor<1x?xi64>) -> tensor<1x?x8xf32>
  return %0 : tensor<1x?x8xf32>
}
