//===- Phases.h - The way a model takes, phase by phase ---------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_PIPELINES_PHASES_H
#define BITNET_PIPELINES_PHASES_H

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "bitnet/Pipelines/LoopsPhase.h"
#include "llvm/ADT/StringRef.h"
#include <optional>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace bitnet {

/// The points at which a model's IR can be read and written. docs/rationale.md
/// says what each holds.
enum class Phase {
  ONNX,
  BitNet,
  Packed,
  Loops,
  LLVM,
  Assembly,
  Object,
  Artifact
};

/// The name of a phase on the command line; "artifact" is not one of them.
llvm::StringRef getPhaseName(Phase phase);
std::optional<Phase> parsePhase(llvm::StringRef name);
/// The phase that a module is at the end of, by what it holds.
Phase detectPhase(mlir::ModuleOp module);

struct PhaseOptions {
  /// Tokens that a KV cache holds.
  int64_t maxContext = 1024;
  CacheType cacheType = CacheType::F32;
  Lowering lowering = Lowering::Auto;
  /// How ternary weights share bytes.
  PackingScheme ternaryPacking = PackingScheme::Planes2;
  /// The unit of packed weights that suits the targets.
  int64_t packingUnit = 4;
  /// Whether code for a device is wanted, which can only read constants in the
  /// archive.
  bool forDevice = false;
};

/// Folds and simplifies what the importer made. `releaseWeights` frees master
/// weights once they are folded; no other module of the context may hold them.
void buildONNXPhase(mlir::OpPassManager &manager, bool releaseWeights = false);
/// Recognises low-bit layers, norms, rotary embeddings, attention and caches;
/// converts the rest to linalg on tensors.
void buildBitNetPhase(mlir::OpPassManager &manager,
                      const PhaseOptions &options);
/// Packs weights and builds the archive.
void buildPackedPhase(mlir::OpPassManager &manager,
                      const PhaseOptions &options);

/// The loops phase with the project's kernels, for a CPU or a GPU.
LoopsOptions getLoopsOptions(bool forDevice = false);

} // namespace bitnet

#endif // BITNET_PIPELINES_PHASES_H
