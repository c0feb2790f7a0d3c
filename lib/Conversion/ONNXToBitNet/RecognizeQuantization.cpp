//===- RecognizeQuantization.cpp - Activations as integers ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "MatchUtils.h"
#include "ScaleAnalysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace bitnet {
#define GEN_PASS_DEF_RECOGNIZEQUANTIZATION
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// A value that is the linear layer's sum times a scale.
struct ScaledResult {
  Value value;
  ScaleExpr scale;
};

/// Activations `[M, K]` as a linear layer takes them; the step is null where
/// the integers' scale is a constant.
struct IntegerRows {
  Value source, values, step, sums;
};

struct RecognizeQuantization
    : public bitnet::impl::RecognizeQuantizationBase<RecognizeQuantization> {
  void runOnOperation() override;

private:
  bool quantize(LinearOp linear);
  QuantizeOp getQuantize(const Quantizer &quantizer);
  IntegerRows getIntegers(LinearOp linear, const ScaledIntegers &integers);
};

} // namespace

/// Follows the scales after a linear layer, while each is the only user, and
/// returns the furthest value whose scale is a constant, or a constant times
/// the absmax if there is such; nothing where no value is so.
static std::optional<ScaledResult>
followScales(LinearOp linear, const ScaledIntegers &integers) {
  int64_t channels = linear.getN();
  ScaledResult current{linear.getResult(), integers.factor};
  std::optional<ScaledResult> best;
  while (true) {
    int exponent = current.scale.exponent;
    if (exponent == 1 || (exponent == 0 && !(best && best->scale.exponent)))
      best = current;
    if (!current.value.hasOneUse())
      return best;
    Operation *user = *current.value.user_begin();
    if (isa<tensor::ExpandShapeOp>(user) &&
        lookThroughExpandedRows(user->getResult(0)) == current.value) {
      current.value = user->getResult(0);
      continue;
    }
    auto scaling = matchScalingOp(user, current.value, channels);
    if (!scaling)
      return best;
    const ScaleExpr &factor = scaling->factor;
    if ((factor.absmax && (!integers.quantizer ||
                           !(*factor.absmax == integers.quantizer->absmax))) ||
        !current.scale.multiply(factor))
      return best;
    current.value = user->getResult(0);
  }
}

/// The scale of a linear layer times `factor`, one value or one an output.
static Value multiplyScale(OpBuilder &builder, LinearOp linear,
                           ArrayRef<double> factor) {
  auto scale = cast<DenseElementsAttr>(getConstant(linear.getScale()));
  auto type = cast<RankedTensorType>(scale.getType());
  SmallVector<double> old;
  for (float value : scale.getValues<float>())
    old.push_back(value);
  int64_t n = linear.getN();
  int64_t groups = type.getRank() == 2 ? type.getDimSize(1) : 1;
  if (old.size() == 1 && factor.size() > 1) {
    old.resize(n, old.front());
    type = RankedTensorType::get({n}, type.getElementType());
  }
  std::vector<float> values;
  for (size_t i = 0; i < old.size(); ++i)
    values.push_back(static_cast<float>(
        old[i] * factor[factor.size() == 1 ? 0 : i / groups]));
  return arith::ConstantOp::create(
      builder, linear.getLoc(),
      DenseElementsAttr::get(type, ArrayRef<float>(values)));
}

static bool isSame(QuantizeOp op, const Quantizer &quantizer) {
  return op.getGranularity() == quantizer.absmax.granularity &&
         op.getScaling() == quantizer.scaling &&
         op.getBound().convertToFloat() ==
             static_cast<float>(quantizer.bound) &&
         op.getEpsilon().convertToFloat() ==
             static_cast<float>(quantizer.absmax.epsilon) &&
         static_cast<int64_t>(op.getQmin()) == quantizer.qmin &&
         static_cast<int64_t>(op.getQmax()) == quantizer.qmax;
}

