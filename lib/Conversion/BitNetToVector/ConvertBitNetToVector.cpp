//===- ConvertBitNetToVector.cpp - bitnet ops on memrefs to loops ---------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/BitNetToVector/BitNetToVector.h"

#include "Lowerings.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bitnet {
#define GEN_PASS_DEF_CONVERTBITNETTOVECTOR
#include "bitnet/Conversion/BitNetToVector/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

struct ConvertBitNetToVector
    : bitnet::impl::ConvertBitNetToVectorBase<ConvertBitNetToVector> {
  void runOnOperation() override {
    VectorTarget target(
        getOperation()->getAttrOfType<TargetAttr>("bitnet.target"));
    SmallVector<DestinationStyleOpInterface> ops;
    getOperation().walk([&](DestinationStyleOpInterface op) {
      if (isa<BitNetDialect>(op->getDialect()))
        ops.push_back(op);
    });
    for (DestinationStyleOpInterface op : ops) {
      if (!op.hasPureBufferSemantics()) {
        op.emitOpError("must be bufferized before it is lowered to loops");
        return signalPassFailure();
      }
      OpBuilder at(op);
      KernelBuilder builder(op.getLoc(), at);
      if (failed(lower(builder, op, target)))
        return signalPassFailure();
      op->erase();
    }
  }

  LogicalResult lower(KernelBuilder &b, Operation *op,
                      const VectorTarget &target) {
    return TypeSwitch<Operation *, LogicalResult>(op)
        .Case([&](QuantizeOp op) { return lowerQuantize(b, op); })
        .Case([&](NormOp op) { return lowerNorm(b, op); })
        .Case([&](RotaryOp op) { return lowerRotary(b, op); })
        .Case([&](CacheUpdateOp op) { return lowerCacheUpdate(b, op); })
        .Case([&](AttentionOp op) { return lowerAttention(b, op, target); })
        .Case([&](TopLogitsOp op) { return lowerTopLogits(b, op, target); })
        .Case([&](PrepareOp op) { return lowerPrepare(b, op); })
        .Case<LinearOp, MatmulOp>([&](auto op) -> LogicalResult {
          if (!op.getPacking())
            return op.emitOpError("has weights that are not packed: run the "
                                  "layout phase first");
          LowBitMatmul matmul(op);
          Lowering lowering = settleLowering(matmul, target);
          ++statisticOf(matmul, lowering);
          return lowerMatmul(b, matmul, target, lowering);
        })
        .Default([](Operation *op) {
          return op->emitOpError(
              "has no loops: the layout phase decomposes it");
        });
  }

  Pass::Statistic &statisticOf(const LowBitMatmul &matmul, Lowering lowering) {
    if (!matmul.getLhsElement().isInteger(8))
      return numWide;
    switch (lowering) {
    case Lowering::LUT:
      return numLUT;
    case Lowering::AddSub:
      return numAddSub;
    case Lowering::Popcount:
      return numPopcount;
    default:
      return numDot;
    }
  }
};

} // namespace
