// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-fuse-operands | FileCheck %s

// Either layer could have the product; the first does, and comes after the other.
// CHECK-LABEL: func @gate
// CHECK: %[[UP:.*]] = bitnet.linear
// CHECK: %[[Y:.*]] = bitnet.linear {{.*}} times(%[[UP]] : tensor<4x2xf32>) outs({{.*}}) {activation = #bitnet.activation<relu_squared>}
// CHECK-NOT: linalg
// CHECK: return %[[Y]]
func.func @gate(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>) -> tensor<4x2xf32> {
  %0 = tensor.empty() : tensor<4x2xf32>
  %y = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x2xf32>)
      {activation = #bitnet.activation<relu_squared>} -> tensor<4x2xf32>
  %up = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %z = linalg.mul ins(%y, %up : tensor<4x2xf32>, tensor<4x2xf32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %z : tensor<4x2xf32>
}

// Rows of several dimensions; a product, then a sum.
// CHECK-LABEL: func @residual
// CHECK-SAME: %[[R:[a-z0-9]*]]: tensor<2x2x2xf32>, %[[F:[a-z0-9]*]]: tensor<2x2x2xf32>
// CHECK-DAG: %[[ROWS:.*]] = tensor.collapse_shape %[[R]] {{\[\[0, 1\], \[2\]\]}}
// CHECK-DAG: %[[FACTORS:.*]] = tensor.collapse_shape %[[F]] {{\[\[0, 1\], \[2\]\]}}
// CHECK: %[[Y:.*]] = bitnet.linear {{.*}} times(%[[FACTORS]] : tensor<4x2xf32>) plus(%[[ROWS]] : tensor<4x2xf32>)
// CHECK: %[[Z:.*]] = tensor.expand_shape %[[Y]]
// CHECK-NOT: linalg
// CHECK: return %[[Z]]
func.func @residual(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>, %r: tensor<2x2x2xf32>, %f: tensor<2x2x2xf32>) -> tensor<2x2x2xf32> {
  %0 = tensor.empty() : tensor<4x2xf32>
  %1 = tensor.empty() : tensor<2x2x2xf32>
  %y = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %e = tensor.expand_shape %y [[0, 1], [2]] output_shape [2, 2, 2] : tensor<4x2xf32> into tensor<2x2x2xf32>
  %p = linalg.mul ins(%e, %f : tensor<2x2x2xf32>, tensor<2x2x2xf32>) outs(%1 : tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  %z = linalg.add ins(%r, %p : tensor<2x2x2xf32>, tensor<2x2x2xf32>) outs(%1 : tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  return %z : tensor<2x2x2xf32>
}

// A sum comes last: there is no product after it, nor a second one.
// CHECK-LABEL: func @order
// CHECK: bitnet.linear {{.*}} plus(%{{.*}} : tensor<4x2xf32>) outs
// CHECK-NOT: times
// CHECK: linalg.mul
// CHECK: linalg.add
func.func @order(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>, %r: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %0 = tensor.empty() : tensor<4x2xf32>
  %y = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %a = linalg.add ins(%y, %r : tensor<4x2xf32>, tensor<4x2xf32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %m = linalg.mul ins(%a, %r : tensor<4x2xf32>, tensor<4x2xf32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %z = linalg.add ins(%m, %r : tensor<4x2xf32>, tensor<4x2xf32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %z : tensor<4x2xf32>
}

// The result has another user; it is multiplied by itself; the other operand is a
// vector; the result is subtracted.
// CHECK-LABEL: func @left
// CHECK-NOT: times
// CHECK-NOT: plus
// CHECK: return
func.func @left(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>, %r: tensor<4x2xf32>, %v: tensor<2xf32>) -> (tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>) {
  %0 = tensor.empty() : tensor<4x2xf32>
  %a = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %1 = linalg.mul ins(%a, %r : tensor<4x2xf32>, tensor<4x2xf32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %b = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x2xf32>) {activation = #bitnet.activation<relu>} -> tensor<4x2xf32>
  %2 = linalg.mul ins(%b, %b : tensor<4x2xf32>, tensor<4x2xf32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %c = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%c, %v : tensor<4x2xf32>, tensor<2xf32>) outs(%0 : tensor<4x2xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    linalg.yield %p : f32
  } -> tensor<4x2xf32>
  %d = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %4 = linalg.sub ins(%d, %r : tensor<4x2xf32>, tensor<4x2xf32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %a, %1, %2, %3, %4 : tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>
}

// Outputs over two dimensions; a type that is known better; a loop around the product.
// CHECK-LABEL: func @kept
// CHECK-NOT: times
// CHECK-NOT: plus
// CHECK: return
func.func @kept(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>, %r: tensor<4x1x2xf32>, %v: tensor<?x6xi8>, %a: tensor<?xf32>, %b: tensor<?xi32>, %1: tensor<?x2xf32>, %p: tensor<4x2xf32>, %n: index)
    -> (tensor<4x1x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = tensor.empty() : tensor<4x2xf32>
  %2 = tensor.empty() : tensor<4x1x2xf32>
  %x = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %e = tensor.expand_shape %x [[0], [1, 2]] output_shape [4, 1, 2] : tensor<4x2xf32> into tensor<4x1x2xf32>
  %3 = linalg.add ins(%e, %r : tensor<4x1x2xf32>, tensor<4x1x2xf32>) outs(%2 : tensor<4x1x2xf32>) -> tensor<4x1x2xf32>
  %y = bitnet.linear ins(%v, %w, %s : tensor<?x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%a, %b : tensor<?xf32>, tensor<?xi32>) outs(%1 : tensor<?x2xf32>) -> tensor<?x2xf32>
  %4 = linalg.add ins(%y, %p : tensor<?x2xf32>, tensor<4x2xf32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %z = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>)
      quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %5 = scf.for %i = %c0 to %n step %c1 iter_args(%so = %p) -> tensor<4x2xf32> {
    %6 = linalg.mul ins(%z, %so : tensor<4x2xf32>, tensor<4x2xf32>) outs(%0 : tensor<4x2xf32>) -> tensor<4x2xf32>
    scf.yield %6 : tensor<4x2xf32>
  }
  return %3, %4, %5 : tensor<4x1x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>
}
