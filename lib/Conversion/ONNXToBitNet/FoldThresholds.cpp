//===- FoldThresholds.cpp - Quantisers of sums as thresholds --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Between the integer sums of a layer and the few levels that the next one
// reads stand scales, a bias, a batch norm, an activation function and a
// quantiser. Each is monotone in f32 too, since rounding is, so all together
// are: a level begins at a certain sum, which a binary search finds by doing
// what the graph does. Then comparing with those sums is exact, not only up to
// rounding.
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "MatchUtils.h"
#include "NumberRange.h"
#include "bitnet/Dialect/ONNX/IR/ElementsData.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>
#include <functional>

namespace bitnet {
#define GEN_PASS_DEF_FOLDTHRESHOLDS
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// A monotone function of an output's sum.
using Step = std::function<float(float x, int64_t output)>;

/// Constants of an op, one value or one an output.
class Vector {
public:
  static std::optional<Vector> get(Value value, int64_t outputs) {
    auto values = getLastDimVector(value, outputs);
    if (!values)
      return std::nullopt;
    Vector result;
    result.values.assign(values->begin(), values->end());
    return result;
  }

  float operator[](int64_t output) const {
    return values.size() == 1 ? values[0] : values[output];
  }

private:
  std::vector<float> values;
};

/// What a layer's sums become.
struct Levels {
  SmallVector<Step> steps;
  Value value;
  int64_t low = 0, high = 0;
};

struct FoldThresholds
    : public bitnet::impl::FoldThresholdsBase<FoldThresholds> {
  void runOnOperation() override;

private:
  bool fold(LinearOp linear);
};

} // namespace

//===----------------------------------------------------------------------===//
// The graph's functions
//===----------------------------------------------------------------------===//

static std::optional<Step> matchBatchNorm(onnx::BatchNormalizationOp op,
                                          int64_t n) {
  auto scale = Vector::get(op.getScale(), n), bias = Vector::get(op.getB(), n);
  auto mean = Vector::get(op.getInputMean(), n);
  auto variance = Vector::get(op.getInputVar(), n);
  if (!scale || !bias || !mean || !variance || op.getTrainingMode())
    return std::nullopt;
  float epsilon = op.getEpsilon().convertToFloat();
  return [=](float x, int64_t i) {
    float inverse = 1.0f / std::sqrt((*variance)[i] + epsilon);
    float scaled = (x - (*mean)[i]) * inverse * (*scale)[i];
    return scaled + (*bias)[i];
  };
}

/// An op with a constant on one side.
static std::optional<Step> matchBinary(Operation *op, Value x, int64_t n) {
  bool isLeft = op->getOperand(0) == x;
  auto constant = Vector::get(op->getOperand(isLeft ? 1 : 0), n);
  if (!constant)
    return std::nullopt;
  Vector c = *constant;
  if (isa<onnx::AddOp>(op))
    return [c](float x, int64_t i) { return x + c[i]; };
  if (isa<onnx::MulOp>(op))
    return [c](float x, int64_t i) { return x * c[i]; };
  if (isa<onnx::SubOp>(op) && isLeft)
    return [c](float x, int64_t i) { return x - c[i]; };
  if (isa<onnx::SubOp>(op))
    return [c](float x, int64_t i) { return c[i] - x; };
  if (isa<onnx::DivOp>(op) && isLeft)
    return [c](float x, int64_t i) { return x / c[i]; };
  if (isa<onnx::GreaterOrEqualOp>(op) && isLeft)
    return [c](float x, int64_t i) { return x >= c[i] ? 1.0f : 0.0f; };
  if (isa<onnx::GreaterOp>(op) && isLeft)
    return [c](float x, int64_t i) { return x > c[i] ? 1.0f : 0.0f; };
  if (isa<onnx::LessOrEqualOp>(op) && isLeft)
    return [c](float x, int64_t i) { return x <= c[i] ? 1.0f : 0.0f; };
  if (isa<onnx::LessOp>(op) && isLeft)
    return [c](float x, int64_t i) { return x < c[i] ? 1.0f : 0.0f; };
  return std::nullopt;
}

