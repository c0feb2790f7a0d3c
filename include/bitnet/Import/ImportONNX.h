//===- ImportONNX.h - ONNX models as onnx dialect modules --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_IMPORT_IMPORTONNX_H
#define BITNET_IMPORT_IMPORTONNX_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"

namespace bitnet {

struct ImportOptions {
  /// Values of named dimensions, in every function.
  llvm::StringMap<int64_t> fixedDims;
  /// Whether a decoder gets @decode and @prefill beside @main.
  bool specialize = true;
  /// The tokens that entries for a prompt take, different numbers, ascending:
  /// @prefill the first, @prefill_N each other number N.
  llvm::SmallVector<int64_t> chunks = {32};
  /// Files that the caller will write: none of them may be external data.
  std::vector<std::string> outputs;
};

/// Reads an ONNX model (a protobuf, or ONNX's text format in a file that ends
/// in .onnxtxt) into a module of onnx ops:
///
/// - `func.func @main`, whose arguments and results carry `onnx.name` and
///   `onnx.dims`, the names of dynamic dimensions ("" where fixed);
/// - of a decoder also `@decode` (batch 1, one token) and `@prefill` (batch 1,
///   a chunk of tokens), one for each length of `chunks`: the same graph with
///   these dimensions fixed. Their constants are @main's own attributes;
/// - `bitnet.entry` on each function ("main", "decode" or "prefill"); on a
///   decoder's arguments and results `bitnet.role` (tokens, attention_mask,
///   positions, past, logits, present), with the same `bitnet.state` on a past
///   and its present.
///
/// Large initializers are not copied: their blobs keep the parsed file's, or
/// the mapped external file's, memory alive. Errors are diagnostics; the result
/// is then null.
mlir::OwningOpRef<mlir::ModuleOp> importONNX(llvm::StringRef path,
                                             mlir::MLIRContext &context,
                                             const ImportOptions &options);

} // namespace bitnet

#endif // BITNET_IMPORT_IMPORTONNX_H
