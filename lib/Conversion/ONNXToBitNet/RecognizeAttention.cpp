//===- RecognizeAttention.cpp - Scaled dot-product attention --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "MatchUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <numeric>

namespace bitnet {
#define GEN_PASS_DEF_RECOGNIZEATTENTION
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// What a bitnet.attention is made of.
struct AttentionMatch {
  Value query, key, value, mask;
  double scale = 1.0;
  bool causal = false;
};

struct RecognizeAttention
    : public bitnet::impl::RecognizeAttentionBase<RecognizeAttention> {
  void runOnOperation() override;
};

} // namespace

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// Sees through products with and quotients by scalars, which it multiplies.
static Value lookThroughScale(Value value, double &scale) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<onnx::MulOp, onnx::DivOp>(op))
      break;
    bool divides = isa<onnx::DivOp>(op);
    unsigned constant = !divides && getScalar(op->getOperand(0)) ? 0 : 1;
    auto scalar = getScalar(op->getOperand(constant));
    Value other = op->getOperand(1 - constant);
    if (!scalar || *scalar == 0.0 || other.getType() != value.getType())
      break;
    scale = divides ? scale / *scalar : scale * *scalar;
    value = other;
  }
  return value;
}

/// Sees the keys or values of every query head as those of their groups, which
/// Unsqueeze, Expand (or Tile) and Reshape repeat.
static Value lookThroughGroups(Value value) {
  auto reshape = value.getDefiningOp<onnx::ReshapeOp>();
  if (!reshape || !isF32Tensor(value, 4))
    return value;
  Value repeated = reshape.getData();
  Operation *op = repeated.getDefiningOp();
  if (!op || !isa<onnx::ExpandOp, onnx::TileOp>(op))
    return value;
  Value unsqueezed = op->getOperand(0);
  auto unsqueeze = unsqueezed.getDefiningOp<onnx::UnsqueezeOp>();
  RankedTensorType from = getTensorType(unsqueezed);
  RankedTensorType to = getTensorType(repeated);
  Value groups;
  if (unsqueeze) {
    auto axes = onnx::getConstantInts(unsqueeze.getAxes());
    if (!axes || axes->size() != 1 ||
        (axes->front() != 2 && axes->front() != -3))
      return value;
    groups = unsqueeze.getData();
  } else if (auto view = unsqueezed.getDefiningOp<onnx::ReshapeOp>()) {
    groups = view.getData();
  }
  if (!groups || !isF32Tensor(groups, 4) || from.getRank() != 5 ||
      to.getRank() != 5 || from.getDimSize(2) != 1)
    return value;
  RankedTensorType source = getTensorType(groups);
  RankedTensorType heads = getTensorType(value);
  int64_t count = source.getDimSize(1), repeats = to.getDimSize(2);
  auto agree = [](int64_t a, int64_t b) { return a == b; };
  bool matches = !ShapedType::isDynamic(count) &&
                 !ShapedType::isDynamic(repeats) &&
                 from.getDimSize(1) == count && to.getDimSize(1) == count &&
                 heads.getDimSize(1) == count * repeats &&
                 agree(from.getDimSize(4), source.getDimSize(3)) &&
                 agree(to.getDimSize(4), source.getDimSize(3)) &&
                 agree(heads.getDimSize(3), source.getDimSize(3)) &&
                 agree(heads.getDimSize(2), source.getDimSize(2)) &&
                 agree(heads.getDimSize(0), source.getDimSize(0));
  // A view in the place of Unsqueeze must keep the other dimensions.
  if (!unsqueeze)
    matches &= agree(from.getDimSize(0), source.getDimSize(0)) &&
               agree(from.getDimSize(3), source.getDimSize(2));
  return matches ? groups : value;
}

/// k of its transpose [B, G, D, T]; a transpose that also moves heads is split.
static Value matchTransposedKeys(OpBuilder &builder, Value value) {
  auto transpose = value.getDefiningOp<onnx::TransposeOp>();
  if (!transpose || !transpose.getPerm() || !isF32Tensor(value, 4))
    return {};
  SmallVector<int64_t> perm(*transpose.getPerm());
  std::swap(perm[2], perm[3]);
  if (perm == SmallVector<int64_t>{0, 1, 2, 3})
    return transpose.getData();
  RankedTensorType type = getTensorType(value);
  SmallVector<int64_t> shape(type.getShape());
  std::swap(shape[2], shape[3]);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(transpose);
  return onnx::TransposeOp::create(
      builder, transpose.getLoc(),
      RankedTensorType::get(shape, type.getElementType()), transpose.getData(),
      builder.getDenseI64ArrayAttr(perm));
}

/// A mask of rank up to 4 as one of rank 4.
static Value expandMask(OpBuilder &builder, Location loc, Value mask) {
  RankedTensorType type = getTensorType(mask);
  int64_t missing = 4 - type.getRank();
  if (missing == 0)
    return mask;
  SmallVector<int64_t> axes(missing), shape(missing, 1);
  std::iota(axes.begin(), axes.end(), 0);
  llvm::append_range(shape, type.getShape());
  auto axesType = RankedTensorType::get({missing}, builder.getI64Type());
  Value axesValue = onnx::ConstantOp::create(
      builder, loc, axesType,
      DenseElementsAttr::get(axesType, ArrayRef<int64_t>(axes)));
  return onnx::UnsqueezeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), mask,
      axesValue);
}

