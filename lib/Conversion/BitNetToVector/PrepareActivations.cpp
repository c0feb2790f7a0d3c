//===- PrepareActivations.cpp - Lowerings and what they read --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/BitNetToVector/BitNetToVector.h"

#include "Lowerings.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace bitnet {
#define GEN_PASS_DEF_PREPAREACTIVATIONS
#include "bitnet/Conversion/BitNetToVector/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

struct PrepareActivations
    : bitnet::impl::PrepareActivationsBase<PrepareActivations> {
  void runOnOperation() override {
    VectorTarget target(
        getOperation()->getAttrOfType<TargetAttr>("bitnet.target"));
    getOperation().walk([&](Operation *op) {
      if (auto linear = dyn_cast<LinearOp>(op))
        settle(linear, target);
      else if (auto matmul = dyn_cast<MatmulOp>(op))
        settle(matmul, target);
    });
  }

private:
  template <typename OpTy> void settle(OpTy op, const VectorTarget &target) {
    // An op with prepared activations is settled.
    if (!op.getPacking() || op.getPrepared() || !op.hasPureTensorSemantics())
      return;
    Lowering lowering = settleLowering(LowBitMatmul(op), target);
    if (op.getLowering() != Lowering::Auto && lowering != op.getLowering())
      ++numReplaced;
    op.setLowering(lowering);
    SmallVector<int64_t> tokenBlocks;
    if (lowering == Lowering::LUT)
      tokenBlocks = chooseTokenBlocks(LowBitMatmul(op), target);
    auto lhs = cast<RankedTensorType>(op.getLhs().getType());
    RankedTensorType type = PrepareOp::getPreparedType(
        lowering, *op.getPacking(), lhs.getDimSize(0), op.getK());
    if (!type)
      return;
    OpBuilder b(op);
    SmallVector<Value> dynamic;
    if (lhs.isDynamicDim(0))
      dynamic.push_back(tensor::DimOp::create(b, op.getLoc(), op.getLhs(), 0));
    Value empty = tensor::EmptyOp::create(b, op.getLoc(), type, dynamic);
    auto prepare = PrepareOp::create(b, op.getLoc(), type, op.getLhs(), empty,
                                     lowering, *op.getPacking(), tokenBlocks);
    op.setTokenBlocks(tokenBlocks);
    op.getPreparedMutable().assign(prepare.getResult());
    ++numPrepared;
  }
};

} // namespace
