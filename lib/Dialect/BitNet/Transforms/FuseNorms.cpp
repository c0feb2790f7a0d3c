//===- FuseNorms.cpp - Quantise norms in one pass -------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"

namespace bitnet {
#define GEN_PASS_DEF_FUSENORMS
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

struct FuseNorms : public bitnet::impl::FuseNormsBase<FuseNorms> {
  void runOnOperation() override {
    getOperation()->walk([&](QuantizeOp quantize) { fuse(quantize); });
  }

private:
  void fuse(QuantizeOp quantize) {
    auto norm = quantize.getInput().getDefiningOp<NormOp>();
    if (!norm || !norm->hasOneUse() ||
        norm->getBlock() != quantize->getBlock() || quantize.getNorm() ||
        quantize.getGranularity() != Granularity::Token)
      return;
    quantize.getInputMutable().assign(norm.getInput());
    if (Value weight = norm.getWeight())
      quantize.getWeightMutable().assign(weight);
    if (Value bias = norm.getBias())
      quantize.getBiasMutable().assign(bias);
    quantize.setNorm(norm.getKind());
    quantize.setNormEpsilonAttr(norm.getEpsilonAttr());
    norm->erase();
    ++numFused;
  }
};

} // namespace
