//===- ForwardStores.cpp - Scalars that pass through memory ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace bitnet {
#define GEN_PASS_DEF_FORWARDSTORES
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

static bool isOnOneElement(linalg::LinalgOp op) {
  return llvm::all_of(op.getStaticLoopRanges(),
                      [](int64_t extent) { return extent == 1; });
}

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

/// Whether all that touches the memory is on one element: loads, stores and
/// linalg ops.
static bool holdsScalar(Value memref) {
  auto alloc = memref.getDefiningOp<memref::AllocOp>();
  if (!alloc || !alloc.getType().hasStaticShape() ||
      alloc.getType().getNumElements() != 1)
    return false;
  return llvm::all_of(memref.getUsers(), [](Operation *user) {
    auto op = dyn_cast<linalg::LinalgOp>(user);
    return isa<memref::LoadOp, memref::StoreOp, memref::DeallocOp>(user) ||
           (op && isOnOneElement(op));
  });
}

/// Makes loads, arithmetic and stores of the ops whose results are scalars that
/// only the entry reads.
static void lowerScalarOps(func::FuncOp function) {
  SmallVector<linalg::LinalgOp> ops;
  function.walk([&](linalg::LinalgOp op) {
    if (isOnOneElement(op) && op.hasPureBufferSemantics() &&
        llvm::all_of(op.getDpsInits(), holdsScalar))
      ops.push_back(op);
  });
  IRRewriter rewriter(function.getContext());
  for (linalg::LinalgOp op : ops) {
    rewriter.setInsertionPoint(op);
    FailureOr<linalg::LinalgLoops> loops =
        linalg::linalgOpToLoops(rewriter, op);
    if (failed(loops))
      continue;
    rewriter.eraseOp(op);
    for (Operation *loop : *loops)
      (void)cast<scf::ForOp>(loop).promoteIfSingleIteration(rewriter);
  }
}

/// The element that a load at constant indices finds in a constant.
static Attribute findConstant(memref::LoadOp load) {
  auto memref = load.getMemRef().getDefiningOp<memref::GetGlobalOp>();
  auto indices = getConstants(load.getIndices());
  if (!memref || !indices)
    return {};
  auto global = SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(
      memref, memref.getNameAttr());
  auto values =
      global && global.getConstant()
          ? dyn_cast_or_null<DenseElementsAttr>(global.getInitialValueAttr())
          : DenseElementsAttr();
  if (!values)
    return {};
  SmallVector<uint64_t> at(indices->begin(), indices->end());
  return ElementsAttr::isValidIndex(values.getType(), at)
             ? values.getValues<Attribute>()[at]
             : Attribute();
}

namespace {
struct ForwardStores : bitnet::impl::ForwardStoresBase<ForwardStores> {
  void runOnOperation() override {
    lowerScalarOps(getOperation());
    SmallVector<memref::LoadOp> loads;
    getOperation().walk([&](memref::LoadOp load) { loads.push_back(load); });
    for (memref::LoadOp load : loads) {
      Value value = findStored(load);
      if (Attribute constant = value ? Attribute() : findConstant(load)) {
        OpBuilder builder(load);
        value = arith::ConstantOp::create(builder, load.getLoc(),
                                          cast<TypedAttr>(constant));
      }
      if (value) {
        load.replaceAllUsesWith(value);
        load.erase();
        ++numForwarded;
      }
    }
  }
};
} // namespace
