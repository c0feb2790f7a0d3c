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

/// The operand whose buffer `value` takes over as a whole; null where there is
/// none or it is not known.
OpOperand *getTakenOver(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ReshapeOp,
          tensor::CastOp>(op))
    return &op->getOpOperand(0);
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return &insert.getDestMutable();
  if (auto insert = dyn_cast<tensor::InsertOp>(op))
    return &insert.getDestMutable();
  if (auto dps = dyn_cast<DestinationStyleOpInterface>(op))
    return dps.getTiedOpOperand(cast<OpResult>(value));
  return nullptr;
}

/// The use of the new buffer that the tensor in `use` will lie in; null where
/// it lies in another's.
OpOperand *findNewBuffer(OpOperand *use) {
  while (use && use->get().getDefiningOp()) {
    if (isa<tensor::EmptyOp, tensor::FromElementsOp, tensor::GenerateOp,
            tensor::SplatOp, tensor::PadOp, tensor::ConcatOp,
            bufferization::AllocTensorOp>(use->get().getDefiningOp()))
      return use;
    use = getTakenOver(use->get());
  }
  return nullptr;
}

struct OwnResultsPass : public bitnet::impl::OwnResultsBase<OwnResultsPass> {
  using OwnResultsBase::OwnResultsBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    markArguments(function);
    function.walk([&](func::ReturnOp op) { ownResults(op); });
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

  void ownResults(func::ReturnOp op) {
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = dyn_cast<RankedTensorType>(operand.get().getType());
      if (!type)
        continue;
      if (OpOperand *buffer = findNewBuffer(&operand)) {
        keepApart(*buffer);
        continue;
      }
      OpBuilder builder(op);
      operand.set(bufferization::AllocTensorOp::create(
          builder, op.getLoc(), type, /*dynamicSizes=*/ValueRange(),
          /*copy=*/operand.get(), /*memorySpace=*/IntegerAttr()));
      ++copies;
    }
  }

  /// An empty tensor may be laid out as a part of another, an allocated one
  /// not.
  void keepApart(OpOperand &use) {
    auto empty = use.get().getDefiningOp<tensor::EmptyOp>();
    if (!empty)
      return;
    OpBuilder builder(empty);
    use.set(bufferization::AllocTensorOp::create(
        builder, empty.getLoc(), empty.getType(), empty.getDynamicSizes()));
  }
};

} // namespace
