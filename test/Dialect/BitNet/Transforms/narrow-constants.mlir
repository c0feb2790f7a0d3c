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

// A constant that is stored in 16 bits is read as it is.
// CHECK-LABEL: func.func @stored
// CHECK-NOT: linalg.generic
// CHECK: %[[E:.*]] = tensor.extract %{{.*}} : tensor<4xf16>
// CHECK: arith.extf %[[E]] : f16 to f32
#id = affine_map<(d0) -> (d0)>
func.func @stored(%i: index) -> f32 {
  %w = arith.constant dense<[1.5, -2.0, 0.1, 4.0]> : tensor<4xf16>
  %0 = tensor.empty() : tensor<4xf32>
  %x = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%w : tensor<4xf16>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f16, %out: f32):
    %e = arith.extf %in : f16 to f32
    linalg.yield %e : f32
  } -> tensor<4xf32>
  %y = tensor.extract %x[%i] : tensor<4xf32>
  return %y : f32
}
