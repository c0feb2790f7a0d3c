// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-fuse-epilogues --canonicalize | FileCheck %s

// What follows the linear layer directly is erased while layers are visited.
// CHECK-LABEL: func @scale_bias_activation
// CHECK-DAG: %[[SCALE:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK-DAG: %[[BIAS:.*]] = arith.constant dense<[3.000000e+00, 4.000000e+00]> : tensor<2xf32>
// CHECK: %[[Y:.*]] = bitnet.linear ins(%{{.*}}, %{{.*}}, %[[SCALE]] : {{.*}}) bias(%[[BIAS]] : {{.*}}activation<relu_squared>
// CHECK-NEXT: return %[[Y]]
func.func @scale_bias_activation(%x: tensor<?x32xf32>, %out: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %w = bitnet.constant dense_resource<ones> : tensor<2x32x!bitnet.ternary>
  %one = arith.constant dense<0.5> : tensor<1xf32>
  %scale = onnx.Constant dense<[2.0, 4.0]> : tensor<2xf32>
  %bias = onnx.Constant dense<[3.0, 4.0]> : tensor<2xf32>
  %0 = bitnet.linear ins(%x, %w, %one : tensor<?x32xf32>, tensor<2x32x!bitnet.ternary>, tensor<1xf32>) outs(%out : tensor<?x2xf32>) -> tensor<?x2xf32>
  %1 = onnx.Mul %0, %scale : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  %2 = onnx.Add %1, %bias : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  %3 = onnx.Relu %2 : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %4 = onnx.Mul %3, %3 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  return %4 : tensor<?x2xf32>
}

{-# dialect_resources: { builtin: { ones: "0x40000000AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" } } #-}

{-#
  dialect_resources: {
    builtin: { w: "0x4000000055555555555555555555555555555555" }
  }
#-}
