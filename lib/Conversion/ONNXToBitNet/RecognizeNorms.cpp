//===- RecognizeNorms.cpp - RMSNorm and LayerNorm spellings ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "MatchUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/STLExtras.h"

#include <cmath>

namespace bitnet {
#define GEN_PASS_DEF_RECOGNIZENORMS
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// What a bitnet.norm is made of.
struct NormMatch {
  Value input, weight, bias;
  NormKind kind = NormKind::RMS;
  double epsilon = 0.0;
};

struct RecognizeNorms
    : public bitnet::impl::RecognizeNormsBase<RecognizeNorms> {
  void runOnOperation() override;
};

} // namespace

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// The operand of a mean over the last dimension that keeps it.
static Value matchRowMean(Value value) {
  auto mean = value.getDefiningOp<onnx::ReduceMeanOp>();
  if (!mean || mean.getKeepdims() == 0 || !isF32Tensor(mean.getData()))
    return {};
  int64_t rank = getTensorType(mean.getData()).getRank();
  auto axes = onnx::getReductionAxes(mean.getAxes(),
                                     mean.getNoopWithEmptyAxes() != 0, rank);
  if (!axes || axes->size() != 1 || axes->front() != rank - 1)
    return {};
  return mean.getData();
}

/// x of x * x.
static Value matchSquare(Value value) {
  if (auto mul = value.getDefiningOp<onnx::MulOp>())
    return mul.getLhs() == mul.getRhs() ? mul.getLhs() : Value();
  auto pow = value.getDefiningOp<onnx::PowOp>();
  if (pow && isScalar(pow.getExponent(), 2.0))
    return pow.getBase();
  return {};
}

/// mean(x^2) + epsilon, giving x.
static Value matchMeanSquare(Value value, double &epsilon) {
  epsilon = 0.0;
  if (auto add = value.getDefiningOp<onnx::AddOp>()) {
    bool constantFirst = getScalar(add.getLhs()).has_value();
    auto scalar = getScalar(constantFirst ? add.getLhs() : add.getRhs());
    if (!scalar || *scalar < 0.0)
      return {};
    epsilon = *scalar;
    value = constantFirst ? add.getRhs() : add.getLhs();
  }
  Value squares = matchRowMean(value);
  return squares ? matchSquare(squares) : Value();
}

/// sqrt(mean(x^2) + epsilon), giving x.
static Value matchRoot(Value value, double &epsilon) {
  if (auto sqrt = value.getDefiningOp<onnx::SqrtOp>())
    return matchMeanSquare(sqrt.getInput(), epsilon);
  auto pow = value.getDefiningOp<onnx::PowOp>();
  if (pow && isScalar(pow.getExponent(), 0.5))
    return matchMeanSquare(pow.getBase(), epsilon);
  return {};
}

/// 1 / sqrt(mean(x^2) + epsilon), giving x.
static Value matchInverseRoot(Value value, double &epsilon) {
  if (auto reciprocal = value.getDefiningOp<onnx::ReciprocalOp>())
    return matchRoot(reciprocal.getInput(), epsilon);
  if (auto div = value.getDefiningOp<onnx::DivOp>())
    return isScalar(div.getLhs(), 1.0) ? matchRoot(div.getRhs(), epsilon)
                                       : Value();
  auto pow = value.getDefiningOp<onnx::PowOp>();
  if (pow && isScalar(pow.getExponent(), -0.5))
    return matchMeanSquare(pow.getBase(), epsilon);
  return {};
}

namespace {

/// The factors of a product, whatever its association.
struct Factors {
  SmallVector<Value> others;
  SmallVector<double> weight = {1.0};
  /// What the root is taken of.
  Value source;
  double epsilon = 0.0;
};

} // namespace

static bool multiplyWeight(Factors &factors, ArrayRef<double> constant) {
  if (factors.weight.size() == 1)
    factors.weight.resize(constant.size(), factors.weight.front());
  if (constant.size() != 1 && constant.size() != factors.weight.size())
    return false;
  for (size_t i = 0; i < factors.weight.size(); ++i)
    factors.weight[i] *= constant[constant.size() == 1 ? 0 : i];
  return true;
}

/// Adds the factors of `value`; inner products must have no other user.
static bool collectFactors(Value value, int64_t width, bool isRoot,
                           Factors &factors, int depth = 0) {
  constexpr int kMaxDepth = 4;
  if (depth > kMaxDepth || factors.others.size() > 1)
    return false;
  double epsilon;
  if (Value source = matchInverseRoot(value, epsilon)) {
    if (factors.source)
      return false;
    factors.source = source;
    factors.epsilon = epsilon;
    return true;
  }
  if (auto constant = getLastDimVector(value, width))
    return multiplyWeight(factors, *constant);
  bool expands = isRoot || value.hasOneUse();
  if (auto mul = value.getDefiningOp<onnx::MulOp>(); mul && expands)
    return collectFactors(mul.getLhs(), width, false, factors, depth + 1) &&
           collectFactors(mul.getRhs(), width, false, factors, depth + 1);
  if (auto div = value.getDefiningOp<onnx::DivOp>(); div && expands)
    if (Value source = matchRoot(div.getRhs(), epsilon)) {
      if (factors.source)
        return false;
      factors.source = source;
      factors.epsilon = epsilon;
      return collectFactors(div.getLhs(), width, false, factors, depth + 1);
    }
  factors.others.push_back(value);
  return true;
}

