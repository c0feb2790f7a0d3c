//===- ONNXOps.td - Ops of the onnx dialect -*- tablegen -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_IR_ONNXOPS
#define BITNET_DIALECT_ONNX_IR_ONNXOPS

include "bitnet/Dialect/ONNX/IR/ONNXElementwiseOps.td"
include "bitnet/Dialect/ONNX/IR/ONNXNNOps.td"
include "bitnet/Dialect/ONNX/IR/ONNXShapeOps.td"

#endif // BITNET_DIALECT_ONNX_IR_ONNXOPS
