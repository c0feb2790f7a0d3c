// RUN: bitnet-opt %s --bitnet-own-results --bitnet-bufferize --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func @in_place
// CHECK-SAME: %[[NEW:.*]]: memref<1x1x1x4xf32>, %[[P:.*]]: index, %[[CACHE:.*]]: memref<1x1x8x4xf32> {bitnet.state = 0 : i64}
// CHECK: bitnet.cache_update ins(%[[NEW]], %[[P]] : {{.*}}) outs(%[[CACHE]] : memref<1x1x8x4xf32>)
// CHECK-NOT: memref.copy
func.func @in_place(%new: tensor<1x1x1x4xf32>, %p: index,
    %cache: tensor<1x1x8x4xf32> {bufferization.writable = true, bitnet.state = 0 : i64}) -> f32 {
  %0 = bitnet.cache_update ins(%new, %p : tensor<1x1x1x4xf32>, index)
      outs(%cache : tensor<1x1x8x4xf32>) -> tensor<1x1x8x4xf32>
  %x = tensor.extract %0[%p, %p, %p, %p] : tensor<1x1x8x4xf32>
  return %x : f32
}

// -----

// The old contents are read after the update.
func.func @read_after(%new: tensor<1x1x1x4xf32>, %p: index,
    %cache: tensor<1x1x8x4xf32> {bufferization.writable = true}) -> (f32, f32) {
  // expected-error @+1 {{cache argument 2 of 'read_after' is not updated in place: its update needs a copy of its size}}
  %0 = bitnet.cache_update ins(%new, %p : tensor<1x1x1x4xf32>, index)
      outs(%cache : tensor<1x1x8x4xf32>) -> tensor<1x1x8x4xf32>
  %x = tensor.extract %0[%p, %p, %p, %p] : tensor<1x1x8x4xf32>
  %y = tensor.extract %cache[%p, %p, %p, %p] : tensor<1x1x8x4xf32>
  return %x, %y : f32, f32
}

// -----

// The host's inputs are not written.
// CHECK-LABEL: func @input
// CHECK-SAME: %[[X:.*]]: memref<4xf32>
// CHECK: %[[A:.*]] = memref.alloc()
// CHECK: memref.copy %[[X]], %[[A]]
// CHECK: memref.store %{{.*}}, %[[A]]
// CHECK: return %[[A]]
func.func @input(%x: tensor<4xf32>, %i: index) -> tensor<4xf32> {
  %c = arith.constant 1.0 : f32
  %0 = tensor.insert %c into %x[%i] : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Two sums on one fill: filled twice, never copied.
// CHECK-LABEL: func @fills
// CHECK-COUNT-2: linalg.fill
// CHECK-NOT: memref.copy
func.func @fills(%a: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %c = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x4xf32>
  %f = linalg.fill ins(%c : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %0 = linalg.matmul ins(%a, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = linalg.matmul ins(%0, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
}
