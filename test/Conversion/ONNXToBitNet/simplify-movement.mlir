// RUN: bitnet-opt %s --bitnet-simplify-movement | FileCheck %s

// Moving a dimension of extent 1 leaves the order of the elements.
// CHECK-LABEL: func.func @unit
// CHECK-NOT: onnx.Transpose
// CHECK: %[[Y:.*]] = onnx.Reshape %arg0, %{{.*}} -> tensor<1x6x1x64xf32>
// CHECK: return %[[Y]]
func.func @unit(%x: tensor<1x1x6x64xf32>) -> tensor<1x6x1x64xf32> {
  %y = onnx.Transpose %x {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x1x6x64xf32>) -> tensor<1x6x1x64xf32>
  return %y : tensor<1x6x1x64xf32>
}

// Others stay.
// CHECK-LABEL: func.func @moves
// CHECK: onnx.Transpose
// CHECK-NOT: onnx.Reshape
func.func @moves(%x: tensor<1x4x6x64xf32>) -> tensor<1x6x4x64xf32> {
  %y = onnx.Transpose %x {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x4x6x64xf32>) -> tensor<1x6x4x64xf32>
  return %y : tensor<1x6x4x64xf32>
}
