//===- Simplify.cpp - Bring equivalent spellings to one --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "bitnet/Dialect/ONNX/Transforms/Passes.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace bitnet::onnx {
#define GEN_PASS_DEF_SIMPLIFY
#include "bitnet/Dialect/ONNX/Transforms/Passes.h.inc"

namespace {
/// An op that only changes its first operand's shape, as a Reshape: possible
/// where one dimension of the result at most is dynamic.
template <typename OpT> struct ToReshape : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    if (type.getNumDynamicDims() > 1)
      return failure();
    SmallVector<int64_t> shape;
    for (int64_t extent : type.getShape()) {
      // -1 cannot be told where another dimension is 0.
      if (extent == 0)
        return failure();
      shape.push_back(ShapedType::isDynamic(extent) ? -1 : extent);
    }
    auto shapeType = RankedTensorType::get({static_cast<int64_t>(shape.size())},
                                           rewriter.getI64Type());
    Value shapeValue =
        ConstantOp::create(rewriter, op.getLoc(),
                           DenseElementsAttr::get(shapeType, ArrayRef(shape)));
    Attribute dims = op->getAttr("onnx.dims");
    auto reshape = rewriter.replaceOpWithNewOp<ReshapeOp>(
        op, type, op->getOperand(0), shapeValue);
    if (dims)
      reshape->setAttr("onnx.dims", dims);
    return success();
  }
};

/// Whether every element of a constant is 1.
bool isOne(Value value) {
  ElementsAttr constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return false;
  auto view = ElementsView<double>::get(constant);
  return view && !view->values().empty() &&
         llvm::all_of(view->values(), [](double v) { return v == 1.0; });
}

/// x * 1 and x / 1, as TorchScript writes 127 * (1 / x).
template <typename OpT> struct DropOne : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op,
                                PatternRewriter &rewriter) const override {
    Value lhs = op->getOperand(0), rhs = op->getOperand(1);
    if (std::is_same_v<OpT, MulOp> && isOne(lhs))
      std::swap(lhs, rhs);
    if (lhs.getType() != op->getResult(0).getType() || !isOne(rhs))
      return failure();
    rewriter.replaceOp(op, lhs);
    return success();
  }
};

struct Simplify : impl::SimplifyBase<Simplify> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    for (RegisteredOperationName op : context->getRegisteredOperations())
      if (isa<ONNXDialect>(op.getDialect()))
        op.getCanonicalizationPatterns(patterns, context);
    patterns.add<ToReshape<UnsqueezeOp>, ToReshape<SqueezeOp>,
                 ToReshape<FlattenOp>, DropOne<MulOp>, DropOne<DivOp>>(context);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace

} // namespace bitnet::onnx
