// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s | bitnet-opt | FileCheck %s
// RUN: bitnet-opt %s --mlir-print-op-generic | bitnet-opt | FileCheck %s

// CHECK-LABEL: func.func @elementwise
func.func @elementwise(%x: tensor<?x4xf32>, %s: tensor<f32>, %i: tensor<2xui8>) -> tensor<?x4xi1> {
  // CHECK: %[[NONE:.*]] = onnx.NoValue
  %none = onnx.NoValue
  // CHECK: onnx.Add %{{.*}}, %{{.*}} {onnx.dims = {{\[\[}}"n", ""]]} : (tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xf32>
  %0 = onnx.Add %x, %s {onnx.dims = [["n", ""]]} : (tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xf32>
  // CHECK: onnx.Clip %{{.*}}, %{{.*}}, %[[NONE]] : (tensor<?x4xf32>, tensor<f32>, none) -> tensor<?x4xf32>
  %1 = onnx.Clip %0, %s, %none : (tensor<?x4xf32>, tensor<f32>, none) -> tensor<?x4xf32>
  // CHECK: onnx.Elu %{{.*}} {alpha = 5.000000e-01 : f32}
  %2 = onnx.Elu %1 {alpha = 0.5 : f32} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  // CHECK: onnx.Max %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x4xf32>, tensor<f32>, tensor<?x4xf32>)
  %3 = onnx.Max %2, %s, %0 : (tensor<?x4xf32>, tensor<f32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  // CHECK: onnx.BitShift %{{.*}}, %{{.*}} {direction = "RIGHT"}
  %4 = onnx.BitShift %i, %i {direction = "RIGHT"} : (tensor<2xui8>, tensor<2xui8>) -> tensor<2xui8>
  // CHECK: onnx.LessOrEqual
  %5 = onnx.LessOrEqual %3, %s : (tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xi1>
  return %5 : tensor<?x4xi1>
}

// CHECK-LABEL: func.func @constants
func.func @constants() {
  // CHECK: onnx.Constant dense<[-8, 7]> : tensor<2xi4>
  %0 = onnx.Constant dense<[-8, 7]> : tensor<2xi4>
  // CHECK: onnx.Constant dense<{{.*}}> : tensor<2xbf16>
  %1 = onnx.Constant dense<[1.0, -2.0]> : tensor<2xbf16>
  // CHECK: onnx.Constant dense_resource<w> : tensor<2xf32>
  %2 = onnx.Constant dense_resource<w> : tensor<2xf32>
  return
}

// CHECK-LABEL: func.func @split
func.func @split(%x: tensor<6xf32>) -> tensor<2xf32> {
  %lengths = onnx.Constant dense<[4, 2]> : tensor<2xi64>
  // CHECK: onnx.Split %{{.*}}, %{{.*}} : (tensor<6xf32>, tensor<2xi64>) -> (tensor<4xf32>, tensor<2xf32>)
  %0:2 = onnx.Split %x, %lengths : (tensor<6xf32>, tensor<2xi64>) -> (tensor<4xf32>, tensor<2xf32>)
  return %0#1 : tensor<2xf32>
}

// CHECK-LABEL: func.func @norm
func.func @norm(%x: tensor<?x8xf32>, %w: tensor<8xf32>) -> tensor<?x8xf32> {
  %none = onnx.NoValue
  // CHECK: onnx.LayerNormalization {{.*}} -> (tensor<?x8xf32>, none, none)
  %0:3 = onnx.LayerNormalization %x, %w, %none {epsilon = 1.0e-6 : f32} : (tensor<?x8xf32>, tensor<8xf32>, none) -> (tensor<?x8xf32>, none, none)
  return %0#0 : tensor<?x8xf32>
}

// CHECK-LABEL: @windows
func.func @windows(%x: tensor<1x4x5xf32>, %w: tensor<4x2x3xf32>, %s: tensor<3xf32>) -> (tensor<1x2x7xf32>, tensor<1x4x10xf32>) {
  %none = onnx.NoValue
  // CHECK: onnx.ConvTranspose {{.*}} -> tensor<1x2x7xf32>
  %0 = onnx.ConvTranspose %x, %w, %none : (tensor<1x4x5xf32>, tensor<4x2x3xf32>, none) -> tensor<1x2x7xf32>
  // CHECK: onnx.Resize {{.*}} {mode = "linear"}
  %1 = onnx.Resize %x, %none, %s, %none {mode = "linear"} : (tensor<1x4x5xf32>, none, tensor<3xf32>, none) -> tensor<1x4x10xf32>
  return %0, %1 : tensor<1x2x7xf32>, tensor<1x4x10xf32>
}

{-#
  dialect_resources: {
    builtin: { w: "0x040000000000803F00000040" }
  }
#-}
