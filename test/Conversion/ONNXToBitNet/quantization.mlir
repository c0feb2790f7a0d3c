// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --bitnet-recognize-low-bit-weights --bitnet-recognize-quantization --bitnet-fuse-epilogues --canonicalize | FileCheck %s

// CHECK-LABEL: func @reciprocal(
// CHECK-DAG: arith.constant dense<2.500000e-01> : tensor<1xf32>
// CHECK: %[[Q:.*]]:3 = bitnet.quantize ins(%{{.*}} : tensor<4x32xf32>)
// CHECK-SAME: bound = 1.270000e+02 : f32, epsilon = 9.99999974E-6 : f32, qmax = 127 : i64, qmin = -128 : i64}
// CHECK: bitnet.linear ins(%[[Q]]#0, {{.*}}) quantized(%[[Q]]#1, %[[Q]]#2 : tensor<4xf32>, tensor<4xi32>)
// CHECK-NOT: onnx.{{Mul|Div|MatMul|Add}}
func.func @reciprocal(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %i = onnx.Reciprocal %a : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %s = onnx.Mul %i, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %t = onnx.Mul %x, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %d = onnx.Div %q, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %y = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @divide(
// CHECK-DAG: arith.constant dense<2.500000e-01> : tensor<1xf32>
// CHECK: %[[Q:.*]]:3 = bitnet.quantize ins(%{{.*}} : tensor<4x32xf32>)
// CHECK-SAME: scaling = #bitnet.scaling<divide_multiply>
// CHECK: bitnet.linear ins(%[[Q]]#0, {{.*}}) quantized(%[[Q]]#1, %[[Q]]#2 : tensor<4xf32>, tensor<4xi32>)
// CHECK-NOT: onnx.{{Mul|Div|MatMul|Add}}
func.func @divide(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %s = onnx.Div %qb, %a : (tensor<f32>, tensor<4x1xf32>) -> tensor<4x1xf32>
  %t = onnx.Mul %s, %x : (tensor<4x1xf32>, tensor<4x32xf32>) -> tensor<4x32xf32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %d = onnx.Div %q, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %y = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @step(
// CHECK-DAG: arith.constant dense<2.500000e-01> : tensor<1xf32>
// CHECK: %[[Q:.*]]:3 = bitnet.quantize ins(%{{.*}} : tensor<4x32xf32>)
// CHECK-SAME: scaling = #bitnet.scaling<divide_step>
// CHECK: bitnet.linear ins(%[[Q]]#0, {{.*}}) quantized(%[[Q]]#1, %[[Q]]#2 : tensor<4xf32>, tensor<4xi32>)
// CHECK-NOT: onnx.{{Mul|Div|MatMul|Add}}
func.func @step(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %s = onnx.Div %a, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %t = onnx.Div %x, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %d = onnx.Mul %q, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %y = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @reciprocal_of_step(
// CHECK-DAG: arith.constant dense<2.500000e-01> : tensor<1xf32>
// CHECK: %[[Q:.*]]:3 = bitnet.quantize ins(%{{.*}} : tensor<4x32xf32>)
// CHECK-SAME: scaling = #bitnet.scaling<reciprocal_step>
// CHECK: bitnet.linear ins(%[[Q]]#0, {{.*}}) quantized(%[[Q]]#1, %[[Q]]#2 : tensor<4xf32>, tensor<4xi32>)
// CHECK-NOT: onnx.{{Mul|Div|MatMul|Add}}
func.func @reciprocal_of_step(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %p = onnx.Div %a, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %s = onnx.Reciprocal %p : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %t = onnx.Mul %x, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %d = onnx.Div %q, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %y = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @normalised_scaled_after(
// CHECK-DAG: arith.constant dense<2.500000e-01> : tensor<1xf32>
// CHECK: %[[Q:.*]]:3 = bitnet.quantize ins(%{{.*}} : tensor<4x32xf32>)
// CHECK-SAME: scaling = #bitnet.scaling<normalize_multiply>
// CHECK: bitnet.linear ins(%[[Q]]#0, {{.*}}) quantized(%[[Q]]#1, %[[Q]]#2 : tensor<4xf32>, tensor<4xi32>)
// CHECK-NOT: onnx.{{Mul|Div|MatMul|Add}}
func.func @normalised_scaled_after(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %n = onnx.Div %x, %a : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %t = onnx.Mul %n, %qb : (tensor<4x32xf32>, tensor<f32>) -> tensor<4x32xf32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %m = onnx.MatMul %q, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  %b = onnx.Div %a, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %y = onnx.Mul %m, %b : (tensor<4x4xf32>, tensor<4x1xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @max_clip_first_int8(
// CHECK-DAG: arith.constant dense<2.500000e-01> : tensor<1xf32>
// CHECK: %[[Q:.*]]:3 = bitnet.quantize ins(%{{.*}} : tensor<4x32xf32>)
// CHECK-SAME: qmax = 127 : i64, qmin = -128 : i64
// CHECK: bitnet.linear ins(%[[Q]]#0, {{.*}}) quantized(%[[Q]]#1, %[[Q]]#2 : tensor<4xf32>, tensor<4xi32>)
// CHECK-NOT: onnx.{{Mul|Div|MatMul|Add}}
func.func @max_clip_first_int8(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Max %eps, %max : (tensor<f32>, tensor<4x1xf32>) -> tensor<4x1xf32>
  %i = onnx.Reciprocal %a : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %s = onnx.Mul %i, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %t = onnx.Mul %x, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %c = onnx.Clip %t, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %r = onnx.Round %c : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %byte = onnx.Cast %r {to = 3 : i64} : (tensor<4x32xf32>) -> tensor<4x32xi8>
  %q = onnx.Cast %byte {to = 1 : i64} : (tensor<4x32xi8>) -> tensor<4x32xf32>
  %d = onnx.Div %q, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %y = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @straight_through(
// CHECK-DAG: arith.constant dense<2.500000e-01> : tensor<1xf32>
// CHECK: %[[Q:.*]]:3 = bitnet.quantize ins(%{{.*}} : tensor<4x32xf32>)
// CHECK: bitnet.linear ins(%[[Q]]#0, {{.*}}) quantized(%[[Q]]#1, %[[Q]]#2 : tensor<4xf32>, tensor<4xi32>)
// CHECK-NOT: onnx.{{Mul|Div|MatMul|Add}}
func.func @straight_through(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %i = onnx.Reciprocal %a : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %s = onnx.Mul %i, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %t = onnx.Mul %x, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %e = onnx.Div %q, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %f = onnx.Sub %e, %x : (tensor<4x32xf32>, tensor<4x32xf32>) -> tensor<4x32xf32>
  %d = onnx.Add %x, %f : (tensor<4x32xf32>, tensor<4x32xf32>) -> tensor<4x32xf32>
  %y = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @b1(
// CHECK-DAG: arith.constant dense<5.000000e-01> : tensor<1xf32>
// CHECK: %[[Q:.*]]:3 = bitnet.quantize ins(%{{.*}} : tensor<4x32xf32>)
// CHECK-SAME: granularity = #bitnet.granularity<tensor>, qmax = 128 : i64, qmin = -128 : i64, scaling = #bitnet.scaling<multiply_divide>} -> tensor<4x32xi16>, tensor<1xf32>, tensor<4xi32>
// CHECK: bitnet.linear ins(%[[Q]]#0, {{.*}}) quantized(%[[Q]]#1, %[[Q]]#2 : tensor<1xf32>, tensor<4xi32>)
// CHECK-NOT: onnx.{{Mul|Div|MatMul|Add}}
func.func @b1(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %a = onnx.ReduceMax %abs, %none {keepdims = 0 : i64} : (tensor<4x32xf32>, none) -> tensor<f32>
  %b = onnx.Constant dense<128.0> : tensor<f32>
  %low = onnx.Constant dense<-127.999992> : tensor<f32>
  %high = onnx.Constant dense<127.999992> : tensor<f32>
  %beta = onnx.Constant dense<2.0> : tensor<f32>
  %m = onnx.Mul %x, %b : (tensor<4x32xf32>, tensor<f32>) -> tensor<4x32xf32>
  %t = onnx.Div %m, %a : (tensor<4x32xf32>, tensor<f32>) -> tensor<4x32xf32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %low, %high : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %p = onnx.MatMul %q, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  %g = onnx.Mul %beta, %a : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %h = onnx.Div %g, %b : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %y = onnx.Mul %p, %h : (tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @raw_integers(
// CHECK-DAG: %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<1xf32>
// CHECK: bitnet.quantize
// CHECK: bitnet.linear {{.*}} quantized(%[[ONE]], %{{.*}} : tensor<1xf32>, tensor<4xi32>)
func.func @raw_integers(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %i = onnx.Reciprocal %a : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %s = onnx.Mul %i, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %t = onnx.Mul %x, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %y = onnx.MatMul %q, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @shared(
// CHECK-COUNT-1: bitnet.quantize
// CHECK-NOT: bitnet.quantize
// CHECK-COUNT-2: bitnet.linear
func.func @shared(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %i = onnx.Reciprocal %a : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %s = onnx.Mul %i, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %t = onnx.Mul %x, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %d = onnx.Div %q, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %y1 = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  %y2 = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  %y = onnx.Add %y1, %y2 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// The graph's own ops make the integers, and scale the result.
// CHECK-LABEL: func @absmax_of_another(
// CHECK-NOT: bitnet.quantize
// CHECK: %[[Y:.*]] = bitnet.linear ins(%{{.*}} : tensor<4x32xi8>{{.*}} quantized
// CHECK: onnx.Div %[[Y]]
func.func @absmax_of_another(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %i = onnx.Reciprocal %a : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %s = onnx.Mul %i, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %t = onnx.Mul %x, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %z = onnx.Neg %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %t2 = onnx.Mul %z, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %r = onnx.Round %t2 : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %d = onnx.Div %q, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %y = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @half_limits(
// CHECK-NOT: bitnet.quantize
// CHECK: onnx.Clip
func.func @half_limits(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %i = onnx.Reciprocal %a : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %s = onnx.Mul %i, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %t = onnx.Mul %x, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %l2 = onnx.Constant dense<-127.5> : tensor<f32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %l2, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %d = onnx.Div %q, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %y = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @bias_scale_and_squared_relu(
// CHECK-DAG: arith.constant dense<1.250000e-01> : tensor<1xf32>
// CHECK-DAG: arith.constant dense<[5.000000e-01, 1.000000e+00, 1.500000e+00, 2.000000e+00]> : tensor<4xf32>
// CHECK: bitnet.linear {{.*}} bias({{.*}}activation = #bitnet.activation<relu_squared>
// CHECK-NOT: onnx.
// CHECK: return
func.func @bias_scale_and_squared_relu(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %abs = onnx.Abs %x : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %max = onnx.ReduceMax %abs, %last : (tensor<4x32xf32>, tensor<1xi64>) -> tensor<4x1xf32>
  %a = onnx.Clip %max, %eps, %none : (tensor<4x1xf32>, tensor<f32>, none) -> tensor<4x1xf32>
  %i = onnx.Reciprocal %a : (tensor<4x1xf32>) -> tensor<4x1xf32>
  %s = onnx.Mul %i, %qb : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
  %t = onnx.Mul %x, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %r = onnx.Round %t : (tensor<4x32xf32>) -> tensor<4x32xf32>
  %q = onnx.Clip %r, %lo, %qb : (tensor<4x32xf32>, tensor<f32>, tensor<f32>) -> tensor<4x32xf32>
  %d = onnx.Div %q, %s : (tensor<4x32xf32>, tensor<4x1xf32>) -> tensor<4x32xf32>
  %m = onnx.MatMul %d, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  %bias = onnx.Constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %ws = onnx.Constant dense<0.5> : tensor<1xf32>
  %two = onnx.Constant dense<2.0> : tensor<f32>
  %mb = onnx.Add %m, %bias : (tensor<4x4xf32>, tensor<4xf32>) -> tensor<4x4xf32>
  %ms = onnx.Mul %mb, %ws : (tensor<4x4xf32>, tensor<1xf32>) -> tensor<4x4xf32>
  %relu = onnx.Relu %ms : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %y = onnx.Pow %relu, %two : (tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func @unlike_epilogues(
// CHECK: bitnet.linear
// CHECK-NOT: activation
// CHECK: onnx.Add
// CHECK: onnx.Relu
func.func @unlike_epilogues(%x: tensor<4x32xf32>) -> tensor<4x4xf32> {
  %none = onnx.NoValue {value}
  %last = onnx.Constant dense<-1> : tensor<1xi64>
  %eps = onnx.Constant dense<1.0e-5> : tensor<f32>
  %one = onnx.Constant dense<1.0> : tensor<f32>
  %qb = onnx.Constant dense<127.0> : tensor<f32>
  %lo = onnx.Constant dense<-128.0> : tensor<f32>
  %w = onnx.Constant dense<[[-0.25, -0.25, -0.25, 0.0], [-0.25, 0.25, 0.25, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, 0.25, 0.25, -0.25], [0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.25, 0.0, -0.25, -0.25], [0.0, 0.0, 0.0, 0.0], [0.0, 0.25, -0.25, 0.25], [-0.25, -0.25, -0.25, -0.25], [-0.25, 0.0, -0.25, -0.25], [0.25, 0.25, 0.0, 0.25], [0.25, 0.25, -0.25, 0.0], [0.0, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0], [-0.25, 0.0, 0.25, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.0, 0.0, 0.25], [0.25, 0.0, 0.25, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, 0.0, 0.0], [0.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.0, 0.0], [0.25, -0.25, 0.0, 0.25], [0.0, 0.25, 0.25, -0.25], [0.0, 0.25, -0.25, -0.25], [0.25, -0.25, -0.25, 0.25], [0.25, -0.25, 0.0, 0.25], [-0.25, 0.25, -0.25, 0.25]]> : tensor<32x4xf32>
  %m = onnx.MatMul %x, %w : (tensor<4x32xf32>, tensor<32x4xf32>) -> tensor<4x4xf32>
  %n = onnx.Add %m, %m : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %k = onnx.Neg %m : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %y = onnx.Relu %n : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

