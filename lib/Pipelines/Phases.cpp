//===- Phases.cpp - The way a model takes, phase by phase -----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Pipelines/Phases.h"

#include "bitnet/Conversion/BitNetToGPU/BitNetToGPU.h"
#include "bitnet/Conversion/BitNetToVector/BitNetToVector.h"
#include "bitnet/Conversion/ONNXToBitNet/Passes.h"
#include "bitnet/Conversion/ONNXToLinalg/ONNXToLinalg.h"
#include "bitnet/Dialect/BitNet/Transforms/Passes.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "bitnet/Dialect/ONNX/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace bitnet;

static constexpr std::pair<Phase, StringRef> phaseNames[] = {
    {Phase::ONNX, "onnx"},     {Phase::BitNet, "bitnet"},
    {Phase::Packed, "packed"}, {Phase::Loops, "loops"},
    {Phase::LLVM, "llvm"},     {Phase::Assembly, "asm"},
    {Phase::Object, "obj"},    {Phase::Artifact, "artifact"}};

StringRef bitnet::getPhaseName(Phase phase) {
  return phaseNames[static_cast<int>(phase)].second;
}

std::optional<Phase> bitnet::parsePhase(StringRef name) {
  for (auto [phase, text] : phaseNames)
    if (text == name && phase != Phase::Artifact)
      return phase;
  return std::nullopt;
}

Phase bitnet::detectPhase(ModuleOp module) {
  if (!module.getOps<LLVM::LLVMFuncOp>().empty())
    return Phase::LLVM;
  if (module->hasAttr("bitnet.target"))
    return Phase::Loops;
  if (module->hasAttr("bitnet.archive"))
    return Phase::Packed;
  bool hasONNX = false;
  module.walk([&](Operation *op) {
    hasONNX |= isa_and_nonnull<onnx::ONNXDialect>(op->getDialect());
    return hasONNX ? WalkResult::interrupt() : WalkResult::advance();
  });
  return hasONNX ? Phase::ONNX : Phase::BitNet;
}

void bitnet::buildONNXPhase(OpPassManager &manager, bool releaseWeights) {
  onnx::FoldConstantsOptions folding;
  folding.release = releaseWeights;
  manager.addPass(onnx::createFoldConstants(folding));
  manager.addPass(createCanonicalizerPass());
  // Canonical forms make more constant.
  manager.addPass(onnx::createFoldConstants(folding));
  manager.addPass(onnx::createSimplify());
  // What is now constant tells extents, which make more constant in turn.
  manager.addNestedPass<func::FuncOp>(onnx::createRefineTypes());
  manager.addPass(onnx::createFoldConstants(folding));
  manager.addPass(onnx::createSimplify());
  manager.addPass(createCSEPass());
}

void bitnet::buildBitNetPhase(OpPassManager &manager,
                              const PhaseOptions &options) {
  RecognitionOptions recognition;
  recognition.maxContext = options.maxContext;
  recognition.cacheType = options.cacheType;
  buildRecognitionPipeline(manager, recognition);
  manager.addPass(createConvertONNXToLinalg());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

LoopsOptions bitnet::getLoopsOptions(bool forDevice) {
  LoopsOptions options;
  if (forDevice) {
    options.lowerKernels = [](OpPassManager &manager) {
      manager.addPass(createConvertBitNetToGPU());
      manager.addPass(createConvertLinalgToGPU());
    };
    options.finishDevice = [](OpPassManager &manager) {
      manager.addPass(createOutlineLaunches());
    };
    return options;
  }
  options.prepareKernels = [](OpPassManager &manager) {
    manager.addPass(createFuseNorms());
    manager.addPass(createPrepareActivations());
  };
  options.lowerKernels = [](OpPassManager &manager) {
    manager.addPass(createConvertBitNetToVector());
    manager.addPass(createConvertContractionToVector());
  };
  return options;
}

void bitnet::buildPackedPhase(OpPassManager &manager,
                              const PhaseOptions &options) {
  manager.addPass(createNarrowConstants());
  DeriveEntriesOptions derived;
  // A device reads the whole head in no time.
  derived.screens = !options.forDevice;
  manager.addPass(createDeriveEntries(derived));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createFuseRescale());
  manager.addPass(createFuseOperands());
  LayoutOptions layout;
  layout.lowering = options.lowering;
  layout.ternaryPacking = options.ternaryPacking;
  layout.unit = options.packingUnit;
  if (options.forDevice) {
    layout.minElements = 0;
    layout.splats = true;
  }
  manager.addPass(createLayout(layout));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}
