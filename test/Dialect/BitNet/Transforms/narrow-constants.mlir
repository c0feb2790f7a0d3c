// RUN: bitnet-opt %s --bitnet-narrow-constants=min-elements=4 | FileCheck %s

// 1.5 and -2 are bf16: what reads an element extends it.
// CHECK-LABEL: func.func @exact
// CHECK: %[[W:.*]] = arith.constant dense_resource<{{.*}}> : tensor<4xbf16>
// CHECK: %[[E:.*]] = tensor.extract %[[W]][%arg0] : tensor<4xbf16>
// CHECK: %[[Y:.*]] = arith.extf %[[E]] : bf16 to f32
// CHECK: return %[[Y]]
func.func @exact(%i: index) -> f32 {
  %w = arith.constant dense<[1.5, -2.0, 0.0, 4.0]> : tensor<4xf32>
  %y = tensor.extract %w[%i] : tensor<4xf32>
  return %y : f32
}

// 0.1 is none.
// CHECK-LABEL: func.func @inexact
// CHECK: tensor.extract {{.*}} : tensor<4xf32>
func.func @inexact(%i: index) -> f32 {
  %w = arith.constant dense<[1.5, -2.0, 0.1, 4.0]> : tensor<4xf32>
  %y = tensor.extract %w[%i] : tensor<4xf32>
  return %y : f32
}

// Another use needs the floats; few elements are not worth it.
// CHECK-LABEL: func.func @returned
// CHECK: arith.constant {{.*}} : tensor<4xf32>
// CHECK: tensor.extract {{.*}} : tensor<2xf32>
func.func @returned(%i: index) -> (tensor<4xf32>, f32) {
  %w = arith.constant dense<[1.5, -2.0, 8.0, 4.0]> : tensor<4xf32>
  %v = arith.constant dense<[1.5, -2.0]> : tensor<2xf32>
  %y = tensor.extract %v[%i] : tensor<2xf32>
  return %w, %y : tensor<4xf32>, f32
}
