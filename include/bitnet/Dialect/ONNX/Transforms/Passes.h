//===- Passes.h - Passes on the onnx dialect --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_TRANSFORMS_PASSES_H
#define BITNET_DIALECT_ONNX_TRANSFORMS_PASSES_H

#include "bitnet/Dialect/ONNX/IR/ONNXDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace bitnet::onnx {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "bitnet/Dialect/ONNX/Transforms/Passes.h.inc"

} // namespace bitnet::onnx

#endif // BITNET_DIALECT_ONNX_TRANSFORMS_PASSES_H
