//===- LoopsPhase.h - From packed tensors to kernels and loops --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_PIPELINES_LOOPSPHASE_H
#define BITNET_PIPELINES_LOOPSPHASE_H

#include <cstdint>
#include <functional>

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace bitnet {

struct LoopsOptions {
  /// Work (arithmetic ops, about) of one iteration of a parallel loop.
  int64_t grain = 16384;
  /// Adds the passes that settle, on tensors, how kernels read their operands.
  std::function<void(mlir::OpPassManager &)> prepareKernels;
  /// Adds the passes that lower bitnet ops and float matmuls in kernels. What
  /// they leave of linalg becomes plain loops.
  std::function<void(mlir::OpPassManager &)> lowerKernels;
  /// Adds what ends the phase for a device; buffers are then its memory, which
  /// entries do not touch.
  std::function<void(mlir::OpPassManager &)> finishDevice;
};

/// The loops phase: fusion on tensors, bufferization with caches in place,
/// kernels, memory plan, loops. The module holds functions with `bitnet.entry`,
/// linalg, tensor, arith, math, scf and bitnet ops on tensors before, and func,
/// memref, scf, arith, math and vector after.
void buildLoopsPhase(mlir::OpPassManager &manager, const LoopsOptions &options);

/// The dialects and interface models that the passes of the phase need.
void registerLoopsPhaseDialects(mlir::DialectRegistry &registry);

} // namespace bitnet

#endif // BITNET_PIPELINES_LOOPSPHASE_H
