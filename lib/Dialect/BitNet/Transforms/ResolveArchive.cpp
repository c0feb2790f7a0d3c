//===- ResolveArchive.cpp - Archive entries to views ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace bitnet {
#define GEN_PASS_DEF_RESOLVEARCHIVE
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

namespace {

struct ResolveArchivePass
    : public bitnet::impl::ResolveArchiveBase<ResolveArchivePass> {
  using ResolveArchiveBase::ResolveArchiveBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    SmallVector<bitnet::ArchiveOp> ops;
    function.walk([&](bitnet::ArchiveOp op) { ops.push_back(op); });
    for (bitnet::ArchiveOp op : ops)
      if (failed(resolve(op, function)))
        return signalPassFailure();
  }

private:
  LogicalResult resolve(bitnet::ArchiveOp op, func::FuncOp function) {
    auto type = dyn_cast<MemRefType>(op.getResult().getType());
    if (!type || !type.hasStaticShape())
      return op.emitError("expected a memref of static shape");
    if (!function->hasAttr("bitnet.workspace"))
      return op.emitError("its function has no archive argument; "
                          "bitnet-plan-memory adds it");
    OpBuilder builder(op);
    Value offset =
        arith::ConstantIndexOp::create(builder, op.getLoc(), op.getOffset());
    Value view =
        memref::ViewOp::create(builder, op.getLoc(), type,
                               function.getArgument(0), offset, ValueRange());
    op.replaceAllUsesWith(view);
    op.erase();
    return success();
  }
};

} // namespace
