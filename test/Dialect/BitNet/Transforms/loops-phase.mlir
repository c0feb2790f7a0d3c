// RUN: bitnet-opt %s --bitnet-phase-loops | FileCheck %s
// RUN: bitnet-opt %s --bitnet-phase-loops | FileCheck %s --check-prefix=ONLY

// From linalg on tensors to func, memref, scf, arith, math and vector only.
// ONLY-NOT: linalg.
// ONLY-NOT: tensor.
// ONLY-NOT: bufferization.
// ONLY-NOT: affine
// ONLY-NOT: bitnet.archive "

// CHECK-LABEL: func @main
// CHECK-SAME: (%[[ARCHIVE:.*]]: memref<?xi8>, %{{.*}}: memref<?xi8>, %[[X:.*]]: memref<?x8xf32>)
// CHECK: memref.view %[[ARCHIVE]]
// CHECK: call @kernel_matmul_dx16x8_0
// CHECK: call @kernel_reduce_dx16_0
// CHECK: memref.dealloc
// CHECK: return
func.func @main(%x: tensor<?x8xf32>) -> (tensor<?x16xf32>, tensor<?x8xf32>) attributes {bitnet.entry} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %w = bitnet.archive "w" at 0 : tensor<8x16xf32>
  %b = bitnet.archive "b" at 512 : tensor<16xf32>
  %m = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%m) : tensor<?x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %mm = linalg.matmul ins(%x, %w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %bb = linalg.broadcast ins(%b : tensor<16xf32>) outs(%e : tensor<?x16xf32>) dimensions = [0]
  %a = linalg.add ins(%mm, %bb : tensor<?x16xf32>, tensor<?x16xf32>) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %s = linalg.softmax dimension(1) ins(%a : tensor<?x16xf32>) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %s, %x : tensor<?x16xf32>, tensor<?x8xf32>
}

// Two buffers of 4 x 16 floats at most live together.
// CHECK-LABEL: func @static
// CHECK-SAME: bitnet.workspace = 512 : i64
// CHECK-NOT: memref.alloc
// CHECK: return
func.func @static(%x: tensor<4x16xf32>, %w: tensor<16x16xf32>) -> tensor<4x16xf32> attributes {bitnet.entry} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x16xf32>, tensor<16x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  %1 = linalg.exp ins(%0 : tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %2 = linalg.matmul ins(%1, %w : tensor<4x16xf32>, tensor<16x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  %3 = linalg.exp ins(%2 : tensor<4x16xf32>) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  %4 = linalg.matmul ins(%3, %w : tensor<4x16xf32>, tensor<16x16xf32>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %4 : tensor<4x16xf32>
}
