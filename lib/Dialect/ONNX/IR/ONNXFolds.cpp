//===- ONNXFolds.cpp - Folders and canonicalizations of onnx ops --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace bitnet::onnx;

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }
OpFoldResult NoValueOp::fold(FoldAdaptor) {
  return UnitAttr::get(getContext());
}
OpFoldResult IdentityOp::fold(FoldAdaptor) {
  return getInput().getType() == getOutput().getType() ? getInput() : Value();
}

/// A result that equals an operand, if their types are the same: a type with
/// more dynamic dimensions would lose what is known.
static OpFoldResult sameTypeOperand(Value operand, Value result) {
  return operand.getType() == result.getType() ? operand : Value();
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  return sameTypeOperand(getInput(), getOutput());
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

OpFoldResult ShapeOp::fold(FoldAdaptor) {
  auto type = cast<RankedTensorType>(getData().getType());
  int64_t rank = type.getRank();
  auto clamp = [&](int64_t index) {
    return std::clamp<int64_t>(index < 0 ? index + rank : index, 0, rank);
  };
  int64_t start = clamp(getStart());
  int64_t end = clamp(getEnd().value_or(rank));
  ArrayRef<int64_t> dims =
      type.getShape().slice(start, std::max<int64_t>(end - start, 0));
  if (llvm::any_of(dims, ShapedType::isDynamic))
    return {};
  auto result = RankedTensorType::get({static_cast<int64_t>(dims.size())},
                                      IntegerType::get(getContext(), 64));
  if (result != getType())
    return {};
  return DenseElementsAttr::get(result, dims);
}

OpFoldResult SizeOp::fold(FoldAdaptor) {
  auto type = cast<RankedTensorType>(getData().getType());
  if (!type.hasStaticShape() ||
      getType() !=
          RankedTensorType::get({}, IntegerType::get(getContext(), 64)))
    return {};
  return DenseElementsAttr::get(cast<RankedTensorType>(getType()),
                                type.getNumElements());
}

/// A view of `data` as `result` that cannot change its shape.
static OpFoldResult foldReshapeLike(Value data, Value result) {
  auto type = cast<RankedTensorType>(result.getType());
  // With one dynamic dimension at most, equal types have equal extents.
  return type.getNumDynamicDims() <= 1 ? sameTypeOperand(data, result)
                                       : OpFoldResult();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  return foldReshapeLike(getData(), getReshaped());
}
OpFoldResult SqueezeOp::fold(FoldAdaptor) {
  return sameTypeOperand(getData(), getSqueezed());
}
OpFoldResult UnsqueezeOp::fold(FoldAdaptor) {
  return sameTypeOperand(getData(), getExpanded());
}

OpFoldResult ExpandOp::fold(FoldAdaptor) {
  // A dynamic dimension could be 1 and broadcast.
  if (cast<RankedTensorType>(getOutput().getType()).hasStaticShape())
    return sameTypeOperand(getInput(), getOutput());
  return {};
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getInputs().size() == 1
             ? sameTypeOperand(getInputs().front(), getConcatResult())
             : OpFoldResult();
}

/// The permutation, spelled out where the attribute is absent.
static SmallVector<int64_t> getPermutation(TransposeOp op) {
  if (std::optional<ArrayRef<int64_t>> perm = op.getPerm())
    return llvm::to_vector(*perm);
  int64_t rank = cast<RankedTensorType>(op.getData().getType()).getRank();
  return llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  SmallVector<int64_t> perm = getPermutation(*this);
  if (!llvm::equal(perm, llvm::seq<int64_t>(0, perm.size())))
    return {};
  return sameTypeOperand(getData(), getTransposed());
}

//===----------------------------------------------------------------------===//
// Canonicalizations
//===----------------------------------------------------------------------===//

namespace {
/// Transpose(Transpose(x)) is one Transpose.
struct MergeTransposes : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getData().getDefiningOp<TransposeOp>();
    if (!inner)
      return failure();
    SmallVector<int64_t> first = getPermutation(inner), perm;
    for (int64_t axis : getPermutation(op))
      perm.push_back(first[axis]);
    rewriter.replaceOpWithNewOp<TransposeOp>(
        op, op.getType(), inner.getData(), rewriter.getDenseI64ArrayAttr(perm));
    return success();
  }
};

/// Whether every value of `from` is one of `to`.
bool isLosslessCast(Type from, Type to) {
  if (from == to)
    return true;
  if (isa<FloatType>(from) && isa<FloatType>(to)) {
    if (to.isF64())
      return from.getIntOrFloatBitWidth() <= 64;
    return to.isF32() && from.getIntOrFloatBitWidth() < 32;
  }
  if (isa<IntegerType>(from) && isa<IntegerType>(to) && !to.isInteger(1)) {
    bool fromSigned = !from.isUnsignedInteger() && !from.isInteger(1);
    bool toSigned = !to.isUnsignedInteger();
    if (fromSigned && !toSigned)
      return false;
    return from.getIntOrFloatBitWidth() + (toSigned && !fromSigned) <=
           to.getIntOrFloatBitWidth();
  }
  // Integers that fit a float's significand.
  if (isa<IntegerType>(from) && isa<FloatType>(to))
    return from.getIntOrFloatBitWidth() <=
           cast<FloatType>(to).getFPMantissaWidth();
  return false;
}

/// Cast(Cast(x)) with a lossless inner one is one Cast.
struct MergeCasts : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<CastOp>();
    if (!inner || !isLosslessCast(getElementTypeOrSelf(inner.getInput()),
                                  getElementTypeOrSelf(inner.getOutput())))
      return failure();
    rewriter.modifyOpInPlace(
        op, [&] { op.getInputMutable().assign(inner.getInput()); });
    return success();
  }
};

struct CastLikeToCast : OpRewritePattern<CastLikeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastLikeOp op,
                                PatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<CastOp>(op, op.getType(), op.getInput(),
                                        IntegerAttr(), op.getSaturateAttr(),
                                        op.getRoundModeAttr());
    return success();
  }
};

/// Dropout in inference is its input.
struct DropInferenceDropout : OpRewritePattern<DropoutOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DropoutOp op,
                                PatternRewriter &rewriter) const override {
    if (!isAbsent(op.getTrainingMode())) {
      DenseElementsAttr mode;
      if (!matchPattern(op.getTrainingMode(), m_Constant(&mode)) ||
          !mode.isSplat() || mode.getSplatValue<bool>())
        return failure();
    }
    if (!op.getMask().use_empty() ||
        op.getData().getType() != op.getOutput().getType())
      return failure();
    rewriter.replaceAllUsesWith(op.getOutput(), op.getData());
    rewriter.eraseOp(op);
    return success();
  }
};

/// Reshape(Reshape(x)) keeps the outer, unless its shape copies dimensions.
struct MergeReshapes : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getData().getDefiningOp<ReshapeOp>();
    if (!inner)
      return failure();
    std::optional<SmallVector<int64_t>> shape = getConstantInts(op.getShape());
    if (!shape || llvm::is_contained(*shape, 0))
      return failure();
    rewriter.modifyOpInPlace(
        op, [&] { op.getDataMutable().assign(inner.getData()); });
    return success();
  }
};
} // namespace

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<MergeTransposes>(context);
}
void CastOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add<MergeCasts>(context);
}
void CastLikeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                             MLIRContext *context) {
  patterns.add<CastLikeToCast>(context);
}
void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<MergeReshapes>(context);
}
void DropoutOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<DropInferenceDropout>(context);
}