static std::optional<Step> matchClip(onnx::ClipOp op) {
  auto limit = [](Value value, double absent) {
    return onnx::isAbsent(value) ? absent : getScalar(value);
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::optional<double> low = limit(op.getMin(), -kInfinity);
  std::optional<double> high = limit(op.getMax(), kInfinity);
  if (!low || !high)
    return std::nullopt;
  return [low = float(*low), high = float(*high)](float x, int64_t) {
    return std::min(std::max(x, low), high);
  };
}

static std::optional<Step> matchStep(Operation *op, Value x, int64_t n) {
  if (auto norm = dyn_cast<onnx::BatchNormalizationOp>(op))
    return norm.getX() == x ? matchBatchNorm(norm, n) : std::nullopt;
  if (auto clip = dyn_cast<onnx::ClipOp>(op))
    return clip.getInput() == x ? matchClip(clip) : std::nullopt;
  if (auto where = dyn_cast<onnx::WhereOp>(op)) {
    auto yes = getScalar(where.getX()), no = getScalar(where.getY());
    if (where.getCondition() != x || !yes || !no)
      return std::nullopt;
    return [yes = float(*yes), no = float(*no)](float x, int64_t) {
      return x != 0.0f ? yes : no;
    };
  }
  if (isa<onnx::ReluOp>(op))
    return [](float x, int64_t) { return x > 0.0f ? x : 0.0f; };
  if (isa<onnx::RoundOp>(op))
    return [](float x, int64_t) { return std::nearbyint(x); };
  if (isa<onnx::FloorOp>(op))
    return [](float x, int64_t) { return std::floor(x); };
  if (isa<onnx::CeilOp>(op))
    return [](float x, int64_t) { return std::ceil(x); };
  if (isa<onnx::NegOp>(op))
    return [](float x, int64_t) { return -x; };
  if (isa<onnx::SignOp>(op))
    return [](float x, int64_t) { return float(x > 0.0f) - float(x < 0.0f); };
  if (op->getNumOperands() == 2)
    return matchBinary(op, x, n);
  return std::nullopt;
}

/// Follows the sums to where they are the fewest levels.
static std::optional<Levels> matchLevels(LinearOp linear) {
  // More comparisons would cost more than what they replace.
  constexpr double kMostSteps = 3;
  Levels current;
  std::optional<Levels> best;
  current.value = linear.getResult();
  auto shape = getTensorType(current.value).getShape();
  while (current.value.hasOneUse()) {
    Operation *op = *current.value.user_begin();
    RankedTensorType type =
        op->getNumResults() > 0 ? getTensorType(op->getResult(0)) : nullptr;
    if (!type || type.getShape() != shape)
      break;
    auto step = matchStep(op, current.value, linear.getN());
    if (!step)
      break;
    current.steps.push_back(*step);
    current.value = op->getResult(0);
    NumberRange range = analyzeRange(current.value);
    if (!type.getElementType().isF32() || !range.isWhole ||
        !range.isBounded() || range.high == range.low ||
        range.high - range.low > kMostSteps)
      continue;
    current.low = range.low;
    current.high = range.high;
    best = current;
  }
  // A quantiser alone is no more than a comparison.
  return best && best->steps.size() > 2 ? best : std::nullopt;
}

//===----------------------------------------------------------------------===//
// Thresholds
//===----------------------------------------------------------------------===//

namespace {

/// Where levels begin, for each output, in sums times the output's sign.
struct Thresholds {
  std::vector<float> signs;
  /// Of low + 1, low + 2, ...
  std::vector<std::vector<float>> sums;
};

} // namespace

/// The largest sum that can be, if f32 has all below exactly.
static std::optional<int64_t> getLargestSum(LinearOp linear) {
  int64_t magnitude = linear.getMagnitude().value_or(0);
  if (magnitude == 0)
    magnitude =
        getElementTypeOrSelf(linear.getLhs()).isInteger(8) ? 128 : 32768;
  constexpr int64_t kExact = 1 << 24;
  if (linear.getK() >= kExact / magnitude)
    return std::nullopt;
  return linear.getK() * magnitude;
}

static std::optional<Thresholds>
findThresholds(LinearOp linear, const Levels &levels, int64_t largest) {
  int64_t n = linear.getN();
  auto scale = Vector::get(linear.getScale(), n);
  if (!scale)
    return std::nullopt;
  Thresholds result;
  result.sums.resize(levels.high - levels.low, std::vector<float>(n));
  for (int64_t i = 0; i < n; ++i) {
    auto level = [&](int64_t sum) {
      float x = static_cast<float>(sum) * (*scale)[i];
      for (const Step &step : levels.steps)
        x = step(x, i);
      return x;
    };
    float first = level(-largest), last = level(largest);
    if (std::isnan(first) || std::isnan(last))
      return std::nullopt;
    int64_t sign = first <= last ? 1 : -1;
    result.signs.push_back(sign);
    for (auto [step, sums] : llvm::enumerate(result.sums)) {
      float wanted = levels.low + static_cast<int64_t>(step) + 1;
      int64_t below = -largest - 1, from = largest + 1;
      while (below + 1 < from) {
        int64_t middle = below + (from - below) / 2;
        (level(sign * middle) >= wanted ? from : below) = middle;
      }
      sums[i] = static_cast<float>(from);
    }
  }
  return result;
}

bool FoldThresholds::fold(LinearOp linear) {
  if (!linear.getStep() || !linear.getResult() || linear.getBias() ||
      linear.getActivation() != Activation::None || linear.getPacking() ||
      !isScalar(linear.getStep(), 1.0))
    return false;
  auto levels = matchLevels(linear);
  auto largest = getLargestSum(linear);
  if (!levels || !largest)
    return false;
  auto thresholds = findThresholds(linear, *levels, *largest);
  if (!thresholds)
    return false;
  OpBuilder builder(linear);
  Location loc = levels->value.getLoc();
  auto vector = RankedTensorType::get({linear.getN()}, builder.getF32Type());
  auto constant = [&](RankedTensorType type, ArrayRef<float> values) -> Value {
    return onnx::ConstantOp::create(builder, loc,
                                    DenseElementsAttr::get(type, values));
  };
  auto scalar = [&](float value) {
    return constant(RankedTensorType::get({}, builder.getF32Type()), value);
  };
  linear.getScaleMutable().assign(arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(vector, ArrayRef<float>(thresholds->signs))));
  builder.setInsertionPointAfter(linear);
  Type type = levels->value.getType();
  Type flags = cast<RankedTensorType>(type).clone(builder.getI1Type());
  Value level = scalar(levels->low);
  for (auto [step, sums] : llvm::enumerate(thresholds->sums)) {
    // Levels that no sum gives begin with the next.
    if (step + 1 < thresholds->sums.size() &&
        sums == thresholds->sums[step + 1])
      continue;
    Value passed = onnx::GreaterOrEqualOp::create(
        builder, loc, flags, linear.getResult(), constant(vector, sums));
    level =
        onnx::WhereOp::create(builder, loc, type, passed,
                              scalar(levels->low + int64_t(step) + 1), level);
  }
  levels->value.replaceAllUsesWith(level);
  eraseDead(levels->value.getDefiningOp());
  ++numFolded;
  return true;
}

void FoldThresholds::runOnOperation() {
  SmallVector<LinearOp> linears;
  getOperation()->walk([&](LinearOp linear) { linears.push_back(linear); });
  for (LinearOp linear : linears)
    fold(linear);
}
