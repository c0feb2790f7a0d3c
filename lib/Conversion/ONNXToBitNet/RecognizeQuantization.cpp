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
  QuantizeOp getQuantize(const Quantizer &quantizer, int64_t columns);
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
  // The graph's own factors come next.
  if (!integers.rowFactors.empty())
    return current;
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
  return !op.getNorm() && op.getGranularity() == quantizer.absmax.granularity &&
         op.getScaling() == quantizer.scaling &&
         op.getBound().convertToFloat() ==
             static_cast<float>(quantizer.bound) &&
         op.getEpsilon().convertToFloat() ==
             static_cast<float>(quantizer.absmax.epsilon) &&
         static_cast<int64_t>(op.getQmin()) == quantizer.qmin &&
         static_cast<int64_t>(op.getQmax()) == quantizer.qmax;
}

/// Finds the quantisation of a value that is seen as rows.
static QuantizeOp findQuantize(Value value, const Quantizer &quantizer) {
  for (Operation *user : value.getUsers()) {
    if (auto op = dyn_cast<QuantizeOp>(user); op && isSame(op, quantizer))
      return op;
    auto collapse = dyn_cast<tensor::CollapseShapeOp>(user);
    if (isa<tensor::CastOp>(user) ||
        (collapse && lookThroughCollapsedRows(collapse.getResult()) == value))
      if (QuantizeOp op = findQuantize(user->getResult(0), quantizer))
        return op;
  }
  return {};
}

/// One quantisation serves every matmul of an input: it stands right after it.
QuantizeOp RecognizeQuantization::getQuantize(const Quantizer &quantizer,
                                              int64_t columns) {
  Value input = quantizer.input();
  OpBuilder builder(input.getContext());
  builder.setInsertionPointAfterValue(input);
  Location loc = input.getLoc();
  Value rows = lookThroughExpandedRows(input);
  if (QuantizeOp op = findQuantize(rows, quantizer))
    return op;
  rows = collapseRows(builder, loc, input);
  // What flattened the activations may not have told their number of columns.
  rows =
      castTo(builder, loc, rows,
             RankedTensorType::get({getTensorType(rows).getDimSize(0), columns},
                                   builder.getF32Type()));
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
      /*weight=*/Value(), /*bias=*/Value(), values, steps, sums,
      quantizer.absmax.granularity, quantizer.scaling,
      APFloat(static_cast<float>(quantizer.bound)),
      APFloat(static_cast<float>(quantizer.absmax.epsilon)), quantizer.qmin,
      quantizer.qmax, /*norm=*/NormKindAttr(), /*norm_epsilon=*/FloatAttr());
}

/// Whole numbers as integers, and the sums of their rows.
static IntegerRows makeIntegers(LinearOp linear,
                                const ScaledIntegers &integers) {
  // Linear layers of one input share what is equal. It stands before the
  // extents that are taken of it.
  OpBuilder builder(linear);
  builder.setInsertionPointAfterValue(integers.source);
  Location loc = linear.getLoc();
  IntegerRows result;
  result.source = collapseRows(builder, loc, integers.source);
  // What flattened the activations may not have told their number of columns.
  RankedTensorType source = getTensorType(result.source);
  auto type = RankedTensorType::get({source.getDimSize(0), linear.getK()},
                                    source.getElementType());
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
    QuantizeOp op = getQuantize(*integers.quantizer, linear.getK());
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

/// Multiplies the result of a linear layer by factors of its activations' rows,
/// which come in the shape of the integers.
static void applyRowFactors(LinearOp linear, Value oldInput,
                            const ScaledIntegers &integers) {
  Value result = linear.getResult();
  if (Value expanded = findExpandedRows(result))
    result = expanded;
  auto uses = llvm::map_to_vector(
      result.getUses(), [](OpOperand &use) -> OpOperand * { return &use; });
  OpBuilder builder(linear);
  builder.setInsertionPointAfterValue(result);
  Location loc = linear.getLoc();
  RankedTensorType oldType = getTensorType(result);
  SmallVector<int64_t> shape(getTensorType(integers.source).getShape());
  shape.back() = linear.getN();
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  Value scaled =
      expandRows(builder, loc, linear.getResult(), integers.source, type);
  for (const RowFactor &factor : integers.rowFactors) {
    Value by = factor.value;
    if (RankedTensorType from = getTensorType(by);
        !from.getElementType().isF32())
      by = onnx::CastOp::create(builder, loc, from.clone(builder.getF32Type()),
                                by, IntegerAttr());
    scaled = factor.divides
                 ? Value(onnx::DivOp::create(builder, loc, type, scaled, by))
                 : Value(onnx::MulOp::create(builder, loc, type, scaled, by));
  }
  if (integers.isRegrouped)
    scaled = expandRows(builder, loc, collapseRows(builder, loc, scaled),
                        oldInput, oldType);
  scaled = castTo(builder, loc, scaled, oldType);
  for (OpOperand *use : uses)
    use->set(scaled);
  eraseDead(result.getDefiningOp());
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
  if (columns != linear.getK() && !ShapedType::isDynamic(columns))
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
  if (!integers->rowFactors.empty())
    applyRowFactors(linear, oldInput, *integers);
  else if (inputType.getRank() == getTensorType(oldInput).getRank())
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
