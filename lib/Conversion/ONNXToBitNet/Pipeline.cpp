//===- Pipeline.cpp - The passes of recognition, in order -----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void bitnet::buildRecognitionPipeline(OpPassManager &passes,
                                      const RecognitionOptions &options) {
  // Chains that an exporter repeats become one, so that comparing values is
  // comparing what they compute.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createRecognizeLowBitWeights());
  // Norms first: a quantiser's input is then a norm's result.
  passes.addPass(createRecognizeNorms());
  passes.addPass(createRecognizeConvolution());
  passes.addPass(createRecognizeQuantization());
  // Of the graph's own arithmetic, before any of it is reassociated.
  passes.addPass(createFoldThresholds());
  passes.addPass(createFuseEpilogues());
  passes.addPass(createRecognizeRotary());
  passes.addPass(createRecognizeAttention());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  InPlaceCacheOptions cache;
  cache.maxContext = options.maxContext;
  cache.cacheType = options.cacheType;
  passes.addPass(createInPlaceCache(cache));
  passes.addPass(createSimplifyMovement());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
}

namespace {

struct PipelineOptions : public PassPipelineOptions<PipelineOptions> {
  Option<int64_t> maxContext{*this, "max-context",
                             llvm::cl::desc("Positions that a cache holds"),
                             llvm::cl::init(1024)};
};

} // namespace

void bitnet::registerRecognitionPipeline() {
  PassPipelineRegistration<PipelineOptions>(
      "bitnet-recognize", "Make folded onnx ops bitnet ops",
      [](OpPassManager &passes, const PipelineOptions &options) {
        RecognitionOptions recognition;
        recognition.maxContext = options.maxContext;
        buildRecognitionPipeline(passes, recognition);
      });
}
