//===- OutlineLaunches.cpp - Device functions and schedules of launches ---===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/BitNetToGPU/BitNetToGPU.h"

#include "FlattenMemRefs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/Utils/GPUUtils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"

namespace bitnet {
#define GEN_PASS_DEF_OUTLINELAUNCHES
#include "bitnet/Conversion/BitNetToGPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

namespace {

struct OutlineLaunches : bitnet::impl::OutlineLaunchesBase<OutlineLaunches> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> kernels;
    for (auto function : module.getOps<func::FuncOp>())
      if (function->hasAttr("bitnet.kernel"))
        kernels.push_back(function);
    module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                    UnitAttr::get(&getContext()));
    OpBuilder builder(module.getContext());
    builder.setInsertionPointToStart(module.getBody());
    auto device = gpu::GPUModuleOp::create(builder, module.getLoc(), "kernels");
    SymbolTable symbols(device);
    for (func::FuncOp kernel : kernels) {
      SmallVector<gpu::LaunchOp> launches;
      kernel.walk([&](gpu::LaunchOp launch) { launches.push_back(launch); });
      for (auto [i, launch] : llvm::enumerate(launches)) {
        std::string name = kernel.getName().str();
        if (launches.size() > 1)
          name += "_" + std::to_string(i);
        if (failed(outline(launch, name, symbols)))
          return signalPassFailure();
      }
    }
    inlineKernels(module);
    for (func::FuncOp kernel : kernels)
      kernel.erase();
  }

private:
  LogicalResult outline(gpu::LaunchOp launch, StringRef name,
                        SymbolTable &symbols) {
    if (failed(sinkOperationsIntoLaunchOp(launch, [](Operation *op) {
          return matchPattern(op, m_Constant());
        })))
      return failure();
    SmallVector<int32_t> block;
    gpu::KernelDim3 size = launch.getBlockSizeOperandValues();
    for (Value extent : {size.x, size.y, size.z}) {
      std::optional<int64_t> known = getConstantIntValue(extent);
      if (!known)
        return launch.emitOpError("needs workgroups of a fixed size");
      block.push_back(*known);
    }
    // The host knows the grid; not every device tells it cheaply.
    gpu::KernelDim3 inside = launch.getGridSize(),
                    outside = launch.getGridSizeOperandValues();
    inside.x.replaceAllUsesWith(outside.x);
    inside.y.replaceAllUsesWith(outside.y);
    inside.z.replaceAllUsesWith(outside.z);
    SmallVector<Value> operands;
    gpu::GPUFuncOp function = outlineKernelFunc(launch, name, operands);
    function.setKnownBlockSizeAttr(
        DenseI32ArrayAttr::get(&getContext(), block));
    symbols.insert(function);
    OpBuilder builder(launch);
    if (failed(bitnet::flattenMemRefs(function, builder, operands)))
      return failure();
    gpu::LaunchFuncOp::create(builder, launch.getLoc(), function,
                              launch.getGridSizeOperandValues(), size,
                              /*dynamicSharedMemorySize=*/Value(), operands);
    launch.erase();
    ++numKernels;
    return success();
  }

  /// What is left of a kernel is host code of one block.
  void inlineKernels(ModuleOp module) {
    SymbolTable symbols(module);
    SmallVector<func::CallOp> calls;
    module.walk([&](func::CallOp call) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (callee && callee->hasAttr("bitnet.kernel"))
        calls.push_back(call);
    });
    for (func::CallOp call : calls) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      Block &body = callee.getBody().front();
      IRMapping mapping;
      mapping.map(body.getArguments(), call.getOperands());
      OpBuilder builder(call);
      for (Operation &op : body.without_terminator()) {
        numLaunches += isa<gpu::LaunchFuncOp>(op);
        builder.clone(op, mapping);
      }
      call.erase();
    }
  }
};

} // namespace
