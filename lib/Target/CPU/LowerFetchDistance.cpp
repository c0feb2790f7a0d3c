//===- LowerFetchDistance.cpp - Distances of prefetches from the host -----===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostCalls.h"
#include "MemRefParts.h"
#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "bitnet/Target/CPU/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bitnet {
#define GEN_PASS_DEF_LOWERFETCHDISTANCE
#include "bitnet/Target/CPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

static_assert(int(Fetch::Far) == BN_FETCH_FAR &&
              int(Fetch::Near) == BN_FETCH_NEAR);

static Value loadDistance(ImplicitLocOpBuilder &builder, Value call,
                          Fetch fetch) {
  Value environment = loadField(builder, call, offsetof(bn_call, environment),
                                getPointerType(builder));
  size_t offset = offsetof(bn_environment, fetch_distance) + size_t(fetch) * 8;
  Value distance =
      loadField(builder, environment, offset, builder.getI64Type());
  return fromLLVM(builder, builder.getIndexType(), distance);
}

static LogicalResult lower(func::FuncOp func) {
  SmallVector<FetchDistanceOp> ops;
  func.walk([&](FetchDistanceOp op) { ops.push_back(op); });
  if (ops.empty())
    return success();
  Block &entry = func.getBody().front();
  if (!entry.getNumArguments() ||
      !isa<LLVM::LLVMPointerType>(entry.getArgument(0).getType()))
    return ops.front().emitOpError(
        "needs a function whose first argument is the call");
  auto builder = ImplicitLocOpBuilder::atBlockBegin(func.getLoc(), &entry);
  Value distances[2];
  for (FetchDistanceOp op : ops) {
    Value &distance = distances[size_t(op.getFetch())];
    if (!distance)
      distance = loadDistance(builder, entry.getArgument(0), op.getFetch());
    op.replaceAllUsesWith(distance);
    op.erase();
  }
  return success();
}

namespace {
struct LowerFetchDistance
    : bitnet::impl::LowerFetchDistanceBase<LowerFetchDistance> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (failed(lower(func)))
        return signalPassFailure();
  }
};
} // namespace
