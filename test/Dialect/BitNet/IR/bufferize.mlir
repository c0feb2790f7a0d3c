// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" --canonicalize | FileCheck %s

// A cache is updated in place; nothing is copied.
// CHECK-LABEL: func @step
// CHECK-SAME: %[[CACHE:.*]]: memref<1x2x16x8xf32>, %[[Q:.*]]: memref<1x2x1x8xf32>,
func.func @step(%cache: tensor<1x2x16x8xf32> {bufferization.writable = true},
                %q: tensor<1x2x1x8xf32> {bufferization.writable = false}, %p: index) -> tensor<1x2x1x8xf32> {
  // CHECK-NOT: memref.copy
  // CHECK: bitnet.cache_update ins(%[[Q]], %{{.*}} : memref<1x2x1x8xf32>, index) outs(%[[CACHE]] : memref<1x2x16x8xf32>)
  %0 = bitnet.cache_update ins(%q, %p : tensor<1x2x1x8xf32>, index) outs(%cache : tensor<1x2x16x8xf32>) -> tensor<1x2x16x8xf32>
  // CHECK: %[[OUT:.*]] = memref.alloc() {{.*}}: memref<1x2x1x8xf32>
  %empty = tensor.empty() : tensor<1x2x1x8xf32>
  // CHECK: bitnet.attention ins(%[[Q]], %[[CACHE]], %[[CACHE]] : {{.*}}) position(%{{.*}}) outs(%[[OUT]] : memref<1x2x1x8xf32>) {causal, scale = 1.000000e+00 : f32}
  %1 = bitnet.attention ins(%q, %0, %0 : tensor<1x2x1x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x8xf32>)
      position(%p) outs(%empty : tensor<1x2x1x8xf32>) {scale = 1.0 : f32, causal} -> tensor<1x2x1x8xf32>
  // CHECK-NOT: memref.copy
  return %1 : tensor<1x2x1x8xf32>
}

// Results are tied to their own init, and the archive is never written.
// CHECK-LABEL: func @layer
func.func @layer(%x: tensor<4x6xf32> {bufferization.writable = false}) -> tensor<4x2xf32> {
  // CHECK: %[[W:.*]] = bitnet.archive "w" at 64 : memref<32xi8>
  %w = bitnet.archive "w" at 64 : tensor<32xi8>
  %s = bitnet.archive "s" at 128 : tensor<1xf32>
  %0 = tensor.empty() : tensor<4x16xi8>
  %1 = tensor.empty() : tensor<4xf32>
  %2 = tensor.empty() : tensor<4xi32>
  // CHECK: bitnet.quantize ins(%{{.*}} : memref<4x6xf32>) outs(%[[V:.*]], %[[T:.*]], %[[U:.*]] : memref<4x16xi8>, memref<4xf32>, memref<4xi32>)
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x16xi8>, tensor<4xf32>, tensor<4xi32>)
      {bound = 127.0 : f32, epsilon = 1.0e-5 : f32, qmin = -128 : i64, qmax = 127 : i64}
      -> tensor<4x16xi8>, tensor<4xf32>, tensor<4xi32>
  %3 = tensor.empty() : tensor<4x2xf32>
  // CHECK: bitnet.linear ins(%[[V]], %[[W]], %{{.*}} : {{.*}}) quantized(%[[T]], %[[U]] : memref<4xf32>, memref<4xi32>) outs(%{{.*}} : memref<4x2xf32>)
  %4 = bitnet.linear ins(%q#0, %w, %s : tensor<4x16xi8>, tensor<32xi8>, tensor<1xf32>)
      quantized(%q#1, %q#2 : tensor<4xf32>, tensor<4xi32>) outs(%3 : tensor<4x2xf32>)
      {packing = #bitnet.packing<planes2, rows = 8>, rows = 2 : i64, columns = 6 : i64} -> tensor<4x2xf32>
  return %4 : tensor<4x2xf32>
}
