//===- ONNXDialect.h - The onnx dialect --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_IR_ONNXDIALECT_H
#define BITNET_DIALECT_ONNX_IR_ONNXDIALECT_H

#include "mlir/IR/Dialect.h"

#include "bitnet/Dialect/ONNX/IR/ONNXDialect.h.inc"

#endif // BITNET_DIALECT_ONNX_IR_ONNXDIALECT_H
