//===- NumberRange.cpp - What is known of a value's elements --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NumberRange.h"

#include "MatchUtils.h"
#include "bitnet/Dialect/ONNX/IR/ElementsData.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace bitnet;

bool NumberRange::isBounded() const {
  return std::isfinite(low) && std::isfinite(high);
}

static NumberRange analyze(Value value, int depth);

/// Whole numbers up to here are exact in an element type, sums and products
/// too.
static double getLargestExact(Value value) {
  auto type = dyn_cast<FloatType>(getElementTypeOrSelf(value.getType()));
  return type ? std::ldexp(1.0, std::min(type.getFPMantissaWidth(), 24u))
              : std::ldexp(1.0, 24);
}

static NumberRange checked(NumberRange range) {
  // An infinity times 0.
  if (std::isnan(range.low) || std::isnan(range.high))
    return {};
  return range;
}

static NumberRange getUnion(const NumberRange &a, const NumberRange &b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high),
          a.isWhole && b.isWhole};
}

static NumberRange rangeOfType(Value value) {
  auto type = dyn_cast<IntegerType>(getElementTypeOrSelf(value.getType()));
  if (!type || type.getWidth() > 16)
    return {};
  double span = std::ldexp(1.0, type.getWidth());
  if (type.isUnsigned() || type.getWidth() == 1)
    return {0, span - 1, true};
  return {-span / 2, span / 2 - 1, true};
}

static NumberRange rangeOfConstant(ElementsAttr constant) {
  // Larger ones are weights.
  constexpr int64_t kMaxElements = 1 << 16;
  if (constant.getNumElements() > kMaxElements)
    return {};
  auto view = onnx::ElementsView<double>::get(constant);
  if (!view || view->values().empty())
    return {};
  NumberRange range;
  auto [low, high] =
      std::minmax_element(view->values().begin(), view->values().end());
  range.low = *low;
  range.high = *high;
  range.isWhole =
      llvm::all_of(view->values(), [](double v) { return std::rint(v) == v; });
  return checked(range);
}

/// The integers that a cast or a quantiser to integers gives.
static NumberRange rangeOfIntegers(Value result, const NumberRange &inner) {
  NumberRange type = rangeOfType(result);
  bool fits = inner.isWhole && inner.low >= type.low && inner.high <= type.high;
  return fits ? inner : type;
}

static NumberRange rangeOfClip(onnx::ClipOp op, int depth) {
  NumberRange range = analyze(op.getInput(), depth);
  auto limit = [&](Value value, double absent) -> std::optional<double> {
    return onnx::isAbsent(value) ? absent : getScalar(value);
  };
  auto low = limit(op.getMin(), -std::numeric_limits<double>::infinity());
  auto high = limit(op.getMax(), std::numeric_limits<double>::infinity());
  if (!low || !high || !(*low <= *high))
    return rangeOfType(op.getOutput());
  auto isWhole = [](double v) { return std::isinf(v) || std::rint(v) == v; };
  range.low = std::clamp(range.low, *low, *high);
  range.high = std::clamp(range.high, *low, *high);
  range.isWhole &= isWhole(*low) && isWhole(*high);
  return checked(range);
}

static NumberRange rangeOfSum(onnx::ReduceSumOp op, int depth) {
  RankedTensorType type = getTensorType(op.getData());
  auto axes = onnx::ElementsView<int64_t>::get(getConstant(op.getAxes()));
  if (!axes || axes->values().empty())
    return {};
  double count = 1;
  for (int64_t axis : axes->values()) {
    auto position = onnx::normalizeAxis(axis, type.getRank());
    if (!position || type.isDynamicDim(*position))
      return {};
    count *= type.getDimSize(*position);
  }
  NumberRange range = analyze(op.getData(), depth);
  return checked({std::min(range.low * count, 0.0),
                  std::max(range.high * count, 0.0), range.isWhole});
}

