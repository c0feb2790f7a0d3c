//===- CastDynamicExpansions.cpp - Expansions without metadata
//-------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace bitnet {
#define GEN_PASS_DEF_CASTDYNAMICEXPANSIONS
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

/// Whether a group of result dimensions has more than one dynamic extent.
static bool hasAmbiguousGroup(memref::ExpandShapeOp op) {
  MemRefType type = op.getResultType();
  return llvm::any_of(op.getReassociationIndices(),
                      [&](ArrayRef<int64_t> group) {
                        return llvm::count_if(group, [&](int64_t dim) {
                                 return type.isDynamicDim(dim);
                               }) > 1;
                      });
}

static void castExpansion(IRRewriter &rewriter, memref::ExpandShapeOp op) {
  Location loc = op.getLoc();
  rewriter.setInsertionPoint(op);
  auto metadata =
      memref::ExtractStridedMetadataOp::create(rewriter, loc, op.getSrc());
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  SmallVector<OpFoldResult> sourceStrides =
      metadata.getConstifiedMixedStrides();
  SmallVector<OpFoldResult> strides(sizes.size());
  for (auto [source, group] : llvm::enumerate(op.getReassociationIndices())) {
    OpFoldResult stride = sourceStrides[source];
    for (int64_t dim : llvm::reverse(group)) {
      strides[dim] = stride;
      Value product = rewriter.createOrFold<arith::MulIOp>(
          loc, getValueOrCreateConstantIndexOp(rewriter, loc, stride),
          getValueOrCreateConstantIndexOp(rewriter, loc, sizes[dim]));
      stride = getAsOpFoldResult(product);
    }
  }
  rewriter.replaceOpWithNewOp<memref::ReinterpretCastOp>(
      op, op.getResultType(), metadata.getBaseBuffer(),
      metadata.getConstifiedMixedOffset(), sizes, strides);
}

namespace {

struct CastDynamicExpansions
    : bitnet::impl::CastDynamicExpansionsBase<CastDynamicExpansions> {
  void runOnOperation() override {
    SmallVector<memref::ExpandShapeOp> expansions;
    getOperation().walk([&](memref::ExpandShapeOp op) {
      if (hasAmbiguousGroup(op))
        expansions.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (memref::ExpandShapeOp op : expansions)
      castExpansion(rewriter, op);
  }
};

} // namespace
