// RUN: bitnet-opt %s -convert-onnx-to-linalg -canonicalize -cse | FileCheck %s

// Dimensions of one name are equal: plain indexing maps.
// CHECK-LABEL: func.func @same_name
// CHECK-NOT: tensor.extract
// CHECK: linalg.generic
// CHECK: arith.addf
// CHECK-NOT: fastmath
func.func @same_name(%x: tensor<?x4xf32> {onnx.dims = ["n", ""]}, %y: tensor<?x4xf32> {onnx.dims = ["n", ""]}) -> tensor<?x4xf32> {
  %0 = onnx.Add %x, %y {onnx.dims = [["n", ""]]} : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// Either may be 1 at run time: read at a clamped position.
// CHECK-LABEL: func.func @unnamed
// CHECK: %[[ONE:.*]] = arith.cmpi eq, %{{.*}}, %c1
// CHECK: arith.select %[[ONE]]
// CHECK: linalg.generic
// CHECK: arith.minsi
// CHECK: tensor.extract
func.func @unnamed(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %0 = onnx.Mul %x, %y : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// Narrow floats are computed in f32 and rounded once.
// CHECK-LABEL: func.func @narrow
// CHECK: arith.extf %{{.*}} : bf16 to f32
// CHECK: math.exp %{{.*}} : f32
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK-NOT: arith.truncf
func.func @narrow(%x: tensor<8xbf16>) -> tensor<8xbf16> {
  %0 = onnx.Sigmoid %x : (tensor<8xbf16>) -> tensor<8xbf16>
  return %0 : tensor<8xbf16>
}

// Unsigned types become signless; the boundary keeps them in an attribute.
// CHECK-LABEL: func.func @unsigned
// CHECK-SAME: tensor<20xi8> {onnx.element_type = ui8}
// CHECK: arith.divui
func.func @unsigned(%x: tensor<20xui8>, %y: tensor<20xui8>) -> tensor<20xui8> {
  %0 = onnx.Div %x, %y : (tensor<20xui8>, tensor<20xui8>) -> tensor<20xui8>
  return %0 : tensor<20xui8>
}
