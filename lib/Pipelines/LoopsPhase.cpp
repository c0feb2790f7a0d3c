//===- LoopsPhase.cpp - From packed tensors to kernels and loops ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Pipelines/LoopsPhase.h"

#include "bitnet/Dialect/BitNet/IR/BitNetDialect.h"
#include "bitnet/Dialect/BitNet/IR/BufferizableOpInterfaceImpl.h"
#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/IR/ValueBoundsOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/BufferViewFlowOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/AllInterfaces.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/AllocationOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/Transforms/BufferViewFlowOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/IR/TensorInferTypeOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/ValueBoundsOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/Transforms/SubsetOpInterfaceImpl.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

static void addCleanup(OpPassManager &manager) {
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

static void addTensorPasses(OpPassManager &manager) {
  addCleanup(manager);
  manager.addNestedPass<func::FuncOp>(bitnet::createFuseElementwise());
  addCleanup(manager);
  manager.addNestedPass<func::FuncOp>(bitnet::createOwnResults());
  manager.addPass(bufferization::createEmptyTensorEliminationPass());
}

static void addBufferPasses(OpPassManager &manager, bool forDevice) {
  manager.addPass(bitnet::createBufferize());
  addCleanup(manager);
  if (forDevice) {
    // Entries do not read shapes from memory, which is the device's.
    manager.addPass(memref::createExpandOpsPass());
    manager.addNestedPass<func::FuncOp>(bitnet::createForwardStores());
  }
  // Copies of a view to itself show once equal views are one.
  manager.addPass(createCanonicalizerPass());
  bitnet::OutlineKernelsOptions outlining;
  outlining.singleElements = forDevice;
  manager.addPass(bitnet::createOutlineKernels(outlining));
  // Shapes and constants that only kernels used.
  addCleanup(manager);
  manager.addPass(bitnet::createMarkNoAlias());
  manager.addPass(bitnet::createPlanMemory());
  manager.addNestedPass<func::FuncOp>(bitnet::createResolveArchive());
}

void bitnet::buildLoopsPhase(OpPassManager &manager,
                             const LoopsOptions &options) {
  if (options.prepareKernels)
    options.prepareKernels(manager);
  addTensorPasses(manager);
  addBufferPasses(manager, static_cast<bool>(options.finishDevice));
  if (options.lowerKernels)
    options.lowerKernels(manager);
  LinalgToLoopsOptions loops;
  loops.grain = options.grain;
  manager.addNestedPass<func::FuncOp>(createLinalgToLoops(loops));
  // Views become offsets and strides, so that no affine op is left to lower.
  manager.addNestedPass<func::FuncOp>(createCastDynamicExpansions());
  manager.addPass(memref::createExpandStridedMetadataPass());
  manager.addPass(createLowerAffinePass());
  addCleanup(manager);
  if (options.finishDevice) {
    options.finishDevice(manager);
    addCleanup(manager);
  }
}

void bitnet::registerLoopsPhaseDialects(DialectRegistry &registry) {
  registry.insert<BitNetDialect, affine::AffineDialect, arith::ArithDialect,
                  bufferization::BufferizationDialect, cf::ControlFlowDialect,
                  func::FuncDialect, gpu::GPUDialect, linalg::LinalgDialect,
                  math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                  tensor::TensorDialect, vector::VectorDialect>();
  registerBufferizableOpInterfaceExternalModels(registry);
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  arith::registerBufferViewFlowOpInterfaceExternalModels(registry);
  arith::registerValueBoundsOpInterfaceExternalModels(registry);
  bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(
      registry);
  linalg::registerAllDialectInterfaceImplementations(registry);
  memref::registerAllocationOpInterfaceExternalModels(registry);
  memref::registerBufferViewFlowOpInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerInferTypeOpInterfaceExternalModels(registry);
  tensor::registerSubsetOpInterfaceExternalModels(registry);
  tensor::registerValueBoundsOpInterfaceExternalModels(registry);
  vector::registerBufferizableOpInterfaceExternalModels(registry);
  vector::registerSubsetOpInterfaceExternalModels(registry);
}
