//===- SimplifyMovement.cpp - Transposes of unit dimensions ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "MatchUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace bitnet {
#define GEN_PASS_DEF_SIMPLIFYMOVEMENT
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

struct SimplifyMovement
    : public bitnet::impl::SimplifyMovementBase<SimplifyMovement> {
  void runOnOperation() override;
};

} // namespace

/// Whether the dimensions other than 1 keep their order.
static bool keepsOrder(onnx::TransposeOp op) {
  RankedTensorType type = getTensorType(op.getData());
  if (!op.getPerm() || !getTensorType(op.getTransposed()).hasStaticShape())
    return false;
  int64_t previous = -1;
  std::optional<ArrayRef<int64_t>> perm = op.getPerm();
  for (int64_t dim : *perm) {
    if (type.getDimSize(dim) == 1)
      continue;
    if (dim < previous)
      return false;
    previous = dim;
  }
  return true;
}

void SimplifyMovement::runOnOperation() {
  SmallVector<onnx::TransposeOp> transposes;
  getOperation()->walk([&](onnx::TransposeOp op) {
    if (keepsOrder(op))
      transposes.push_back(op);
  });
  for (onnx::TransposeOp op : transposes) {
    OpBuilder builder(op);
    RankedTensorType type = getTensorType(op.getTransposed());
    auto shapeType =
        RankedTensorType::get({type.getRank()}, builder.getI64Type());
    Value shape = onnx::ConstantOp::create(
        builder, op.getLoc(), shapeType,
        DenseElementsAttr::get(shapeType, type.getShape()));
    op.getTransposed().replaceAllUsesWith(onnx::ReshapeOp::create(
        builder, op.getLoc(), type, op.getData(), shape, /*allowzero=*/0));
    op.erase();
    ++numTransposes;
  }
}