static Value makeScalar(OpBuilder &builder, Location loc, float value) {
  auto type = RankedTensorType::get({}, builder.getF32Type());
  return onnx::ConstantOp::create(builder, loc, type,
                                  DenseElementsAttr::get(type, value));
}

/// 0 where a boolean mask holds and `hidden` elsewhere, or the other way
/// around.
static Value makeAdditive(OpBuilder &builder, Location loc, Value condition,
                          Value hidden, bool hidesWhere = false) {
  auto type = cast<RankedTensorType>(
      getTensorType(condition).clone(builder.getF32Type()));
  Value shown = makeScalar(builder, loc, 0.0f);
  return onnx::WhereOp::create(builder, loc, type, condition,
                               hidesWhere ? hidden : shown,
                               hidesWhere ? shown : hidden);
}

/// Whether a mask broadcasts over scores [B, H, S, T].
static bool isMask(Value mask, RankedTensorType scores) {
  RankedTensorType type = getTensorType(mask);
  if (!type || type.getRank() < 1 || type.getRank() > 4)
    return false;
  int64_t offset = 4 - type.getRank();
  for (int64_t i = 0; i < type.getRank(); ++i) {
    int64_t extent = type.getDimSize(i), wanted = scores.getDimSize(i + offset);
    bool last = i + 1 == type.getRank();
    if (extent != wanted && !(extent == 1 && !last) &&
        !ShapedType::isDynamic(extent) && !ShapedType::isDynamic(wanted))
      return false;
    if (last && extent == 1 && wanted != 1)
      return false;
  }
  return true;
}

/// Splits the input of a softmax into a product of q and k, and a mask.
static onnx::MatMulOp matchScores(OpBuilder &builder, Value value,
                                  AttentionMatch &match) {
  RankedTensorType type = getTensorType(value);
  auto matchProduct = [&](Value product) -> onnx::MatMulOp {
    double scale = 1.0;
    auto matmul =
        lookThroughScale(product, scale).getDefiningOp<onnx::MatMulOp>();
    if (matmul)
      match.scale *= scale;
    return matmul;
  };
  if (auto matmul = matchProduct(value))
    return matmul;
  if (auto add = value.getDefiningOp<onnx::AddOp>()) {
    for (unsigned index : {0u, 1u}) {
      Value product = add->getOperand(index), mask = add->getOperand(1 - index);
      if (product.getType() != type || !isF32Tensor(mask, 0) ||
          !isMask(mask, type))
        continue;
      if (auto matmul = matchProduct(product)) {
        match.mask = expandMask(builder, add.getLoc(), mask);
        return matmul;
      }
    }
  }
  if (auto where = value.getDefiningOp<onnx::WhereOp>()) {
    // Where(seen, scores, fill), or Where(hidden, fill, scores).
    bool fillsFirst = getScalar(where.getX()).has_value();
    Value scores = fillsFirst ? where.getY() : where.getX();
    auto fill = getScalar(fillsFirst ? where.getX() : where.getY());
    if (!fill || *fill > -1e4 || scores.getType() != type ||
        !isMask(where.getCondition(), type))
      return {};
    if (auto matmul = matchProduct(scores)) {
      Value hidden =
          makeScalar(builder, where.getLoc(), static_cast<float>(*fill));
      match.mask = expandMask(builder, where.getLoc(),
                              makeAdditive(builder, where.getLoc(),
                                           where.getCondition(), hidden,
                                           /*hidesWhere=*/fillsFirst));
      return matmul;
    }
  }
  return {};
}

/// Probabilities, where a row without any key is made 0 instead of NaN.
static Value lookThroughSafeSoftmax(Value value) {
  auto where = value.getDefiningOp<onnx::WhereOp>();
  if (!where || !isScalar(where.getX(), 0.0))
    return value;
  auto test = where.getCondition().getDefiningOp<onnx::IsNaNOp>();
  return test && test.getInput() == where.getY() ? where.getY() : value;
}

/// Whether the operands fit a bitnet.attention giving `result`.
static bool isConsistent(const AttentionMatch &match, RankedTensorType result) {
  for (Value each : {match.query, match.key, match.value})
    if (!isF32Tensor(each, 4))
      return false;
  RankedTensorType query = getTensorType(match.query);
  RankedTensorType key = getTensorType(match.key);
  RankedTensorType value = getTensorType(match.value);
  int64_t heads = query.getDimSize(1), groups = key.getDimSize(1);
  return !ShapedType::isDynamic(heads) && !ShapedType::isDynamic(groups) &&
         groups > 0 && heads % groups == 0 && value.getDimSize(1) == groups &&
         query.getDimSize(3) == key.getDimSize(3) &&
         !ShapedType::isDynamic(query.getDimSize(3)) &&
         !ShapedType::isDynamic(value.getDimSize(3)) && result.getRank() == 4 &&
         result.getDimSize(1) == heads;
}

