//===- Bufferize.cpp - Tensors to buffers, caches in place ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferRoots.h"

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

namespace bitnet {
#define GEN_PASS_DEF_BUFFERIZE
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

namespace {

/// The arguments of a function that it updates in place.
struct Caches {
  func::FuncOp function;
  SmallVector<unsigned> arguments;
};

SmallVector<Caches> collectCaches(ModuleOp module) {
  StringRef name = bufferization::BufferizationDialect::kWritableAttrName;
  SmallVector<Caches> caches;
  for (auto function : module.getOps<func::FuncOp>()) {
    SmallVector<unsigned> arguments;
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      auto writable = function.getArgAttrOfType<BoolAttr>(i, name);
      if (writable && writable.getValue())
        arguments.push_back(i);
    }
    if (!arguments.empty())
      caches.push_back({function, std::move(arguments)});
  }
  return caches;
}

/// Gives each op that accumulates onto a fill a fill of its own: to fill again
/// is cheaper than to copy.
void unshareFills(ModuleOp module) {
  SmallVector<linalg::FillOp> fills;
  module.walk([&](linalg::FillOp op) {
    if (op.hasPureTensorSemantics() && !op->hasOneUse())
      fills.push_back(op);
  });
  for (linalg::FillOp fill : fills)
    for (OpOperand &use : llvm::make_early_inc_range(fill->getUses())) {
      auto user = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
      if (fill->hasOneUse() || !user || !user.isDpsInit(&use))
        continue;
      OpBuilder builder(user);
      use.set(builder.clone(*fill)->getResult(0));
    }
}

bufferization::OneShotBufferizationOptions getOptions() {
  bufferization::OneShotBufferizationOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.allowReturnAllocsFromLoops = true;
  options.setFunctionBoundaryTypeConversion(
      bufferization::LayoutMapOption::IdentityLayoutMap);
  options.unknownTypeConverterFn =
      [](TensorType type, Attribute memorySpace,
         const bufferization::BufferizationOptions &) {
        return bufferization::getMemRefTypeWithStaticIdentityLayout(
            type, memorySpace);
      };
  return options;
}

bool isSameSize(Value memref, MemRefType cache) {
  auto type = dyn_cast<MemRefType>(memref.getType());
  return type && type.getShape() == cache.getShape() &&
         type.getElementType() == cache.getElementType();
}

/// Whether `op` copies the whole of the cache. A buffer of its size is no sign:
/// the keys of a chunk as long as the context are as large.
bool duplicatesCache(Operation *op, BlockArgument cache) {
  auto type = cast<MemRefType>(cache.getType());
  if (auto copy = dyn_cast<memref::CopyOp>(op))
    return isSameSize(copy.getSource(), type) &&
           (bitnet::findBufferRoot(copy.getSource()) == cache ||
            bitnet::findBufferRoot(copy.getTarget()) == cache);
  return false;
}

LogicalResult checkInPlace(Caches caches) {
  WalkResult result = caches.function.walk([&](Operation *op) {
    for (unsigned i : caches.arguments) {
      if (!duplicatesCache(op, caches.function.getArgument(i)))
        continue;
      op->emitError("cache argument ")
          << i << " of '" << caches.function.getName()
          << "' is not updated in place: its update needs a copy of its size";
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

struct BufferizePass : public bitnet::impl::BufferizeBase<BufferizePass> {
  using BufferizeBase::BufferizeBase;

  void runOnOperation() override {
    SmallVector<Caches> caches = collectCaches(getOperation());
    unshareFills(getOperation());
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotModuleBufferize(getOperation(),
                                                        getOptions(), state)))
      return signalPassFailure();
    bufferization::removeBufferizationAttributesInModule(getOperation());
    for (const Caches &each : caches)
      if (failed(checkInPlace(each)))
        return signalPassFailure();
  }
};

} // namespace
