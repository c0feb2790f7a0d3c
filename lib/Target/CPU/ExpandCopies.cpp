//===- ExpandCopies.cpp - Copying strided memrefs by loops ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Utils/MemRefUtils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace bitnet {
#define GEN_PASS_DEF_EXPANDCOPIES
#include "bitnet/Target/CPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

/// What upstream's lowering copies as one block.
static bool isBlock(Value value) {
  auto type = cast<MemRefType>(value.getType());
  return type.getLayout().isIdentity() ||
         (type.hasStaticShape() &&
          memref::isStaticShapeAndContiguousRowMajor(type));
}

static void expandCopy(memref::CopyOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value source = op.getSource(), target = op.getTarget();
  int64_t rank = cast<MemRefType>(source.getType()).getRank();
  SmallVector<Value> low, high, step;
  for (int64_t i = 0; i < rank; ++i) {
    low.push_back(arith::ConstantIndexOp::create(builder, loc, 0));
    high.push_back(memref::DimOp::create(builder, loc, source, i));
    step.push_back(arith::ConstantIndexOp::create(builder, loc, 1));
  }
  scf::buildLoopNest(builder, loc, low, high, step,
                     [&](OpBuilder &b, Location l, ValueRange indices) {
                       Value value =
                           memref::LoadOp::create(b, l, source, indices);
                       memref::StoreOp::create(b, l, value, target, indices);
                     });
  op.erase();
}

namespace {
struct ExpandCopies : bitnet::impl::ExpandCopiesBase<ExpandCopies> {
  void runOnOperation() override {
    WalkResult result = getOperation()->walk([](memref::CopyOp op) {
      if (!isa<MemRefType>(op.getSource().getType()) ||
          !isa<MemRefType>(op.getTarget().getType())) {
        op.emitError("copies of unranked memrefs have no lowering for a CPU");
        return WalkResult::interrupt();
      }
      if (!isBlock(op.getSource()) || !isBlock(op.getTarget()))
        expandCopy(op);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
