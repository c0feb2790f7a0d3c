//===- LinalgToLoops.cpp - Linalg ops on buffers to loops -----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopEmitter.h"

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace bitnet {
#define GEN_PASS_DEF_LINALGTOLOOPS
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

namespace {

/// Lets the sums and products of a reduction be reordered, the rest of its
/// body not.
void allowReassociation(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() == 0)
    return;
  for (unsigned i = 0; i < op.getNumDpsInits(); ++i) {
    SmallVector<Operation *> combiners;
    if (!matchReduction(op.getRegionOutputArgs(), i, combiners) ||
        combiners.size() != 1 ||
        !isa<arith::AddFOp, arith::MulFOp>(combiners.front()))
      continue;
    auto combiner = cast<arith::ArithFastMathInterface>(combiners.front());
    arith::FastMathFlags flags = combiner.getFastMathFlagsAttr().getValue() |
                                 arith::FastMathFlags::reassoc;
    combiner->setAttr(combiner.getFastMathAttrName(),
                      arith::FastMathFlagsAttr::get(op.getContext(), flags));
  }
}

/// One loop for each group of dimensions that lie side by side everywhere.
linalg::LinalgOp mergeDims(linalg::LinalgOp op, RewriterBase &rewriter) {
  SmallVector<ReassociationIndices> groups = bitnet::findMergeableDims(op);
  if (groups.empty())
    return op;
  rewriter.setInsertionPoint(op);
  FailureOr<linalg::CollapseResult> result =
      linalg::collapseOpIterationDims(op, groups, rewriter);
  if (failed(result))
    return op;
  rewriter.eraseOp(op);
  return result->collapsedOp;
}

struct LinalgToLoopsPass
    : public bitnet::impl::LinalgToLoopsBase<LinalgToLoopsPass> {
  using LinalgToLoopsBase::LinalgToLoopsBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp op) { copies.push_back(op); });
    for (memref::CopyOp op : copies)
      if (isa<MemRefType>(op.getSource().getType()) &&
          isa<MemRefType>(op.getTarget().getType())) {
        rewriter.setInsertionPoint(op);
        linalg::makeMemRefCopyOp(rewriter, op.getLoc(), op.getSource(),
                                 op.getTarget());
        rewriter.eraseOp(op);
      }
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops)
      if (failed(lower(op, rewriter)))
        return signalPassFailure();
  }

private:
  LogicalResult lower(linalg::LinalgOp op, IRRewriter &rewriter) {
    if (!op.hasPureBufferSemantics())
      return op.emitError("expected operands in buffers");
    if (!isa<linalg::GenericOp>(op)) {
      rewriter.setInsertionPoint(op);
      FailureOr<linalg::GenericOp> generic =
          linalg::generalizeNamedOp(rewriter, op);
      if (failed(generic))
        return op.emitError("has no loops");
      op = *generic;
    }
    if (reassociate)
      allowReassociation(op);
    bitnet::ParallelOptions options;
    options.work = bitnet::estimateWork(op, dynamicExtent);
    op = mergeDims(op, rewriter);
    // Inside a loop, the loop has what there is to share.
    options.grain = isa<func::FuncOp>(op->getParentOp()) ? grain.getValue() : 0;
    options.dynamicExtent = dynamicExtent;
    ++(bitnet::LoopEmitter(op, options).emit() ? parallel : sequential);
    op.erase();
    return success();
  }
};

} // namespace
