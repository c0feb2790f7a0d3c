//===- ScaleAnalysis.cpp - What scales integers in a graph ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScaleAnalysis.h"

#include "MatchUtils.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace mlir;

namespace bitnet {

//===----------------------------------------------------------------------===//
// ScaleExpr
//===----------------------------------------------------------------------===//

bool ScaleExpr::multiply(const ScaleExpr &other, bool reciprocal) {
  if (absmax && other.absmax && !(*absmax == *other.absmax))
    return false;
  size_t length = std::max(coefficient.size(), other.coefficient.size());
  if ((coefficient.size() != 1 && coefficient.size() != length) ||
      (other.coefficient.size() != 1 && other.coefficient.size() != length))
    return false;
  coefficient.resize(length, coefficient.front());
  for (size_t i = 0; i < length; ++i) {
    double factor = other.coefficient[other.coefficient.size() == 1 ? 0 : i];
    if (reciprocal && factor == 0.0)
      return false;
    coefficient[i] =
        reciprocal ? coefficient[i] / factor : coefficient[i] * factor;
  }
  if (!absmax)
    absmax = other.absmax;
  exponent += reciprocal ? -other.exponent : other.exponent;
  return true;
}

//===----------------------------------------------------------------------===//
// Absmax
//===----------------------------------------------------------------------===//

/// The largest magnitude of a tensor's rows or of all of it.
static std::optional<AbsMax> matchReduction(Value value) {
  auto reduce = value.getDefiningOp<onnx::ReduceMaxOp>();
  if (!reduce)
    return std::nullopt;
  auto abs = reduce.getData().getDefiningOp<onnx::AbsOp>();
  if (!abs || !isF32Tensor(abs.getInput()))
    return std::nullopt;
  int64_t rank = getTensorType(abs.getInput()).getRank();
  auto axes = onnx::getReductionAxes(reduce.getAxes(),
                                     reduce.getNoopWithEmptyAxes() != 0, rank);
  if (!axes || axes->empty())
    return std::nullopt;
  AbsMax absmax;
  absmax.source = abs.getInput();
  if (static_cast<int64_t>(axes->size()) == rank)
    absmax.granularity = Granularity::Tensor;
  else if (axes->size() != 1 || axes->front() != rank - 1)
    return std::nullopt;
  return absmax;
}

/// Reductions may lose or regain dimensions of extent 1.
static Value lookThroughViews(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<onnx::SqueezeOp, onnx::UnsqueezeOp, onnx::ReshapeOp,
             tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
            op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// A reduction with an optional lower limit, by Clip or Max.
static std::optional<AbsMax> matchAbsMax(Value value) {
  value = lookThroughViews(value);
  if (auto clip = value.getDefiningOp<onnx::ClipOp>()) {
    std::optional<double> epsilon = getScalar(clip.getMin());
    if (!epsilon || *epsilon < 0.0 || !onnx::isAbsent(clip.getMax()))
      return std::nullopt;
    auto absmax = matchReduction(lookThroughViews(clip.getInput()));
    if (absmax)
      absmax->epsilon = *epsilon;
    return absmax;
  }
  if (auto max = value.getDefiningOp<onnx::MaxOp>()) {
    if (max.getInputs().size() != 2)
      return std::nullopt;
    for (unsigned i : {0u, 1u}) {
      std::optional<double> epsilon = getScalar(max.getInputs()[i]);
      if (!epsilon || *epsilon < 0.0)
        continue;
      auto absmax = matchReduction(lookThroughViews(max.getInputs()[1 - i]));
      if (absmax)
        absmax->epsilon = *epsilon;
      return absmax;
    }
    return std::nullopt;
  }
  return matchReduction(value);
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

static std::optional<ScaleExpr> analyze(Value value, int64_t channels,
                                        int depth) {
  if (depth > kMaxChain || !getTensorType(value))
    return std::nullopt;
  if (auto vector = getLastDimVector(value, channels)) {
    ScaleExpr scale;
    scale.coefficient = *vector;
    return scale;
  }
  if (auto absmax = matchAbsMax(value)) {
    ScaleExpr scale;
    scale.absmax = *absmax;
    scale.exponent = 1;
    return scale;
  }
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  auto operand = [&](unsigned index) {
    return analyze(op->getOperand(index), channels, depth + 1);
  };
  if (isa<onnx::MulOp, onnx::DivOp>(op)) {
    auto lhs = operand(0), rhs = operand(1);
    if (!lhs || !rhs || !lhs->multiply(*rhs, isa<onnx::DivOp>(op)))
      return std::nullopt;
    return lhs;
  }
  if (isa<onnx::ReciprocalOp>(op)) {
    auto inner = operand(0);
    ScaleExpr scale;
    if (!inner || !scale.multiply(*inner, /*reciprocal=*/true))
      return std::nullopt;
    return scale;
  }
  if (isa<onnx::NegOp>(op)) {
    auto inner = operand(0);
    if (inner)
      for (double &coefficient : inner->coefficient)
        coefficient = -coefficient;
    return inner;
  }
  Value viewed = lookThroughViews(value);
  if (viewed == value)
    return std::nullopt;
  auto inner = analyze(viewed, channels, depth + 1);
  // A view may move a vector to another dimension.
  if (inner && inner->coefficient.size() != 1)
    return std::nullopt;
  return inner;
}

std::optional<ScaleExpr> analyzeScale(Value value, int64_t channels) {
  return analyze(value, channels, 0);
}

/// Whether a factor has one value a token (or fewer) of a tensor like `scaled`.
static bool broadcastsOverRows(Value factor, const ScaleExpr &scale,
                               RankedTensorType scaled) {
  if (!scale.absmax || scale.absmax->granularity == Granularity::Tensor)
    return true;
  RankedTensorType type = getTensorType(factor);
  if (type.getRank() != scaled.getRank())
    return false;
  int64_t last = type.getShape().back();
  return last == 1 || last == static_cast<int64_t>(scale.coefficient.size());
}

std::optional<ScalingOp> matchScalingOp(Operation *op, Value scaled,
                                        int64_t channels) {
  if (!isa<onnx::MulOp, onnx::DivOp>(op))
    return std::nullopt;
  bool divides = isa<onnx::DivOp>(op);
  for (unsigned index : {0u, 1u}) {
    Value candidate = op->getOperand(index), factor = op->getOperand(1 - index);
    if ((divides && index == 1) || (scaled && candidate != scaled) ||
        candidate.getType() != op->getResult(0).getType())
      continue;
    auto scale = analyzeScale(factor, channels);
    if (!scale || !broadcastsOverRows(factor, *scale, getTensorType(candidate)))
      continue;
    ScalingOp result;
    result.scaled = candidate;
    if (result.factor.multiply(*scale, divides))
      return result;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Quantisers
//===----------------------------------------------------------------------===//

namespace {

/// Qb / absmax, or absmax / Qb, by one or two operations.
struct QuotientOfAbsMax {
  AbsMax absmax;
  double bound;
  Scaling scaling;
};

/// What the float operations of a scaling are, told from their order.
struct ScaledInput {
  Value input;
  AbsMax absmax;
  Scaling scaling;
  double bound;
};

/// Both limits of a value, by Clip or by Min and Max.
struct Limits {
  Value input;
  double low, high;
};

} // namespace

/// absmax / Qb.
static std::optional<QuotientOfAbsMax> matchStep(Value value) {
  value = lookThroughViews(value);
  Operation *op = value.getDefiningOp();
  if (!op || !isa<onnx::DivOp, onnx::MulOp>(op))
    return std::nullopt;
  for (unsigned index : {0u, 1u}) {
    auto absmax = matchAbsMax(op->getOperand(index));
    auto scalar = getScalar(op->getOperand(1 - index));
    if (!absmax || !scalar || *scalar <= 0.0)
      continue;
    if (isa<onnx::DivOp>(op)) {
      if (index == 0)
        return QuotientOfAbsMax{*absmax, *scalar, Scaling::DivideStep};
      continue;
    }
    // a * 2^-n is a / 2^n; other reciprocals are rounded.
    int exponent;
    if (std::frexp(*scalar, &exponent) == 0.5)
      return QuotientOfAbsMax{*absmax, 1.0 / *scalar, Scaling::DivideStep};
  }
  return std::nullopt;
}

/// The reciprocal of what is returned.
static Value matchReciprocal(Value value) {
  value = lookThroughViews(value);
  if (auto reciprocal = value.getDefiningOp<onnx::ReciprocalOp>())
    return reciprocal.getInput();
  if (auto div = value.getDefiningOp<onnx::DivOp>())
    if (isScalar(div.getLhs(), 1.0))
      return div.getRhs();
  return {};
}

/// Qb / absmax.
static std::optional<QuotientOfAbsMax> matchInverseStep(Value value) {
  value = lookThroughViews(value);
  if (Value step = matchReciprocal(value)) {
    if (auto quotient = matchStep(step)) {
      quotient->scaling = Scaling::ReciprocalStep;
      return quotient;
    }
    if (auto absmax = matchAbsMax(step))
      return QuotientOfAbsMax{*absmax, 1.0, Scaling::ReciprocalMultiply};
  }
  if (auto div = value.getDefiningOp<onnx::DivOp>()) {
    auto bound = getScalar(div.getLhs());
    auto absmax = matchAbsMax(div.getRhs());
    if (bound && absmax)
      return QuotientOfAbsMax{*absmax, *bound, Scaling::DivideMultiply};
  }
  if (auto mul = value.getDefiningOp<onnx::MulOp>()) {
    for (unsigned index : {0u, 1u}) {
      Value inverse = matchReciprocal(mul->getOperand(index));
      auto bound = getScalar(mul->getOperand(1 - index));
      if (!inverse || !bound)
        continue;
      if (auto absmax = matchAbsMax(inverse))
        return QuotientOfAbsMax{*absmax, *bound, Scaling::ReciprocalMultiply};
    }
  }
  return std::nullopt;
}

static std::optional<ScaledInput>
asScaledInput(Value input, const QuotientOfAbsMax &scale, Scaling scaling) {
  if (scale.absmax.source != input || !(scale.bound > 0.0))
    return std::nullopt;
  return ScaledInput{input, scale.absmax, scaling, scale.bound};
}

/// Reads a value as x scaled by Qb / absmax(x).
static std::optional<ScaledInput> matchScaledInput(Value value) {
  if (auto mul = value.getDefiningOp<onnx::MulOp>()) {
    for (unsigned index : {0u, 1u}) {
      Value input = mul->getOperand(index), scale = mul->getOperand(1 - index);
      if (auto inverse = matchInverseStep(scale))
        if (auto result = asScaledInput(input, *inverse, inverse->scaling))
          return result;
      auto bound = getScalar(scale);
      auto div = input.getDefiningOp<onnx::DivOp>();
      if (!bound || !div)
        continue;
      if (auto absmax = matchAbsMax(div.getRhs()))
        return asScaledInput(div.getLhs(), {*absmax, *bound, {}},
                             Scaling::NormalizeMultiply);
    }
  }
  auto div = value.getDefiningOp<onnx::DivOp>();
  if (!div)
    return std::nullopt;
  if (auto step = matchStep(div.getRhs()))
    return asScaledInput(div.getLhs(), *step, Scaling::DivideStep);
  auto absmax = matchAbsMax(div.getRhs());
  auto mul = div.getLhs().getDefiningOp<onnx::MulOp>();
  if (!absmax || !mul)
    return std::nullopt;
  for (unsigned index : {0u, 1u})
    if (auto bound = getScalar(mul->getOperand(1 - index)))
      return asScaledInput(mul->getOperand(index), {*absmax, *bound, {}},
                           Scaling::MultiplyDivide);
  return std::nullopt;
}

/// One limit by onnx.Max or onnx.Min of two inputs.
template <typename OpTy>
static std::optional<std::pair<Value, double>> matchLimit(Value value) {
  auto op = value.getDefiningOp<OpTy>();
  if (!op || op.getInputs().size() != 2)
    return std::nullopt;
  for (unsigned index : {0u, 1u})
    if (auto limit = getScalar(op.getInputs()[index]))
      return std::pair(Value(op.getInputs()[1 - index]), *limit);
  return std::nullopt;
}

static std::optional<Limits> matchLimits(Value value) {
  if (auto clip = value.getDefiningOp<onnx::ClipOp>()) {
    auto low = getScalar(clip.getMin()), high = getScalar(clip.getMax());
    if (!low || !high)
      return std::nullopt;
    return Limits{clip.getInput(), *low, *high};
  }
  if (auto outer = matchLimit<onnx::MinOp>(value))
    if (auto inner = matchLimit<onnx::MaxOp>(outer->first))
      return Limits{inner->first, inner->second, outer->second};
  if (auto outer = matchLimit<onnx::MaxOp>(value))
    if (auto inner = matchLimit<onnx::MinOp>(outer->first))
      return Limits{inner->first, outer->second, inner->second};
  return std::nullopt;
}

/// Sees floats as what they were before a cast to integers and back.
static Value lookThroughIntegerCasts(Value value) {
  auto outer = value.getDefiningOp<onnx::CastOp>();
  if (!outer)
    return value;
  auto inner = outer.getInput().getDefiningOp<onnx::CastOp>();
  if (!inner ||
      !getTensorType(inner.getOutput()).getElementType().isInteger() ||
      inner.getInput().getType() != outer.getOutput().getType())
    return value;
  return inner.getInput();
}

std::optional<Quantizer> matchQuantizer(Value value) {
  bool wasCast = lookThroughIntegerCasts(value) != value;
  value = lookThroughIntegerCasts(value);
  std::optional<Limits> limits = matchLimits(value);
  bool clipsLast = limits.has_value();
  auto round = (limits ? limits->input : value).getDefiningOp<onnx::RoundOp>();
  if (!round)
    return std::nullopt;
  if (!limits)
    limits = matchLimits(round.getInput());
  bool clipsFirst = limits && !clipsLast;
  auto scaled =
      matchScaledInput(clipsFirst ? limits->input : Value(round.getInput()));
  if (!scaled)
    return std::nullopt;
  if (!limits)
    // |x| * Qb / absmax does not round above an integral Qb.
    limits = Limits{{}, -std::rint(scaled->bound), std::rint(scaled->bound)};
  // Limits a little inside of an integer (Qb - eps) stand for it; the sums are
  // then those of integers.
  constexpr double kNearInteger = 1e-3;
  for (double limit : {limits->low, limits->high})
    if (!std::isfinite(limit) || std::fabs(limit) > 32767.0 ||
        (clipsLast && std::fabs(limit - std::rint(limit)) > kNearInteger))
      return std::nullopt;
  if (!clipsLast && !clipsFirst && std::rint(scaled->bound) != scaled->bound)
    return std::nullopt;
  // A cast truncates what is no integer.
  if (wasCast && clipsLast &&
      (limits->low != std::rint(limits->low) ||
       limits->high != std::rint(limits->high)))
    return std::nullopt;
  Quantizer quantizer;
  quantizer.absmax = scaled->absmax;
  quantizer.scaling = scaled->scaling;
  quantizer.bound = scaled->bound;
  quantizer.qmin = static_cast<int64_t>(std::rint(limits->low));
  quantizer.qmax = static_cast<int64_t>(std::rint(limits->high));
  if (quantizer.qmin > 0 || quantizer.qmax <= 0)
    return std::nullopt;
  return quantizer;
}

} // namespace bitnet
