//===- OwnResults.cpp - Results in buffers of their own -------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

namespace bitnet {
#define GEN_PASS_DEF_OWNRESULTS
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

namespace {

/// The tensor whose buffer `value` takes over as a whole, null where it has a
/// buffer of its own or its origin is not known.
Value getTakenOver(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ReshapeOp,
          tensor::CastOp>(op))
    return op->getOperand(0);
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return insert.getDest();
  if (auto insert = dyn_cast<tensor::InsertOp>(op))
    return insert.getDest();
  if (auto dps = dyn_cast<DestinationStyleOpInterface>(op))
    return dps.getTiedOpOperand(cast<OpResult>(value))->get();
  return {};
}

/// Bufferization will give `value` a whole new buffer.
bool isOwned(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<tensor::EmptyOp, tensor::FromElementsOp, tensor::GenerateOp,
            tensor::SplatOp, tensor::PadOp, tensor::ConcatOp,
            bufferization::AllocTensorOp>(op))
      return true;
    value = getTakenOver(value);
    if (!value)
      return false;
  }
  return false;
}

struct OwnResultsPass
    : public bitnet::impl::OwnResultsBase<OwnResultsPass> {
  using OwnResultsBase::OwnResultsBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    markArguments(function);
    function.walk([&](func::ReturnOp op) { copyResults(op); });
  }

private:
  void markArguments(func::FuncOp function) {
    StringRef name = bufferization::BufferizationDialect::kWritableAttrName;
    auto readOnly = BoolAttr::get(&getContext(), false);
    for (BlockArgument argument : function.getArguments())
      if (isa<TensorType>(argument.getType()) &&
          !function.getArgAttr(argument.getArgNumber(), name))
        function.setArgAttr(argument.getArgNumber(), name, readOnly);
  }

  void copyResults(func::ReturnOp op) {
    OpBuilder builder(op);
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = dyn_cast<RankedTensorType>(operand.get().getType());
      if (!type || isOwned(operand.get()))
        continue;
      operand.set(bufferization::AllocTensorOp::create(
          builder, op.getLoc(), type, /*dynamicSizes=*/ValueRange(),
          /*copy=*/operand.get(), /*memorySpace=*/IntegerAttr()));
      ++copies;
    }
  }
};

} // namespace