/// One quantisation serves every matmul of an input: it stands right after it.
QuantizeOp RecognizeQuantization::getQuantize(const Quantizer &quantizer) {
  Value input = quantizer.input();
  OpBuilder builder(input.getContext());
  builder.setInsertionPointAfterValue(input);
  Location loc = input.getLoc();
  Value rows = lookThroughExpandedRows(input);
  for (Operation *user : rows.getUsers()) {
    if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(user);
        collapse && rows == input &&
        lookThroughCollapsedRows(collapse.getResult()) == input)
      for (Operation *inner : collapse->getUsers())
        if (auto op = dyn_cast<QuantizeOp>(inner))
          if (isSame(op, quantizer))
            return op;
    if (auto op = dyn_cast<QuantizeOp>(user))
      if (isSame(op, quantizer))
        return op;
  }
  rows = collapseRows(builder, loc, input);
  SmallVector<OpFoldResult> extents = tensor::getMixedSizes(builder, loc, rows);
  bool isByte = quantizer.qmin >= -128 && quantizer.qmax <= 127;
  bool perTensor = quantizer.absmax.granularity == Granularity::Tensor;
  Value values =
      makeEmpty(builder, loc, extents, builder.getIntegerType(isByte ? 8 : 16));
  Value steps = makeEmpty(
      builder, loc,
      {perTensor ? OpFoldResult(builder.getIndexAttr(1)) : extents[0]},
      builder.getF32Type());
  Value sums = makeEmpty(builder, loc, {extents[0]}, builder.getI32Type());
  ++numQuantizations;
  return QuantizeOp::create(
      builder, loc,
      TypeRange{values.getType(), steps.getType(), sums.getType()}, rows,
      values, steps, sums, quantizer.absmax.granularity, quantizer.scaling,
      APFloat(static_cast<float>(quantizer.bound)),
      APFloat(static_cast<float>(quantizer.absmax.epsilon)), quantizer.qmin,
      quantizer.qmax);
}

/// Whole numbers as integers, and the sums of their rows.
static IntegerRows makeIntegers(LinearOp linear,
                                const ScaledIntegers &integers) {
  // Linear layers of one input share what is equal.
  OpBuilder builder(linear);
  Location loc = linear.getLoc();
  IntegerRows result;
  result.source = collapseRows(builder, loc, integers.source);
  // What flattened the activations may not have told their number of columns.
  auto type = RankedTensorType::get(
      {getTensorType(result.source).getDimSize(0), linear.getK()},
      builder.getF32Type());
  Value rows = castTo(builder, loc, result.source, type);
  auto cast = [&](Value value, unsigned width) -> Value {
    return onnx::CastOp::create(builder, loc,
                                type.clone(builder.getIntegerType(width)),
                                value, IntegerAttr());
  };
  bool isByte = integers.qmin >= -128 && integers.qmax <= 127;
  result.values = cast(rows, isByte ? 8 : 16);
  Value last = onnx::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(RankedTensorType::get({1}, builder.getI64Type()),
                             ArrayRef<int64_t>{-1}));
  result.sums = onnx::ReduceSumOp::create(
      builder, loc,
      RankedTensorType::get({type.getDimSize(0)}, builder.getI32Type()),
      cast(result.values, 32), last, /*keepdims=*/0,
      /*noop_with_empty_axes=*/0);
  return result;
}

IntegerRows RecognizeQuantization::getIntegers(LinearOp linear,
                                               const ScaledIntegers &integers) {
  if (integers.quantizer) {
    QuantizeOp op = getQuantize(*integers.quantizer);
    return {op.getInput(), op.getResults()[0], op.getResults()[1],
            op.getResults()[2]};
  }
  return makeIntegers(linear, integers);
}

/// i32 must hold a row's sum.
static bool sumsFit(const ScaledIntegers &integers, int64_t columns) {
  int64_t magnitude =
      std::max<int64_t>({-integers.qmin, integers.qmax, int64_t(1)});
  return columns <= std::numeric_limits<int32_t>::max() / magnitude;
}

