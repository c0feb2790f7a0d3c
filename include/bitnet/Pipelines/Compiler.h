//===- Compiler.h - From a model's file to an artifact ----------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_PIPELINES_COMPILER_H
#define BITNET_PIPELINES_COMPILER_H

#include "bitnet/Pipelines/Phases.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <string>
#include <vector>

namespace bitnet {

struct CompileOptions {
  std::string input; // .onnx, or .mlir of any phase
  std::string output;
  std::string report; // that the caller writes afterwards; may be empty
  std::string target; // a list; empty: every variant of the host's architecture
  std::string tokenizer; // a tokenizer.json to embed; may be empty
  std::vector<std::string> stopTokens; // ids or texts; empty: by the tokenizer
  Phase stopAfter = Phase::Artifact;
  PhaseOptions phases;
  /// Tokens of a prompt that are taken at a time: long chunks while there are
  /// so many, then short ones. Different numbers, ascending.
  llvm::SmallVector<int64_t> chunks = {32, 128};
  /// Options that were given and mean something for decoders only, as they are
  /// written: a warning names those that have no effect.
  std::vector<std::string> decoderOptions;
};

/// What happened, for --report.
struct CompileReport {
  struct PhaseCost {
    std::string name;
    double seconds = 0;
    int64_t peakBytes = 0; // of the process, up to the phase's end
  };
  /// Layers of an entry as the bitnet phase leaves them.
  struct EntryLayers {
    std::string name;
    int64_t linears = 0, quantizations = 0, attentions = 0,
            cachedAttentions = 0;
    int64_t norms = 0, rotaries = 0;
    int64_t otherOps = 0; // linalg ops beside them
  };
  std::vector<PhaseCost> phases;
  std::vector<EntryLayers> entries;
  std::vector<std::string> variants;
  int64_t packedBytes = 0, archiveBytes = 0, artifactBytes = 0;

  std::string toJSON() const;
};

/// Called as a phase begins, with its name.
using ProgressFn = llvm::function_ref<void(llvm::StringRef)>;

/// Compiles a model. Errors are diagnostics of the context; there is then no
/// output file.
mlir::LogicalResult compileModel(mlir::MLIRContext &context,
                                 const CompileOptions &options,
                                 CompileReport &report, ProgressFn progress);

/// The same of a module in memory, of a phase up to loops; `options.input` is
/// not used.
mlir::LogicalResult compileModule(mlir::OwningOpRef<mlir::ModuleOp> module,
                                  const CompileOptions &options,
                                  CompileReport &report, ProgressFn progress);

} // namespace bitnet

#endif // BITNET_PIPELINES_COMPILER_H
