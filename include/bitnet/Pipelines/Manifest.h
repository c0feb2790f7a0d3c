//===- Manifest.h - What an artifact says of itself -------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_PIPELINES_MANIFEST_H
#define BITNET_PIPELINES_MANIFEST_H

#include "bitnet/Target/Artifact.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace bitnet {

/// ONNX's TensorProto.DataType of an element type, 0 where there is none.
uint32_t getDataType(mlir::Type type);

/// Notes the ONNX element type of every argument and result of every entry,
/// which later phases erase (unsigned integers become signless), as
/// `bitnet.dtype`.
void recordElementTypes(mlir::ModuleOp module);

/// Notes how many multiply-adds the matmuls of static shapes take in a call of
/// each entry, as `bitnet.macs`, and how many bytes of the archive it reads, as
/// `bitnet.weight_bytes`: for a module at the end of the packed phase.
void recordWork(mlir::ModuleOp module);

/// The manifest of a module at the end of the loops phase, without the triple,
/// variants and stop tokens.
mlir::FailureOr<ArtifactManifest> buildManifest(mlir::ModuleOp module);

/// The ids of the tokens that end a text. `wanted` are ids or tokens' texts;
/// where it is empty, those that tokenizers name so (</s>, <|endoftext|>, ...).
llvm::Expected<std::vector<int64_t>>
findStopTokens(llvm::StringRef tokenizerJson,
               llvm::ArrayRef<std::string> wanted);

} // namespace bitnet

#endif // BITNET_PIPELINES_MANIFEST_H
