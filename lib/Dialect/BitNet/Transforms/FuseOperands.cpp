//===- FuseOperands.cpp - Gates and residuals of linear layers ------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace bitnet {
#define GEN_PASS_DEF_FUSEOPERANDS
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// The product or sum of two tensors of one shape; null where an op is another.
Operation *matchElementwise(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      !op.hasPureTensorSemantics() ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !llvm::all_of(op.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return nullptr;
  Block *body = op.getBlock();
  Operation *result = &body->front();
  if (!isa<arith::MulFOp, arith::AddFOp>(result) ||
      result->getNextNode() != body->getTerminator() ||
      body->getTerminator()->getOperand(0) != result->getResult(0) ||
      result->getOperand(0) == result->getOperand(1))
    return nullptr;
  bool takesInputs = llvm::all_of(result->getOperands(), [&](Value operand) {
    return operand == body->getArgument(0) || operand == body->getArgument(1);
  });
  return takesInputs ? result : nullptr;
}

/// The linear layer of which `value` is all, as rows or spread over several
/// dimensions.
LinearOp getLinear(Value value, tensor::ExpandShapeOp &expand) {
  if (!value.hasOneUse())
    return {};
  expand = value.getDefiningOp<tensor::ExpandShapeOp>();
  if (!expand)
    return value.getDefiningOp<LinearOp>();
  auto linear = expand.getSrc().getDefiningOp<LinearOp>();
  if (!linear || !linear->hasOneUse() ||
      expand.getReassociationIndices().back().size() != 1)
    return {};
  return linear;
}

struct FuseElementwiseOperand
    : public OpInterfaceRewritePattern<linalg::LinalgOp> {
  FuseElementwiseOperand(MLIRContext *context, Pass::Statistic &factors,
                         Pass::Statistic &addends)
      : OpInterfaceRewritePattern(context), factors(factors), addends(addends) {
  }

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    Operation *arithmetic = matchElementwise(op);
    if (!arithmetic)
      return failure();
    bool isFactor = isa<arith::MulFOp>(arithmetic);
    for (int64_t i : {0, 1}) {
      tensor::ExpandShapeOp expand;
      Value value = op->getOperand(i), other = op->getOperand(1 - i);
      LinearOp linear = getLinear(value, expand);
      if (!linear || linear->getBlock() != op->getBlock() ||
          value.getType() != other.getType() ||
          value.getType() != op->getResult(0).getType() || linear.getAddend() ||
          (isFactor && linear.getFactor()))
        continue;
      fuse(rewriter, op, linear, expand, other, isFactor);
      return success();
    }
    return failure();
  }

private:
  void fuse(PatternRewriter &rewriter, linalg::LinalgOp op, LinearOp linear,
            tensor::ExpandShapeOp expand, Value other, bool isFactor) const {
    // The other operand may be defined after the linear layer.
    rewriter.moveOpBefore(linear, op);
    if (expand) {
      rewriter.moveOpBefore(expand, op);
      rewriter.setInsertionPoint(linear);
      other = rewriter.createOrFold<tensor::CollapseShapeOp>(
          op.getLoc(), linear.getResult().getType(), other,
          expand.getReassociationIndices());
    }
    rewriter.modifyOpInPlace(linear, [&] {
      (isFactor ? linear.getFactorMutable() : linear.getAddendMutable())
          .assign(other);
    });
    rewriter.replaceOp(op, expand ? expand.getResult() : linear.getResult());
    ++(isFactor ? factors : addends);
  }

  Pass::Statistic &factors, &addends;
};

struct FuseOperands : public bitnet::impl::FuseOperandsBase<FuseOperands> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseElementwiseOperand>(&getContext(), numFactors, numAddends);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
