//===- InputChecks.h - What is wrong before the work begins -----*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_PIPELINES_INPUTCHECKS_H
#define BITNET_LIB_PIPELINES_INPUTCHECKS_H

#include "bitnet/Pipelines/Compiler.h"
#include "mlir/IR/BuiltinOps.h"

namespace bitnet {

/// Whether the files to be written can be, and are none of those to be read.
llvm::Error checkFiles(const CompileOptions &options);

/// Checks what the verifier of a parsed module cannot: that entries have types
/// that an artifact's signature can tell, and that constants and archive
/// entries have the bytes that are read of them.
mlir::LogicalResult verifyModel(mlir::ModuleOp module);

/// What IR that was read has settled already and the options say otherwise is
/// an error, what they say in vain a warning.
mlir::LogicalResult checkOptions(mlir::ModuleOp module, Phase phase,
                                 const CompileOptions &options,
                                 llvm::ArrayRef<TargetAttr> targets);

} // namespace bitnet

#endif // BITNET_LIB_PIPELINES_INPUTCHECKS_H
