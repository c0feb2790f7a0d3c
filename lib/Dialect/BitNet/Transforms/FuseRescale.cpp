//===- FuseRescale.cpp - Fuse a matmul with its rescale -------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace bitnet {
#define GEN_PASS_DEF_FUSERESCALE
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

struct FuseMatmulRescale : public OpRewritePattern<RescaleOp> {
  FuseMatmulRescale(MLIRContext *context, Pass::Statistic &fused)
      : OpRewritePattern(context), fused(fused) {}

  LogicalResult matchAndRewrite(RescaleOp rescale,
                                PatternRewriter &rewriter) const override {
    auto matmul = rescale.getAcc().getDefiningOp<MatmulOp>();
    if (!matmul || matmul.getPacking() || !matmul->hasOneUse() ||
        !rescale.getResult())
      return rewriter.notifyMatchFailure(rescale, "no matmul of its own");
    auto quantize = matmul.getLhs().getDefiningOp<QuantizeOp>();
    if (!quantize || quantize.getResults()[0] != matmul.getLhs())
      return rewriter.notifyMatchFailure(rescale, "no quantised activations");
    auto linear = LinearOp::create(
        rewriter, rescale.getLoc(), rescale.getResult().getType(),
        matmul.getLhs(), matmul.getWeight(), rescale.getScale(),
        rescale.getStep(), quantize.getResults()[2], /*bias=*/Value(),
        /*factor=*/Value(),
        /*addend=*/Value(), /*prepared=*/Value(), rescale.getOutput(),
        Activation::None, Lowering::Auto, /*packing=*/PackingAttr(),
        /*rows=*/IntegerAttr(),
        /*columns=*/IntegerAttr(), matmul.getMagnitudeAttr());
    rewriter.replaceOp(rescale, linear.getResult());
    ++fused;
    return success();
  }

  Pass::Statistic &fused;
};

struct FuseRescale : public bitnet::impl::FuseRescaleBase<FuseRescale> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseMatmulRescale>(&getContext(), numFused);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
