// RUN: bitnet-opt %s -convert-onnx-to-linalg -canonicalize -cse | FileCheck %s

// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[Y:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>

// A transposed weight is read in place; leading dimensions are rows.
// CHECK-LABEL: func.func @transposed_weight
// CHECK: %[[ROWS:.*]] = tensor.collapse_shape %arg0 {{.*}} into tensor<?x64xf32>
// CHECK: linalg.generic {indexing_maps = [#[[X]], #[[W]], #[[Y]]]
// CHECK-SAME: ins(%[[ROWS]], %arg1
// CHECK: tensor.expand_shape
// CHECK-NOT: linalg.generic
func.func @transposed_weight(%x: tensor<1x?x64xf32>, %w: tensor<32x64xf32>) -> tensor<1x?x32xf32> {
  %t = onnx.Transpose %w {perm = array<i64: 1, 0>} : (tensor<32x64xf32>) -> tensor<64x32xf32>
  %0 = onnx.MatMul %x, %t : (tensor<1x?x64xf32>, tensor<64x32xf32>) -> tensor<1x?x32xf32>
  return %0 : tensor<1x?x32xf32>
}

// f16 is accumulated in f32.
// CHECK-LABEL: func.func @narrow
// CHECK: arith.extf
// CHECK: arith.mulf {{.*}} : f32
// CHECK: arith.addf {{.*}} : f32
// CHECK: arith.truncf
func.func @narrow(%x: tensor<4x8xf16>, %w: tensor<8x2xf16>) -> tensor<4x2xf16> {
  %0 = onnx.MatMul %x, %w : (tensor<4x8xf16>, tensor<8x2xf16>) -> tensor<4x2xf16>
  return %0 : tensor<4x2xf16>
}
