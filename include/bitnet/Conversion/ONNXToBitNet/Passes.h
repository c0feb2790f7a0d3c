//===- Passes.h - Recognition of low-bit networks ---------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_CONVERSION_ONNXTOBITNET_PASSES_H
#define BITNET_CONVERSION_ONNXTOBITNET_PASSES_H

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassRegistry.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace bitnet {

#define GEN_PASS_DECL
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"

struct RecognitionOptions {
  /// Positions that a KV cache holds.
  int64_t maxContext = 1024;
  CacheType cacheType = CacheType::F32;
};

/// Appends the passes that make a module of folded onnx ops one of bitnet ops,
/// leaving what they do not recognise.
void buildRecognitionPipeline(mlir::OpPassManager &passes,
                              const RecognitionOptions &options);

/// Registers it as `bitnet-recognize`.
void registerRecognitionPipeline();

} // namespace bitnet

#endif // BITNET_CONVERSION_ONNXTOBITNET_PASSES_H