static NumberRange rangeOfProduct(const NumberRange &a, const NumberRange &b) {
  if (!a.isBounded() || !b.isBounded())
    return {};
  auto [low, high] = std::minmax(
      {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
  return {low, high, a.isWhole && b.isWhole};
}

static NumberRange analyzeOp(Value value, int depth) {
  Operation *op = value.getDefiningOp();
  if (!op || depth > kMaxChain || !getTensorType(value))
    return rangeOfType(value);
  if (ElementsAttr constant = getConstant(value))
    return rangeOfConstant(constant);
  auto operand = [&](unsigned index) {
    return analyze(op->getOperand(index), depth + 1);
  };
  auto rounded = [&](double (*round)(double)) {
    NumberRange range = operand(0);
    return checked({round(range.low), round(range.high), true});
  };
  return llvm::TypeSwitch<Operation *, NumberRange>(op)
      .Case([&](onnx::RoundOp) { return rounded(std::rint); })
      .Case([&](onnx::CeilOp) { return rounded(std::ceil); })
      .Case([&](onnx::FloorOp) { return rounded(std::floor); })
      .Case([&](onnx::SignOp) {
        NumberRange range = operand(0);
        return NumberRange{range.low >= 0 ? 0.0 : -1.0,
                           range.high <= 0 ? 0.0 : 1.0, true};
      })
      .Case([&](onnx::ClipOp clip) { return rangeOfClip(clip, depth + 1); })
      .Case([&](onnx::ReluOp) {
        NumberRange range = operand(0);
        return NumberRange{std::max(range.low, 0.0), std::max(range.high, 0.0),
                           range.isWhole};
      })
      .Case([&](onnx::NegOp) {
        NumberRange range = operand(0);
        return NumberRange{-range.high, -range.low, range.isWhole};
      })
      .Case([&](onnx::AbsOp) {
        NumberRange range = operand(0);
        double largest = std::max(std::fabs(range.low), std::fabs(range.high));
        double least = range.low > 0    ? range.low
                       : range.high < 0 ? -range.high
                                        : 0.0;
        return NumberRange{least, largest, range.isWhole};
      })
      .Case([&](onnx::WhereOp) { return getUnion(operand(1), operand(2)); })
      .Case([&](onnx::AddOp) {
        NumberRange a = operand(0), b = operand(1);
        return checked(
            {a.low + b.low, a.high + b.high,
             a.isWhole && b.isWhole && a.isBounded() && b.isBounded()});
      })
      .Case([&](onnx::SubOp) {
        NumberRange a = operand(0), b = operand(1);
        return checked(
            {a.low - b.high, a.high - b.low,
             a.isWhole && b.isWhole && a.isBounded() && b.isBounded()});
      })
      .Case([&](onnx::MulOp) { return rangeOfProduct(operand(0), operand(1)); })
      .Case([&](onnx::ReduceSumOp sum) { return rangeOfSum(sum, depth + 1); })
      .Case<onnx::CastOp, onnx::QuantizeLinearOp>([&](auto) {
        if (isa<IntegerType>(getElementTypeOrSelf(value.getType())))
          return isa<onnx::CastOp>(op) ? rangeOfIntegers(value, operand(0))
                                       : rangeOfType(value);
        return getElementTypeOrSelf(value.getType()).isF32() ? operand(0)
                                                             : NumberRange();
      })
      // Ops that move elements and make none.
      .Case<onnx::ReshapeOp, onnx::TransposeOp, onnx::FlattenOp,
            onnx::SqueezeOp, onnx::UnsqueezeOp, onnx::IdentityOp, onnx::SliceOp,
            onnx::ExpandOp, onnx::MaxPoolOp, onnx::GlobalMaxPoolOp,
            tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
          [&](auto) { return operand(0); })
      .Default([&](Operation *) { return rangeOfType(value); });
}

static NumberRange analyze(Value value, int depth) {
  NumberRange range = analyzeOp(value, depth);
  // Beyond, a result is rounded, to another whole number: limits are not exact.
  double largest = getLargestExact(value);
  if (range.low < -largest)
    range.low = -std::numeric_limits<double>::infinity();
  if (range.high > largest)
    range.high = std::numeric_limits<double>::infinity();
  return range;
}

NumberRange bitnet::analyzeRange(Value value) { return analyze(value, 0); }