/// Takes keys and values of groups for those repeated for every query head.
static void removeRepetition(AttentionMatch &match) {
  Value key = lookThroughGroups(match.key);
  Value value = lookThroughGroups(match.value);
  if (key != match.key && value != match.value) {
    match.key = key;
    match.value = value;
  }
}

static std::optional<AttentionMatch> matchAttention(OpBuilder &builder,
                                                    onnx::MatMulOp output) {
  if (!isF32Tensor(output.getY(), 4))
    return std::nullopt;
  auto softmax =
      lookThroughSafeSoftmax(output.getA()).getDefiningOp<onnx::SoftmaxOp>();
  if (!softmax || !isF32Tensor(softmax.getInput(), 4))
    return std::nullopt;
  auto axis = onnx::normalizeAxis(softmax.getAxis(), 4);
  if (!axis || *axis != 3)
    return std::nullopt;
  AttentionMatch match;
  onnx::MatMulOp scores = matchScores(builder, softmax.getInput(), match);
  if (!scores)
    return std::nullopt;
  match.query = lookThroughScale(scores.getA(), match.scale);
  match.key = matchTransposedKeys(builder,
                                  lookThroughScale(scores.getB(), match.scale));
  if (!match.key)
    return std::nullopt;
  match.key = lookThroughScale(match.key, match.scale);
  match.value = output.getB();
  removeRepetition(match);
  if (!isConsistent(match, getTensorType(output.getY())))
    return std::nullopt;
  return match;
}

/// The standard's Attention on [B, H, S, D], without its rarer options.
static std::optional<AttentionMatch> matchStandard(OpBuilder &builder,
                                                   onnx::AttentionOp op) {
  bool hasPast = !onnx::isAbsent(op.getPastKey());
  bool hasPresent =
      !op.getPresentKey().use_empty() || !op.getPresentValue().use_empty();
  if (hasPast || hasPresent || !op.getQkMatmulOutput().use_empty() ||
      !onnx::isAbsent(op.getNonpadKvSeqlen()) || !op.getSoftcap().isZero() ||
      static_cast<int64_t>(op.getLeftWindowSize()) != -1 ||
      static_cast<int64_t>(op.getRightWindowSize()) != -1 ||
      !isF32Tensor(op.getQ(), 4))
    return std::nullopt;
  AttentionMatch match{op.getQ(), op.getK(), op.getV(),
                       {},        1.0,       op.getIsCausal() != 0};
  removeRepetition(match);
  if (!isConsistent(match, getTensorType(op.getY())))
    return std::nullopt;
  match.scale = op.getScale()
                    ? op.getScale()->convertToDouble()
                    : 1.0 / std::sqrt(static_cast<double>(
                                getTensorType(op.getQ()).getDimSize(3)));
  if (onnx::isAbsent(op.getAttnMask()))
    return match;
  RankedTensorType scores =
      RankedTensorType::get({getTensorType(op.getQ()).getDimSize(0),
                             getTensorType(op.getQ()).getDimSize(1),
                             getTensorType(op.getQ()).getDimSize(2),
                             getTensorType(op.getK()).getDimSize(2)},
                            builder.getF32Type());
  Value mask = op.getAttnMask();
  if (!isMask(mask, scores))
    return std::nullopt;
  Type element = getTensorType(mask).getElementType();
  if (element.isInteger(1))
    mask = makeAdditive(
        builder, op.getLoc(), mask,
        makeScalar(builder, op.getLoc(), -std::numeric_limits<float>::max()));
  else if (!element.isF32())
    return std::nullopt;
  match.mask = expandMask(builder, op.getLoc(), mask);
  return match;
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

static void replaceWithAttention(OpBuilder &builder, Location loc,
                                 const AttentionMatch &match, Value result) {
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, match.query);
  extents[3] = tensor::getMixedSize(builder, loc, match.value, 3);
  Value empty = makeEmpty(builder, loc, extents, builder.getF32Type());
  auto attention = bitnet::AttentionOp::create(
      builder, loc, empty.getType(), match.query, match.key, match.value,
      match.mask, /*position=*/Value(), empty,
      APFloat(static_cast<float>(match.scale)), match.causal);
  result.replaceAllUsesWith(
      castTo(builder, loc, attention.getResult(), result.getType()));
}

void RecognizeAttention::runOnOperation() {
  SmallVector<Operation *> candidates;
  getOperation()->walk([&](Operation *op) {
    if (isa<onnx::MatMulOp, onnx::AttentionOp>(op))
      candidates.push_back(op);
  });
  for (Operation *op : candidates) {
    OpBuilder builder(op);
    auto matmul = dyn_cast<onnx::MatMulOp>(op);
    auto match = matmul ? matchAttention(builder, matmul)
                        : matchStandard(builder, cast<onnx::AttentionOp>(op));
    if (!match)
      continue;
    replaceWithAttention(builder, op->getLoc(), *match, op->getResult(0));
    ++numAttentions;
  }
}
