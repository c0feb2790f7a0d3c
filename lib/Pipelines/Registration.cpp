//===- Registration.cpp - Every dialect, pass and pipeline ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Pipelines/Registration.h"

#include "bitnet/Conversion/BitNetToGPU/BitNetToGPU.h"
#include "bitnet/Conversion/BitNetToVector/BitNetToVector.h"
#include "bitnet/Conversion/ONNXToBitNet/Passes.h"
#include "bitnet/Conversion/ONNXToLinalg/ONNXToLinalg.h"
#include "bitnet/Dialect/BitNet/IR/BitNetDialect.h"
#include "bitnet/Dialect/BitNet/Transforms/Passes.h"
#include "bitnet/Dialect/ONNX/IR/ONNXDialect.h"
#include "bitnet/Dialect/ONNX/Transforms/Passes.h"
#include "bitnet/Pipelines/LoopsPhase.h"
#include "bitnet/Pipelines/Phases.h"
#include "bitnet/Target/CPU/CodeGen.h"
#include "bitnet/Target/CPU/Passes.h"
#include "bitnet/Target/GPU/DeviceCode.h"
#include "bitnet/Target/GPU/Passes.h"
#include "bitnet/Target/Vulkan/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Pass/PassRegistry.h"

using namespace mlir;

void bitnet::registerDialects(DialectRegistry &registry) {
  registry.insert<BitNetDialect, onnx::ONNXDialect, LLVM::LLVMDialect,
                  spirv::SPIRVDialect>();
  registerLoopsPhaseDialects(registry);
  registerKernelConversions(registry);
}

void bitnet::registerPasses() {
  registerBitNetToGPUPasses();
  registerBitNetToVectorPasses();
  registerBitNetTransformsPasses();
  registerONNXToBitNetPasses();
  registerONNXToLinalgPasses();
  onnx::registerONNXTransformsPasses();
  registerCPUPasses();
  registerGPUPasses();
  registerVulkanPasses();
  PassPipelineRegistration<>(
      "bitnet-phase-onnx", "fold and simplify an imported model",
      [](OpPassManager &manager) { buildONNXPhase(manager); });
  PassPipelineRegistration<>(
      "bitnet-phase-bitnet", "recognise layers, convert the rest to linalg",
      [](OpPassManager &manager) { buildBitNetPhase(manager, {}); });
  PassPipelineRegistration<>(
      "bitnet-phase-packed", "pack weights and build the archive",
      [](OpPassManager &manager) { buildPackedPhase(manager, {}); });
  PassPipelineRegistration<>("bitnet-phase-loops",
                             "bufferize and lower to loops over vectors",
                             [](OpPassManager &manager) {
                               buildLoopsPhase(manager, getLoopsOptions());
                             });
  PassPipelineRegistration<>(
      "bitnet-phase-loops-gpu", "bufferize and lower to launches of kernels",
      [](OpPassManager &manager) {
        buildLoopsPhase(manager, getLoopsOptions(/*forDevice=*/true));
      });
  PassPipelineRegistration<>(
      "bitnet-phase-llvm", "lower loops to the LLVM dialect",
      [](OpPassManager &manager) { buildLLVMPipeline(manager); });
}
