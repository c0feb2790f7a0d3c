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
#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <cmath>
#include <functional>
#include <limits>

namespace bitnet {
#define GEN_PASS_DEF_FOLDTHRESHOLDS
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// The integer sums of a layer, or of a convolution's channels.
struct Sums {
  Value floats; // by steps of the graph on
  int64_t outputs;
  /// Dimensions after that of the outputs.
  int64_t inner;
  /// No sum is larger, or less than minus it.
  int64_t largest;
  /// What `floats` has of a sum.
  std::function<float(int64_t sum, int64_t output)> first;
};

/// A monotone function of an output's sum.
using Step = std::function<float(float x, int64_t output)>;

/// Constants of an op, one value or one an output.
class Vector {
public:
  /// Of a constant that broadcasts along all dimensions but the outputs', which
  /// `inner` others follow.
  static std::optional<Vector> get(Value value, int64_t outputs,
                                   int64_t inner) {
    auto values = getLastDimVector(value, outputs, inner);
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
  bool fold(onnx::CastOp cast);
};

} // namespace

//===----------------------------------------------------------------------===//
// The graph's functions
//===----------------------------------------------------------------------===//

static std::optional<Step> matchBatchNorm(onnx::BatchNormalizationOp op,
                                          const Sums &sums) {
  // It has numbers for the second dimension.
  int64_t n = sums.outputs;
  if (getTensorType(op.getX()).getRank() - sums.inner != 2)
    return std::nullopt;
  auto scale = Vector::get(op.getScale(), n, 0);
  auto bias = Vector::get(op.getB(), n, 0);
  auto mean = Vector::get(op.getInputMean(), n, 0);
  auto variance = Vector::get(op.getInputVar(), n, 0);
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
static std::optional<Step> matchBinary(Operation *op, Value x,
                                       const Sums &sums) {
  bool isLeft = op->getOperand(0) == x;
  auto constant =
      Vector::get(op->getOperand(isLeft ? 1 : 0), sums.outputs, sums.inner);
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

static std::optional<Step> matchStep(Operation *op, Value x, const Sums &sums) {
  if (auto norm = dyn_cast<onnx::BatchNormalizationOp>(op))
    return norm.getX() == x ? matchBatchNorm(norm, sums) : std::nullopt;
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
    return matchBinary(op, x, sums);
  return std::nullopt;
}

/// A quantiser alone is no more than a comparison.
static constexpr size_t kFewestSteps = 2;

/// Follows the sums to where they are the fewest levels.
static std::optional<Levels> matchLevels(const Sums &sums) {
  // More comparisons would cost more than what they replace.
  constexpr double kMostSteps = 3;
  Levels current;
  std::optional<Levels> best;
  current.value = sums.floats;
  auto shape = getTensorType(current.value).getShape();
  while (current.value.hasOneUse()) {
    Operation *op = *current.value.user_begin();
    RankedTensorType type =
        op->getNumResults() > 0 ? getTensorType(op->getResult(0)) : nullptr;
    if (!type || type.getShape() != shape)
      break;
    auto step = matchStep(op, current.value, sums);
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
  return best && best->steps.size() > kFewestSteps ? best : std::nullopt;
}

//===----------------------------------------------------------------------===//
// Thresholds
//===----------------------------------------------------------------------===//

namespace {

/// Where levels begin, for each output, in sums times the output's sign.
struct Thresholds {
  std::vector<int64_t> signs;
  /// Of low + 1, low + 2, ...
  std::vector<std::vector<int64_t>> sums;
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

/// Nothing where a level is no number.
static std::optional<Thresholds> findThresholds(const Sums &sums,
                                                const Levels &levels) {
  Thresholds result;
  result.sums.resize(levels.high - levels.low,
                     std::vector<int64_t>(sums.outputs));
  for (int64_t i = 0; i < sums.outputs; ++i) {
    auto level = [&](int64_t sum) {
      float x = sums.first(sum, i);
      for (const Step &step : levels.steps)
        x = step(x, i);
      return x;
    };
    float first = level(-sums.largest), last = level(sums.largest);
    if (std::isnan(first) || std::isnan(last))
      return std::nullopt;
    int64_t sign = first <= last ? 1 : -1;
    result.signs.push_back(sign);
    for (auto [step, begins] : llvm::enumerate(result.sums)) {
      float wanted = levels.low + static_cast<int64_t>(step) + 1;
      int64_t below = -sums.largest - 1, from = sums.largest + 1;
      while (below + 1 < from) {
        int64_t middle = below + (from - below) / 2;
        (level(sign * middle) >= wanted ? from : below) = middle;
      }
      begins[i] = from;
    }
  }
  return result;
}

/// The levels by comparisons of `sums`, which are times the outputs' signs.
/// `begins` makes constants of them.
static void replaceLevels(OpBuilder &builder, const Levels &levels,
                          const Thresholds &thresholds, Value sums,
                          llvm::function_ref<Value(ArrayRef<int64_t>)> begins) {
  Location loc = levels.value.getLoc();
  auto scalar = [&](float value) -> Value {
    auto type = RankedTensorType::get({}, builder.getF32Type());
    return onnx::ConstantOp::create(builder, loc,
                                    DenseElementsAttr::get(type, value));
  };
  Type type = levels.value.getType();
  Type flags = cast<RankedTensorType>(type).clone(builder.getI1Type());
  Value level = scalar(levels.low);
  for (auto [step, from] : llvm::enumerate(thresholds.sums)) {
    // Levels that no sum gives begin with the next.
    if (step + 1 < thresholds.sums.size() && from == thresholds.sums[step + 1])
      continue;
    Value passed =
        onnx::GreaterOrEqualOp::create(builder, loc, flags, sums, begins(from));
    level =
        onnx::WhereOp::create(builder, loc, type, passed,
                              scalar(levels.low + int64_t(step) + 1), level);
  }
  Value replaced = levels.value;
  replaced.replaceAllUsesWith(level);
  eraseDead(replaced.getDefiningOp());
}

bool FoldThresholds::fold(LinearOp linear) {
  if (!linear.getStep() || !linear.getResult() || linear.getBias() ||
      linear.getFactor() || linear.getAddend() ||
      linear.getActivation() != Activation::None || linear.getPacking() ||
      !isScalar(linear.getStep(), 1.0))
    return false;
  auto largest = getLargestSum(linear);
  auto scale = Vector::get(linear.getScale(), linear.getN(), 0);
  if (!largest || !scale)
    return false;
  Sums sums{linear.getResult(), linear.getN(), /*inner=*/0, *largest,
            [scale = *scale](int64_t sum, int64_t i) {
              return static_cast<float>(sum) * scale[i];
            }};
  auto levels = matchLevels(sums);
  auto thresholds = levels ? findThresholds(sums, *levels) : std::nullopt;
  if (!thresholds)
    return false;
  OpBuilder builder(linear);
  Location loc = levels->value.getLoc();
  auto vector = RankedTensorType::get({linear.getN()}, builder.getF32Type());
  SmallVector<float> signs(thresholds->signs.begin(), thresholds->signs.end());
  linear.getScaleMutable().assign(arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(vector, ArrayRef<float>(signs))));
  builder.setInsertionPointAfter(linear);
  replaceLevels(builder, *levels, *thresholds, linear.getResult(),
                [&](ArrayRef<int64_t> from) {
                  SmallVector<float> floats(from.begin(), from.end());
                  return onnx::ConstantOp::create(
                      builder, loc,
                      DenseElementsAttr::get(vector, ArrayRef<float>(floats)));
                });
  ++numFolded;
  return true;
}

/// The sums of a convolution, N C spatial..., become floats by a cast.
bool FoldThresholds::fold(onnx::CastOp cast) {
  RankedTensorType type = getTensorType(cast.getInput());
  if (!cast.getInput().getDefiningOp<linalg::GenericOp>() || !type ||
      !type.getElementType().isSignlessInteger(32) || type.getRank() < 3 ||
      type.isDynamicDim(1) || !isF32Tensor(cast.getOutput()))
    return false;
  // Sums of bytes stay far from the least integer; comparing is exact.
  constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();
  Sums sums{cast.getOutput(), type.getDimSize(1), type.getRank() - 2, kLargest,
            [](int64_t sum, int64_t) { return static_cast<float>(sum); }};
  auto levels = matchLevels(sums);
  // One more step than after a layer: the scale.
  auto thresholds = levels && levels->steps.size() > kFewestSteps + 1
                        ? findThresholds(sums, *levels)
                        : std::nullopt;
  if (!thresholds)
    return false;
  OpBuilder builder(cast);
  SmallVector<int64_t> shape(type.getRank() - 1, 1);
  shape.front() = sums.outputs;
  auto channels = RankedTensorType::get(shape, builder.getI32Type());
  auto constant = [&](ArrayRef<int64_t> values) -> Value {
    SmallVector<int32_t> words;
    for (int64_t value : values)
      words.push_back(std::min(value, kLargest));
    return onnx::ConstantOp::create(
        builder, levels->value.getLoc(),
        DenseElementsAttr::get(channels, ArrayRef<int32_t>(words)));
  };
  Value integers = cast.getInput();
  if (llvm::is_contained(thresholds->signs, -1))
    integers = onnx::MulOp::create(builder, cast.getLoc(), type, integers,
                                   constant(thresholds->signs));
  replaceLevels(builder, *levels, *thresholds, integers, constant);
  ++numFolded;
  return true;
}

void FoldThresholds::runOnOperation() {
  SmallVector<Operation *> roots;
  getOperation()->walk([&](Operation *op) {
    if (isa<LinearOp, onnx::CastOp>(op))
      roots.push_back(op);
  });
  for (Operation *op : roots) {
    if (auto linear = dyn_cast<LinearOp>(op))
      fold(linear);
    else
      fold(cast<onnx::CastOp>(op));
  }
}
