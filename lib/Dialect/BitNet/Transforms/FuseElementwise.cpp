//===- FuseElementwise.cpp - Elementwise fusion on tensors ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace bitnet {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

namespace {

/// Named ops that fusion should see as generics. Contractions, fills and copies
/// stay: kernels and patterns know them by name.
struct GeneralizeElementwise
    : public OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (isa<linalg::GenericOp, linalg::FillOp, linalg::CopyOp>(op))
      return failure();
    if (!linalg::isElementwise(op) &&
        !isa<linalg::BroadcastOp, linalg::TransposeOp, linalg::MapOp,
             linalg::ReduceOp>(op))
      return failure();
    return linalg::generalizeNamedOp(rewriter, op);
  }
};

struct DecomposeSoftmax : public OpRewritePattern<linalg::SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::SoftmaxOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> results = op.decomposeOperation(rewriter);
    if (failed(results))
      return failure();
    rewriter.replaceOp(op, *results);
    return success();
  }
};

/// Ops that cost many times what an addition does, or may touch other memory.
bool isExpensive(Operation &op) {
  if (isa<arith::DivFOp, arith::DivSIOp, arith::DivUIOp, arith::RemFOp,
          arith::RemSIOp, arith::RemUIOp, arith::FloorDivSIOp,
          arith::CeilDivSIOp, arith::CeilDivUIOp>(op))
    return true;
  if (isa<math::AbsFOp, math::AbsIOp, math::FloorOp, math::CeilOp,
          math::RoundEvenOp, math::TruncOp, math::CopySignOp, math::FmaOp>(op))
    return false;
  return op.getNumRegions() != 0 || !isa<arith::ArithDialect>(op.getDialect());
}

/// The body is a few arithmetic ops, so that it may be repeated.
bool isCheap(linalg::GenericOp op, int64_t limit) {
  int64_t ops = 0;
  for (Operation &bodyOp : op.getBody()->without_terminator()) {
    if (isa<arith::ConstantOp, linalg::IndexOp>(bodyOp))
      continue;
    if (isExpensive(bodyOp) || ++ops > limit)
      return false;
  }
  return true;
}

/// Reads at most one tensor of the size of its result, in the result's order:
/// to read it again costs what reading a stored result would.
bool readsOneStream(linalg::GenericOp op) {
  unsigned streams = 0;
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    if (map.getNumResults() < op.getNumLoops())
      continue;
    if (!map.isIdentity() || ++streams > 1)
      return false;
  }
  return true;
}

/// The consumer's loops run over each element of the operand more than once.
bool isReadRepeatedly(linalg::GenericOp consumer, OpOperand *operand) {
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  SmallVector<int64_t> ranges = consumer.getStaticLoopRanges();
  for (unsigned dim = 0; dim < consumer.getNumLoops(); ++dim)
    if (ranges[dim] != 1 && !map.isFunctionOfDim(dim))
      return true;
  return !map.isProjectedPermutation(/*allowZeroInResults=*/true);
}

bool isKernelOfItsOwn(linalg::GenericOp op) {
  return linalg::isaContractionOpInterface(op) ||
         linalg::isaConvolutionOpInterface(op);
}

/// Bodies beyond this read so many arrays at once that fusing does not pay.
constexpr unsigned maxInputs = 16;

bool shouldFuse(OpOperand *operand, int64_t cheapOps) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || isKernelOfItsOwn(consumer))
    return false;
  if (producer.getNumDpsInputs() + consumer.getNumDpsInputs() > maxInputs)
    return false;
  bool once =
      operand->get().hasOneUse() && !isReadRepeatedly(consumer, operand);
  if (once && producer.getNumDpsInits() == 1)
    return true;
  if (!isCheap(producer, cheapOps))
    return false;
  return operand->get().hasOneUse() || readsOneStream(producer);
}

bool isMovableAcross(linalg::GenericOp op) {
  return op && linalg::isElementwise(op) && op.getNumDpsInits() == 1 &&
         !op.hasIndexSemantics();
}

/// Moves a reshape only if that brings two elementwise ops together.
bool shouldMoveReshape(OpOperand *operand) {
  Operation *producer = operand->get().getDefiningOp();
  Operation *consumer = operand->getOwner();
  if (!producer || !operand->get().hasOneUse())
    return false;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(consumer)) {
    if (!expand->hasOneUse() ||
        !isMovableAcross(dyn_cast<linalg::GenericOp>(producer)))
      return false;
    return isMovableAcross(
        dyn_cast<linalg::GenericOp>(*expand->getUsers().begin()));
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(producer)) {
    auto source = collapse.getSrc().getDefiningOp<linalg::GenericOp>();
    return collapse.getSrc().hasOneUse() && isMovableAcross(source) &&
           isMovableAcross(dyn_cast<linalg::GenericOp>(consumer));
  }
  return false;
}

struct FuseElementwisePass
    : public bitnet::impl::FuseElementwiseBase<FuseElementwisePass> {
  using FuseElementwiseBase::FuseElementwiseBase;

  void runOnOperation() override {
    if (failed(decompose()))
      return signalPassFailure();
    unsigned before = countLinalgOps();
    RewritePatternSet patterns(&getContext());
    int64_t limit = cheapOps;
    linalg::populateElementwiseOpsFusionPatterns(
        patterns,
        [limit](OpOperand *operand) { return shouldFuse(operand, limit); });
    linalg::populateFoldReshapeOpsByExpansionPatterns(patterns,
                                                      shouldMoveReshape);
    linalg::populateInlineConstantOperandsPatterns(patterns);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns,
                                                         &getContext());
    tensor::EmptyOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    removed += before - std::min(before, countLinalgOps());
  }

private:
  LogicalResult decompose() {
    RewritePatternSet patterns(&getContext());
    patterns.add<GeneralizeElementwise, DecomposeSoftmax>(&getContext());
    linalg::populateDecomposePadPatterns(patterns);
    tensor::populateDecomposeTensorConcatPatterns(patterns);
    return applyPatternsGreedily(getOperation(), std::move(patterns));
  }

  unsigned countLinalgOps() {
    unsigned count = 0;
    getOperation()->walk([&](linalg::LinalgOp) { ++count; });
    return count;
  }
};

} // namespace
