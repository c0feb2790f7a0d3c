// RUN: bitnet-opt %s --convert-contraction-to-vector | FileCheck %s

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Weights [N, K] in bf16: dot products along K.
// CHECK-LABEL: func.func @transposed
// CHECK: scf.parallel
// CHECK: vector.load {{.*}} : memref<4096x384xbf16>, vector<4xbf16>
// CHECK: arith.extf
// The lanes are summed by halves, whatever surrounds them.
// CHECK: vector.extract_strided_slice {{.*}} {offsets = [2], sizes = [2], strides = [1]} : vector<4xf32> to vector<2xf32>
// CHECK-NOT: linalg.generic
func.func @transposed(%x: memref<1x384xf32>, %w: memref<4096x384xbf16>, %y: memref<1x4096xf32>) {
  linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<1x384xf32>, memref<4096x384xbf16>) outs(%y : memref<1x4096xf32>) {
  ^bb0(%a: f32, %b: bf16, %c: f32):
    %wide = arith.extf %b : bf16 to f32
    %product = arith.mulf %a, %wide : f32
    %sum = arith.addf %c, %product : f32
    linalg.yield %sum : f32
  }
  return
}

// Weights [K, N]: rows of outputs.
// CHECK-LABEL: func.func @plain
// CHECK: vector.load {{.*}} : memref<?x40xf32>, vector<4xf32>
// CHECK-NOT: vector.reduction
// CHECK: vector.store
func.func @plain(%x: memref<5x?xf32>, %w: memref<?x40xf32>, %y: memref<5x40xf32>) {
  linalg.matmul ins(%x, %w : memref<5x?xf32>, memref<?x40xf32>) outs(%y : memref<5x40xf32>)
  return
}

// Not a sum of products: left alone.
// CHECK-LABEL: func.func @other
// CHECK: linalg.generic
func.func @other(%x: memref<5x8xf32>, %w: memref<40x8xf32>, %y: memref<5x40xf32>) {
  linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<5x8xf32>, memref<40x8xf32>) outs(%y : memref<5x40xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %difference = arith.subf %a, %b : f32
    %sum = arith.addf %c, %difference : f32
    linalg.yield %sum : f32
  }
  return
}
