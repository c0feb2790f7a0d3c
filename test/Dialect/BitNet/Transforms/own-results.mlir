// RUN: bitnet-opt %s --bitnet-own-results --split-input-file | FileCheck %s

// CHECK-LABEL: func @argument
// CHECK-SAME: %[[X:.*]]: tensor<4xf32> {bufferization.writable = false}
// CHECK: %[[R:.*]] = bufferization.alloc_tensor() copy(%[[X]])
// CHECK: return %[[R]]
func.func @argument(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// A cache stays writable, and is not handed out.
// CHECK-LABEL: func @cache
// CHECK-SAME: {bufferization.writable = true}
// CHECK: %[[F:.*]] = linalg.fill
// CHECK: bufferization.alloc_tensor() copy(%[[F]])
func.func @cache(%x: tensor<4xf32> {bufferization.writable = true}) -> tensor<4xf32> {
  %c = arith.constant 1.0 : f32
  %0 = linalg.fill ins(%c : f32) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func @constant
// CHECK: alloc_tensor() copy
func.func @constant() -> tensor<2xf32> {
  %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  return %c : tensor<2xf32>
}

// -----

// CHECK-LABEL: func @archive
// CHECK: alloc_tensor() copy
func.func @archive() -> tensor<2xf32> {
  %c = bitnet.archive "w" at 64 : tensor<2xf32>
  return %c : tensor<2xf32>
}

// -----

// A part of a buffer, and a dynamic one.
// CHECK-LABEL: func @slice
// CHECK: alloc_tensor() copy(%{{.*}}) : tensor<?xf32>
func.func @slice(%n: index) -> tensor<?xf32> {
  %c = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.fill ins(%c : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %1 = tensor.extract_slice %0[1] [%n] [1] : tensor<4xf32> to tensor<?xf32>
  return %1 : tensor<?xf32>
}

// -----

// Whole buffers of the function need no copy, reshaped or not. They are allocated
// here, so that they do not become parts of other buffers.
// CHECK-LABEL: func @fresh
// CHECK-COUNT-2: bufferization.alloc_tensor() : tensor<2x2xf32>
// CHECK-NOT: copy
// CHECK: return
func.func @fresh(%x: tensor<2x2xf32>) -> (tensor<4xf32>, tensor<2x2xf32>) {
  %c = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<2x2xf32>
  %0 = linalg.fill ins(%c : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = tensor.collapse_shape %0 [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
  %2 = tensor.insert_slice %x into %e[0, 0] [2, 2] [1, 1] : tensor<2x2xf32> into tensor<2x2xf32>
  return %1, %2 : tensor<4xf32>, tensor<2x2xf32>
}
