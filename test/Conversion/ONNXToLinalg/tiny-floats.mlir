// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s -convert-onnx-to-linalg -verify-diagnostics

func.func @cast(%x: tensor<3xf32>) -> tensor<3xf8E5M2> {
  // expected-error @below {{Cast cannot be compiled: floats of 8 bits and fewer are supported in constants only, not computed}}
  %y = onnx.Cast %x : (tensor<3xf32>) -> tensor<3xf8E5M2>
  return %y : tensor<3xf8E5M2>
}
