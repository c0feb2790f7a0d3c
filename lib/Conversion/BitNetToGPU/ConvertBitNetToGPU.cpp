//===- ConvertBitNetToGPU.cpp - bitnet ops on memrefs to launches ---------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/BitNetToGPU/BitNetToGPU.h"

#include "Lowerings.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bitnet {
#define GEN_PASS_DEF_CONVERTBITNETTOGPU
#include "bitnet/Conversion/BitNetToGPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

struct ConvertBitNetToGPU
    : bitnet::impl::ConvertBitNetToGPUBase<ConvertBitNetToGPU> {
  void runOnOperation() override {
    std::unique_ptr<DeviceTarget> device = DeviceTarget::get(
        getOperation()->getAttrOfType<TargetAttr>("bitnet.target"));
    if (!device) {
      getOperation().emitError("expected a bitnet.target that names a GPU");
      return signalPassFailure();
    }
    SmallVector<DestinationStyleOpInterface> ops;
    getOperation().walk([&](DestinationStyleOpInterface op) {
      if (isa<BitNetDialect>(op->getDialect()))
        ops.push_back(op);
    });
    for (DestinationStyleOpInterface op : ops) {
      if (!op.hasPureBufferSemantics()) {
        op.emitOpError("must be bufferized before it is lowered to launches");
        return signalPassFailure();
      }
      OpBuilder at(op);
      LaunchBuilder builder(op.getLoc(), at, *device);
      if (failed(lower(builder, op)))
        return signalPassFailure();
      op->erase();
      ++numLowered;
    }
  }

  LogicalResult lower(LaunchBuilder &b, Operation *op) {
    return TypeSwitch<Operation *, LogicalResult>(op)
        .Case([&](QuantizeOp op) { return launchQuantize(b, op); })
        .Case([&](NormOp op) { return launchNorm(b, op); })
        .Case([&](RotaryOp op) { return launchRotary(b, op); })
        .Case([&](CacheUpdateOp op) { return launchCacheUpdate(b, op); })
        .Case([&](AttentionOp op) { return launchAttention(b, op); })
        .Case<LinearOp, MatmulOp>(
            [&](auto op) { return launchMatmul(b, LowBitMatmul(op)); })
        .Default([](Operation *op) {
          return op->emitOpError(
              "has no kernel: the layout phase decomposes it");
        });
  }
};

} // namespace
