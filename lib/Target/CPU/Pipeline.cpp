//===- Pipeline.cpp - The passes from loops to the LLVM dialect -----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/CPU/CPUTarget.h"
#include "bitnet/Target/CPU/CodeGen.h"
#include "bitnet/Target/CPU/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/Vector/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace bitnet;

/// Float arithmetic and structured loops.
static void addStructuredPasses(OpPassManager &manager) {
  manager.addPass(createExpandMath());
  manager.addPass(createLegalizeFloats());
  manager.addPass(createExpandCopies());
  manager.addPass(createLowerAffinePass());
  manager.addNestedPass<func::FuncOp>(
      vector::createLowerVectorMultiReductionPass(
          vector::VectorMultiReductionLowering::InnerReduction));
  manager.addPass(createConvertVectorToSCFPass(
      VectorTransferToSCFOptions().enableFullUnroll()));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createOutlineParallel());
  manager.addPass(createLowerFetchDistance());
}

/// Functions as control-flow graphs.
static void addGraphPasses(OpPassManager &manager) {
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createLowerEntries());
  manager.addPass(createExpandMemRefArguments());
  manager.addPass(memref::createExpandOpsPass());
  manager.addPass(memref::createExpandStridedMetadataPass());
  manager.addPass(createLowerAffinePass());
  manager.addPass(arith::createArithExpandOpsPass());
}

static void addConversions(OpPassManager &manager) {
  ConvertVectorToLLVMPassOptions vectorOptions;
  vectorOptions.x86Vector = true;
  // vector.reduction leaves the order open; sums of registers are trees.
  vectorOptions.reassociateFPReductions = true;
  manager.addPass(createConvertVectorToLLVMPass(vectorOptions));
  manager.addPass(createConvertToLLVM());
  // LLVM's own passes simplify what follows from here.
  manager.addPass(createReconcileUnrealizedCastsPass());
}

void bitnet::buildLLVMPipeline(OpPassManager &manager) {
  addStructuredPasses(manager);
  addGraphPasses(manager);
  addConversions(manager);
}

LogicalResult bitnet::lowerToLLVMDialect(ModuleOp module) {
  if (llvm::Error error =
          setTarget(module, CPUTarget::get(module).getAttribute()))
    return module.emitError(llvm::toString(std::move(error)));
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  buildLLVMPipeline(manager);
  return manager.run(module);
}
