//===- IndexArithmetic.h - Constant arithmetic on indices -------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_IMPORT_INDEXARITHMETIC_H
#define BITNET_LIB_IMPORT_INDEXARITHMETIC_H

#include <onnx/onnx_pb.h>

namespace bitnet::import {

/// Makes Add, Sub, Mul, Mod and Reshape of small int64 constants such
/// constants. TorchScript computes what dimensions to split so, and ONNX's
/// inference does not follow it.
void foldIndexArithmetic(::onnx::GraphProto &graph);

} // namespace bitnet::import

#endif // BITNET_LIB_IMPORT_INDEXARITHMETIC_H