static bool isSplat(ArrayRef<double> values, double expected) {
  return llvm::all_of(values, [&](double v) { return v == expected; });
}

static Value makeWeight(OpBuilder &builder, Location loc,
                        SmallVector<double> values, int64_t width) {
  if (values.size() == 1)
    values.resize(width, values.front());
  return makeVector(builder, loc, values);
}

/// A product of x, the inverse root of its mean square, and constants.
static std::optional<NormMatch> matchProduct(OpBuilder &builder,
                                             Operation *op) {
  Value result = op->getResult(0);
  if (!isF32Tensor(result))
    return std::nullopt;
  int64_t width = getTensorType(result).getShape().back();
  Factors factors;
  if (ShapedType::isDynamic(width) ||
      !collectFactors(result, width, true, factors) || !factors.source ||
      factors.others.size() != 1 || factors.others[0] != factors.source ||
      factors.source.getType() != result.getType())
    return std::nullopt;
  NormMatch match;
  match.input = factors.source;
  match.epsilon = factors.epsilon;
  // The root of the mean square of what is centred is the standard deviation.
  if (auto sub = factors.source.getDefiningOp<onnx::SubOp>())
    if (matchRowMean(sub.getRhs()) == sub.getLhs()) {
      match.input = sub.getLhs();
      match.kind = NormKind::Layer;
    }
  if (!isSplat(factors.weight, 1.0))
    match.weight = makeWeight(builder, op->getLoc(), factors.weight, width);
  return match;
}

/// A scale or bias of the standard's norms: null where it does nothing.
static bool matchParameter(Value value, int64_t width, double neutral,
                           Value &parameter) {
  if (onnx::isAbsent(value))
    return true;
  if (auto constant = getLastDimVector(value, width))
    if (isSplat(*constant, neutral))
      return true;
  if (!isF32Tensor(value, 1) || getTensorType(value).getDimSize(0) != width)
    return false;
  parameter = value;
  return true;
}

template <typename OpTy>
static std::optional<NormMatch> matchStandard(OpTy op, Value scale, Value bias,
                                              NormKind kind) {
  if (!isF32Tensor(op.getX()) ||
      op.getX().getType() != op->getResult(0).getType())
    return std::nullopt;
  RankedTensorType type = getTensorType(op.getX());
  int64_t width = type.getShape().back();
  auto axis = onnx::normalizeAxis(op.getAxis(), type.getRank());
  NormMatch match;
  match.input = op.getX();
  match.kind = kind;
  match.epsilon = op.getEpsilon().convertToDouble();
  if (!axis || *axis != type.getRank() - 1 || ShapedType::isDynamic(width) ||
      !matchParameter(scale, width, 1.0, match.weight) ||
      (bias && !matchParameter(bias, width, 0.0, match.bias)))
    return std::nullopt;
  for (Value extra : op->getResults().drop_front())
    if (!extra.use_empty())
      return std::nullopt;
  return match;
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// A constant that is added to the only use of a norm becomes its bias.
static Value fuseBias(OpBuilder &builder, NormMatch &match, Value result) {
  if (match.bias || !result.hasOneUse())
    return result;
  auto add = dyn_cast<onnx::AddOp>(*result.user_begin());
  if (!add || add.getType() != result.getType())
    return result;
  int64_t width = getTensorType(result).getShape().back();
  Value other = add.getLhs() == result ? add.getRhs() : add.getLhs();
  auto bias = getLastDimVector(other, width);
  if (!bias || bias->size() == 1)
    return result;
  match.bias = makeWeight(builder, add.getLoc(), *bias, width);
  return add.getOutput();
}

static void replaceWithNorm(OpBuilder &builder, Location loc,
                            const NormMatch &match, Value result) {
  Value rows = collapseRows(builder, loc, match.input);
  Value empty = makeEmptyLike(builder, loc, rows);
  auto norm = NormOp::create(builder, loc, empty.getType(), rows, match.weight,
                             match.bias, empty, match.kind,
                             APFloat(static_cast<float>(match.epsilon)));
  result.replaceAllUsesWith(expandRows(builder, loc, norm.getResult(),
                                       match.input, getTensorType(result)));
}

static std::optional<NormMatch> matchNorm(OpBuilder &builder, Operation *op) {
  if (isa<onnx::MulOp, onnx::DivOp>(op))
    return matchProduct(builder, op);
  if (auto layer = dyn_cast<onnx::LayerNormalizationOp>(op))
    return matchStandard(layer, layer.getScale(), layer.getB(),
                         NormKind::Layer);
  if (auto rms = dyn_cast<onnx::RMSNormalizationOp>(op))
    return matchStandard(rms, rms.getScale(), Value(), NormKind::RMS);
  return std::nullopt;
}

void RecognizeNorms::runOnOperation() {
  // The last op of a spelling comes first, as it holds the others.
  SmallVector<Operation *> candidates;
  getOperation()->walk([&](Operation *op) {
    if (isa<onnx::MulOp, onnx::DivOp, onnx::LayerNormalizationOp,
            onnx::RMSNormalizationOp>(op))
      candidates.push_back(op);
  });
  for (Operation *op : llvm::reverse(candidates)) {
    if (op->use_empty())
      continue;
    OpBuilder builder(op);
    auto match = matchNorm(builder, op);
    if (!match)
      continue;
    Value result = fuseBias(builder, *match, op->getResult(0));
    moveDims(result, match->input);
    replaceWithNorm(builder, op->getLoc(), *match, result);
    ++numNorms;
  }
}
