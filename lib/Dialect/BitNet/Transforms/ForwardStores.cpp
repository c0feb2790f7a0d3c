//===- ForwardStores.cpp - Scalars that pass through memory ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace bitnet {
#define GEN_PASS_DEF_FORWARDSTORES
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

/// An allocation that only loads and stores of elements touch.
static bool isScalarMemory(Value memref) {
  if (!memref.getDefiningOp<memref::AllocOp>())
    return false;
  return llvm::all_of(memref.getUsers(), [&](Operation *user) {
    auto store = dyn_cast<memref::StoreOp>(user);
    return isa<memref::LoadOp, memref::DeallocOp>(user) ||
           (store && store.getValue() != memref);
  });
}

static std::optional<SmallVector<int64_t>> getConstants(ValueRange indices) {
  return getConstantIntValues(getAsOpFoldResult(indices));
}

/// The value that the load's block stored last where it loads from; null where
/// that is not known.
static Value findStored(memref::LoadOp load) {
  auto indices = getConstants(load.getIndices());
  if (!indices || !isScalarMemory(load.getMemRef()))
    return {};
  for (Operation *op = load->getPrevNode(); op; op = op->getPrevNode()) {
    auto store = dyn_cast<memref::StoreOp>(op);
    if (!store && op->getNumRegions() > 0)
      return {};
    if (!store || store.getMemRef() != load.getMemRef())
      continue;
    auto stored = getConstants(store.getIndices());
    if (!stored)
      return {};
    if (*stored == *indices)
      return store.getValue();
  }
  return {};
}

namespace {
struct ForwardStores : bitnet::impl::ForwardStoresBase<ForwardStores> {
  void runOnOperation() override {
    SmallVector<memref::LoadOp> loads;
    getOperation().walk([&](memref::LoadOp load) { loads.push_back(load); });
    for (memref::LoadOp load : loads)
      if (Value value = findStored(load)) {
        load.replaceAllUsesWith(value);
        load.erase();
        ++numForwarded;
      }
  }
};
} // namespace
