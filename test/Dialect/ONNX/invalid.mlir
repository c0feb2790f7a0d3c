// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s -split-input-file -verify-diagnostics

func.func @broadcast(%a: tensor<2xf32>, %b: tensor<3xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{operands don't have broadcast-compatible shapes}}
  %0 = onnx.Add %a, %b : (tensor<2xf32>, tensor<3xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @elements(%a: tensor<2xf32>, %b: tensor<2xi64>) -> tensor<2xf32> {
  // expected-error @+1 {{requires the same element type}}
  %0 = onnx.Mul %a, %b : (tensor<2xf32>, tensor<2xi64>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @matmul(%a: tensor<2x3xf32>, %b: tensor<4x2xf32>) -> tensor<2x2xf32> {
  // expected-error @+1 {{cannot multiply 'tensor<2x3xf32>' by 'tensor<4x2xf32>'}}
  %0 = onnx.MatMul %a, %b : (tensor<2x3xf32>, tensor<4x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// -----

func.func @gemm(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>, %c: tensor<5xf32>) -> tensor<2x4xf32> {
  // expected-error @+1 {{cannot add 'tensor<5xf32>' to a matrix of 2 x 4}}
  %0 = onnx.Gemm %a, %b, %c : (tensor<2x3xf32>, tensor<3x4xf32>, tensor<5xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

func.func @transpose(%a: tensor<2x3xf32>) -> tensor<3x2xf32> {
  // expected-error @+1 {{perm is no permutation of the input's 2 dimensions}}
  %0 = onnx.Transpose %a {perm = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

func.func @axis(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // expected-error @+1 {{axis 2 is out of range for rank 2}}
  %0 = onnx.Softmax %a {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// -----

func.func @reduce(%a: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %axes = onnx.Constant dense<3> : tensor<1xi64>
  // expected-error @+1 {{axis 3 is out of range for rank 2}}
  %0 = onnx.ReduceSum %a, %axes : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// -----

func.func @concat(%a: tensor<2x3xf32>, %b: tensor<3x3xf32>) -> tensor<2x6xf32> {
  // expected-error @+1 {{cannot join}}
  %0 = onnx.Concat %a, %b {axis = 1 : i64} : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<2x6xf32>
  return %0 : tensor<2x6xf32>
}

// -----

func.func @reshape(%a: tensor<2x3xf32>, %shape: tensor<1xi64>) -> tensor<5xf32> {
  // expected-error @+1 {{cannot make 'tensor<5xf32>' of 'tensor<2x3xf32>'}}
  %0 = onnx.Reshape %a, %shape : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<5xf32>
  return %0 : tensor<5xf32>
}

// -----

func.func @squeeze(%a: tensor<2x3xf32>) -> tensor<3xf32> {
  %axes = onnx.Constant dense<0> : tensor<1xi64>
  // expected-error @+1 {{dimension 0 is not of extent 1}}
  %0 = onnx.Squeeze %a, %axes : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

func.func @gather(%a: tensor<2x3xf32>, %i: tensor<4xi64>) -> tensor<4x2xf32> {
  // expected-error @+1 {{result is 'tensor<4x2xf32>', expected 'tensor<4x3xf32>'}}
  %0 = onnx.Gather %a, %i : (tensor<2x3xf32>, tensor<4xi64>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// -----

func.func @clip(%a: tensor<2xf32>, %low: tensor<2xf32>) -> tensor<2xf32> {
  %none = onnx.NoValue
  // expected-error @+1 {{expects bounds to be scalars of the input's element type}}
  %0 = onnx.Clip %a, %low, %none : (tensor<2xf32>, tensor<2xf32>, none) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @attribute(%a: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{attribute 'alpha' failed to satisfy constraint: 32-bit float attribute}}
  %0 = onnx.Elu %a {alpha = 1 : i64} : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @transposed_convolution(%x: tensor<1x4x5xf32>, %w: tensor<3x2x3xf32>) -> tensor<1x2x7xf32> {
  %none = onnx.NoValue
  // expected-error @+1 {{cannot convolve 'tensor<1x4x5xf32>' with 'tensor<3x2x3xf32>'}}
  %0 = onnx.ConvTranspose %x, %w, %none : (tensor<1x4x5xf32>, tensor<3x2x3xf32>, none) -> tensor<1x2x7xf32>
  return %0 : tensor<1x2x7xf32>
}

// -----

func.func @resize(%x: tensor<2x3xf32>, %s: tensor<2xf32>, %z: tensor<2xi64>) -> tensor<4x6xf32> {
  %none = onnx.NoValue
  // expected-error @+1 {{expects either scales or sizes}}
  %0 = onnx.Resize %x, %none, %s, %z : (tensor<2x3xf32>, none, tensor<2xf32>, tensor<2xi64>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

func.func @resize_axes(%x: tensor<2x3xf32>, %s: tensor<2xf32>) -> tensor<4x6xf32> {
  %none = onnx.NoValue
  // expected-error @+1 {{expects distinct axes within rank 2}}
  %0 = onnx.Resize %x, %none, %s, %none {axes = array<i64: 1, -1>} : (tensor<2x3xf32>, none, tensor<2xf32>, none) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}
