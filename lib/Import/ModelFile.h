//===- ModelFile.h - Reading model files --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_IMPORT_MODELFILE_H
#define BITNET_LIB_IMPORT_MODELFILE_H

#include "mlir/IR/Diagnostics.h"
#include <onnx/onnx_pb.h>

namespace bitnet::import {

/// The one opset that the onnx dialect speaks, and the oldest that converts.
inline constexpr int kOpset = 25;
inline constexpr int kOldestOpset = 9;

/// Parses the file and checks that it holds a model of versions that we read.
/// Emits an error and returns nothing otherwise.
std::optional<::onnx::ModelProto> readModel(llvm::StringRef path,
                                            mlir::Location file);

/// The version of the default domain that the model imports.
int getOpset(const ::onnx::ModelProto &model);

} // namespace bitnet::import

#endif // BITNET_LIB_IMPORT_MODELFILE_H