/// What expands the rows of a linear layer, its only user.
static Value findExpandedRows(Value rows) {
  for (Operation *user : rows.getUsers())
    if (isa<tensor::ExpandShapeOp>(user))
      return user->getResult(0);
  return {};
}

/// Spells out the onnx.DequantizeLinear with one scale that a linear layer's
/// activations come from: integers, less the zero point, times the scale.
static void expandDequantization(LinearOp linear) {
  Value value = linear.getLhs();
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<onnx::ReshapeOp, onnx::FlattenOp, tensor::CastOp,
             tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  auto op = value.getDefiningOp<onnx::DequantizeLinearOp>();
  if (!op || getConstant(op.getX()) || op.getBlockSize() != 0 ||
      !getScalar(op.getXScale()) || !isF32Tensor(op.getY()))
    return;
  std::optional<double> zero = 0.0;
  if (!onnx::isAbsent(op.getXZeroPoint()))
    zero = getScalar(op.getXZeroPoint());
  if (!zero)
    return;
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Type type = op.getY().getType();
  auto scalar = [&](double v) -> Value {
    return onnx::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(RankedTensorType::get({}, builder.getF32Type()),
                               static_cast<float>(v)));
  };
  Value result =
      onnx::CastOp::create(builder, loc, type, op.getX(), IntegerAttr());
  if (*zero != 0.0)
    result = onnx::SubOp::create(builder, loc, type, result, scalar(*zero));
  result = onnx::MulOp::create(builder, loc, type, result,
                               scalar(*getScalar(op.getXScale())));
  op.getY().replaceAllUsesWith(result);
  op.erase();
}

bool RecognizeQuantization::quantize(LinearOp linear) {
  if (linear.getStep() || linear.getBias() ||
      linear.getActivation() != Activation::None || linear.getPacking())
    return false;
  expandDequantization(linear);
  auto integers =
      matchScaledIntegers(lookThroughCollapsedRows(linear.getLhs()));
  if (!integers)
    return false;
  RankedTensorType inputType = getTensorType(integers->source);
  if (inputType.getRank() < 2 || !sumsFit(*integers, linear.getK()))
    return false;
  int64_t columns = inputType.getShape().back();
  if (columns != linear.getK() &&
      (integers->quantizer || !ShapedType::isDynamic(columns)))
    return false;
  auto result = followScales(linear, *integers);
  if (!result)
    return false;
  IntegerRows rows = getIntegers(linear, *integers);
  OpBuilder builder(linear);
  SmallVector<double> factor = result->scale.coefficient;
  if (result->scale.exponent == 0)
    rows.step = makeVector(builder, linear.getLoc(), {1.0});
  else
    for (double &value : factor)
      value *= integers->quantizer->bound;
  Value scale = multiplyScale(builder, linear, factor);
  Value oldRows = linear.getLhs(), oldInput = lookThroughCollapsedRows(oldRows);
  linear.getLhsMutable().assign(rows.values);
  linear.getScaleMutable().assign(scale);
  linear.getStepMutable().assign(rows.step);
  linear.getSumMutable().assign(rows.sums);
  if (!integers->quantizer && integers->qmin >= -1 && integers->qmax <= 1)
    linear.setMagnitude(1);
  moveDims(oldRows, rows.source);
  if (inputType.getRank() == getTensorType(oldInput).getRank())
    moveDims(oldInput, integers->source);
  // The scales that followed are now part of it.
  Value unscaled = linear.getResult();
  if (!isF32Tensor(result->value, 2))
    unscaled = findExpandedRows(unscaled);
  if (unscaled && unscaled != result->value) {
    result->value.replaceAllUsesWith(unscaled);
    eraseDead(result->value.getDefiningOp());
  }
  if (Operation *op = oldRows.getDefiningOp())
    eraseDead(op);
  ++numQuantized;
  return true;
}

void RecognizeQuantization::runOnOperation() {
  SmallVector<LinearOp> linears;
  getOperation()->walk([&](LinearOp linear) { linears.push_back(linear); });
  for (LinearOp linear : linears)
    quantize(linear);
}
