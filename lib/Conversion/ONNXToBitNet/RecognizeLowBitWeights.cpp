//===- RecognizeLowBitWeights.cpp - Matmuls with low-bit constants --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToBitNet/Passes.h"

#include "LowBitMatrix.h"
#include "MatchUtils.h"
#include "WeightSource.h"

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"

#include <map>

namespace bitnet {
#define GEN_PASS_DEF_RECOGNIZELOWBITWEIGHTS
#include "bitnet/Conversion/ONNXToBitNet/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// The two constants that replace a float one; null if it is not low-bit.
struct LowBitConstant {
  ElementsAttr weight;
  DenseElementsAttr scale;
};

/// What a matmul multiplies its activations by.
struct LinearWeight {
  Value weight, scale;
};

struct RecognizeLowBitWeights
    : public bitnet::impl::RecognizeLowBitWeightsBase<RecognizeLowBitWeights> {
  void runOnOperation() override;

private:
  LowBitConstant getConstant(const WeightSource &source);
  LowBitConstant makeConstant(const WeightSource &source);
  std::optional<LinearWeight>
  makeWeight(OpBuilder &builder, Location loc,
             const std::optional<WeightSource> &source);
  void convert(onnx::MatMulOp op);
  void convert(onnx::GemmOp op);
  void convert(onnx::MatMulIntegerOp op);

  /// Entries of a module share constants, which are converted once.
  std::map<std::array<const void *, 6>, LowBitConstant> constants;
};

} // namespace

static DenseElementsAttr makeScaleAttr(MLIRContext *context,
                                       const LowBitMatrix &matrix, int64_t n,
                                       int64_t k) {
  SmallVector<int64_t> shape = {static_cast<int64_t>(matrix.scales.size())};
  if (matrix.sharing == LowBitMatrix::Sharing::Group)
    shape = {n, k / matrix.group};
  std::vector<float> scales(matrix.scales.begin(), matrix.scales.end());
  return DenseElementsAttr::get(
      RankedTensorType::get(shape, Float32Type::get(context)),
      ArrayRef<float>(scales));
}

LowBitConstant
RecognizeLowBitWeights::makeConstant(const WeightSource &source) {
  auto matrix = readLowBitMatrix(source);
  if (!matrix)
    return {};
  (matrix->isBinary ? numBinary : numTernary) += 1;
  return {matrix->makeWeight(&getContext(), source.outputs, source.inputs),
          makeScaleAttr(&getContext(), *matrix, source.outputs, source.inputs)};
}

LowBitConstant RecognizeLowBitWeights::getConstant(const WeightSource &source) {
  auto id = [](Attribute attr) { return attr.getAsOpaquePointer(); };
  auto number = [](int64_t n) {
    return reinterpret_cast<const void *>(static_cast<intptr_t>(n));
  };
  std::array<const void *, 6> key = {
      id(source.values),    id(source.scale),
      id(source.zeroPoint), number(source.outputs),
      number(source.axis),  number(source.block * 2 + source.outputsFirst)};
  auto [it, inserted] = constants.try_emplace(key);
  if (inserted)
    it->second = makeConstant(source);
  return it->second;
}

std::optional<LinearWeight>
RecognizeLowBitWeights::makeWeight(OpBuilder &builder, Location loc,
                                   const std::optional<WeightSource> &source) {
  if (!source)
    return std::nullopt;
  LowBitConstant constant = getConstant(*source);
  if (!constant.weight)
    return std::nullopt;
  return LinearWeight{bitnet::ConstantOp::create(builder, loc, constant.weight),
                      arith::ConstantOp::create(builder, loc, constant.scale)};
}

/// `[..., K]` times the weight, as a value of `type`.
static Value makeLinear(OpBuilder &builder, Location loc, Value input,
                        const LinearWeight &weight, RankedTensorType type) {
  Value rows = collapseRows(builder, loc, input);
  int64_t n = getTensorType(weight.weight).getDimSize(0);
  Value empty = makeEmpty(
      builder, loc,
      {tensor::getMixedSize(builder, loc, rows, 0), builder.getIndexAttr(n)},
      builder.getF32Type());
  auto linear = LinearOp::create(
      builder, loc, empty.getType(), rows, weight.weight, weight.scale,
      /*step=*/Value(), /*sum=*/Value(), /*bias=*/Value(),
      /*factor=*/Value(), /*addend=*/Value(), /*prepared=*/Value(), empty,
      Activation::None, Lowering::Auto,
      /*packing=*/PackingAttr(), /*rows=*/IntegerAttr(),
      /*columns=*/IntegerAttr(), /*magnitude=*/IntegerAttr());
  return expandRows(builder, loc, linear.getResult(), input, type);
}

/// Multiplies a constant scale of a weight.
static void scaleWeight(OpBuilder &builder, LinearWeight &weight,
                        double factor) {
  auto scale = cast<DenseElementsAttr>(bitnet::getConstant(weight.scale));
  std::vector<float> values;
  for (float value : scale.getValues<float>())
    values.push_back(static_cast<float>(value * factor));
  weight.scale = arith::ConstantOp::create(
      builder, weight.scale.getLoc(),
      DenseElementsAttr::get(scale.getType(), ArrayRef<float>(values)));
}

/// Floats that a linear layer takes: f32, or 16-bit ones as f32.
static bool isLinearFloat(Type type) {
  return type.isF32() || type.isF16() || type.isBF16();
}

/// The same numbers in f32, the type that linear layers compute in.
static Value toF32(OpBuilder &builder, Location loc, Value value) {
  RankedTensorType type = getTensorType(value);
  if (type.getElementType().isF32())
    return value;
  return onnx::CastOp::create(builder, loc, type.clone(builder.getF32Type()),
                              value, IntegerAttr());
}

/// An f32 value rounded to `type`.
static Value roundTo(OpBuilder &builder, Location loc, Value value, Type type) {
  if (value.getType() == type)
    return value;
  return onnx::CastOp::create(builder, loc, type, value, IntegerAttr());
}

void RecognizeLowBitWeights::convert(onnx::MatMulOp op) {
  RankedTensorType input = getTensorType(op.getA());
  RankedTensorType type = getTensorType(op.getY());
  if (!input || !type || !isLinearFloat(type.getElementType()) ||
      input.getElementType() != type.getElementType() || type.getRank() < 1 ||
      getTensorType(op.getB()).getRank() != 2)
    return;
  OpBuilder builder(op);
  Location loc = op.getLoc();
  auto weight = makeWeight(builder, loc, matchWeightSource(op.getB(), false));
  if (!weight)
    return;
  Value rows = toF32(builder, loc, op.getA());
  auto floats = cast<RankedTensorType>(type.clone(builder.getF32Type()));
  SmallVector<ReassociationIndices> vector = {{0, 1}};
  if (input.getRank() == 1) {
    rows = tensor::ExpandShapeOp::create(
        builder, loc,
        RankedTensorType::get({1, input.getDimSize(0)}, builder.getF32Type()),
        rows, vector);
    auto row =
        RankedTensorType::get({1, type.getDimSize(0)}, builder.getF32Type());
    Value result = makeLinear(builder, loc, rows, *weight, row);
    rows =
        tensor::CollapseShapeOp::create(builder, loc, floats, result, vector);
  } else {
    rows = makeLinear(builder, loc, rows, *weight, floats);
  }
  op.getY().replaceAllUsesWith(roundTo(builder, loc, rows, type));
  op.erase();
  ++numLinears;
}

/// The bias of a Gemm in f32, times beta.
static Value makeBias(OpBuilder &builder, onnx::GemmOp op, double beta) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(
      getTensorType(op.getC()).clone(builder.getF32Type()));
  if (auto view =
          onnx::ElementsView<double>::get(bitnet::getConstant(op.getC()))) {
    std::vector<float> values;
    for (double value : view->values())
      values.push_back(static_cast<float>(value * beta));
    return onnx::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(type, ArrayRef<float>(values)));
  }
  Value bias = toF32(builder, loc, op.getC());
  if (beta == 1.0)
    return bias;
  auto scalar = RankedTensorType::get({}, builder.getF32Type());
  Value factor = onnx::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(scalar, static_cast<float>(beta)));
  return onnx::MulOp::create(builder, loc, type, bias, factor);
}

void RecognizeLowBitWeights::convert(onnx::GemmOp op) {
  RankedTensorType type = getTensorType(op.getY());
  if (!type || type.getRank() != 2 || !isLinearFloat(type.getElementType()))
    return;
  double alpha = op.getAlpha().convertToDouble();
  double beta = op.getBeta().convertToDouble();
  bool hasBias = !onnx::isAbsent(op.getC()) && beta != 0.0;
  OpBuilder builder(op);
  Location loc = op.getLoc();
  auto weight = makeWeight(builder, loc,
                           matchWeightSource(op.getB(), op.getTransB() != 0));
  if (!weight)
    return;
  if (alpha != 1.0)
    scaleWeight(builder, *weight, alpha);
  Value rows = toF32(builder, loc, op.getA());
  if (op.getTransA() != 0) {
    RankedTensorType old = getTensorType(rows);
    rows = onnx::TransposeOp::create(
        builder, loc,
        RankedTensorType::get({old.getDimSize(1), old.getDimSize(0)},
                              builder.getF32Type()),
        rows, builder.getDenseI64ArrayAttr({1, 0}));
  }
  auto floats = cast<RankedTensorType>(type.clone(builder.getF32Type()));
  Value result = makeLinear(builder, loc, rows, *weight, floats);
  if (hasBias)
    result = onnx::AddOp::create(builder, loc, floats, result,
                                 makeBias(builder, op, beta));
  op.getY().replaceAllUsesWith(roundTo(builder, loc, result, type));
  op.erase();
  ++numLinears;
}

/// Sums below 2^24 are exact in f32, and so is the matmul of their integers.
static bool isExactInF32(onnx::MatMulIntegerOp op) {
  constexpr int64_t kMaxProduct = 255;
  int64_t k = getTensorType(op.getB()).getDimSize(0);
  return !ShapedType::isDynamic(k) && k < (1 << 24) / kMaxProduct;
}

/// The right operand with its zero point, which is one value or one an output.
static std::optional<WeightSource> matchWeightSource(onnx::MatMulIntegerOp op) {
  auto source = bitnet::matchWeightSource(op.getB(), false);
  Value zeroPoint = op.getBZeroPoint();
  if (!source || onnx::isAbsent(zeroPoint) || isScalar(zeroPoint, 0.0))
    return source;
  if (source->scale)
    return std::nullopt;
  source->zeroPoint = bitnet::getConstant(zeroPoint);
  ArrayRef<int64_t> shape =
      cast<ShapedType>(source->values.getType()).getShape();
  source->axis = 1;
  if (!source->zeroPoint || shape.size() != 2 ||
      (source->outputsFirst && source->zeroPoint.getNumElements() != 1))
    return std::nullopt;
  return source;
}

/// The left operand less its zero point, as floats; null where that is not one
/// value.
static Value makeCentred(OpBuilder &builder, onnx::MatMulIntegerOp op) {
  Location loc = op.getLoc();
  Type f32 = builder.getF32Type();
  auto toFloats = [&](Value value) -> Value {
    return onnx::CastOp::create(builder, loc, getTensorType(value).clone(f32),
                                value, IntegerAttr());
  };
  Value zeroPoint = op.getAZeroPoint();
  if (onnx::isAbsent(zeroPoint) || isScalar(zeroPoint, 0.0))
    return toFloats(op.getA());
  RankedTensorType type = getTensorType(zeroPoint);
  if (!type || !type.hasStaticShape() || type.getNumElements() != 1)
    return {};
  Value point;
  auto scalar = RankedTensorType::get(type.getShape(), f32);
  if (auto value = getScalar(zeroPoint))
    point = onnx::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(scalar, static_cast<float>(*value)));
  else
    point = toFloats(zeroPoint);
  Value values = toFloats(op.getA());
  return onnx::SubOp::create(builder, loc, values.getType(), values, point);
}

void RecognizeLowBitWeights::convert(onnx::MatMulIntegerOp op) {
  RankedTensorType input = getTensorType(op.getA());
  RankedTensorType type = getTensorType(op.getY());
  if (input.getRank() < 2 || getTensorType(op.getB()).getRank() != 2 ||
      !isExactInF32(op))
    return;
  // The result must be floats next.
  for (Operation *user : op->getUsers())
    if (!isa<onnx::CastOp>(user) ||
        !getTensorType(user->getResult(0)).getElementType().isF32())
      return;
  OpBuilder builder(op);
  auto weight = makeWeight(builder, op.getLoc(), ::matchWeightSource(op));
  if (!weight)
    return;
  Value floats = makeCentred(builder, op);
  if (!floats)
    return;
  Value result =
      makeLinear(builder, op.getLoc(), floats, *weight,
                 cast<RankedTensorType>(type.clone(builder.getF32Type())));
  for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
    user->getResult(0).replaceAllUsesWith(
        castTo(builder, op.getLoc(), result, user->getResult(0).getType()));
    user->erase();
  }
  op.erase();
  ++numLinears;
}

void RecognizeLowBitWeights::runOnOperation() {
  constants.clear();
  SmallVector<Operation *> matmuls;
  getOperation().walk([&](Operation *op) {
    if (isa<onnx::MatMulOp, onnx::GemmOp, onnx::MatMulIntegerOp>(op))
      matmuls.push_back(op);
  });
  for (Operation *op : matmuls) {
    if (auto matmul = dyn_cast<onnx::MatMulOp>(op))
      convert(matmul);
    else if (auto gemm = dyn_cast<onnx::GemmOp>(op))
      convert(gemm);
    else
      convert(cast<onnx::MatMulIntegerOp>(op));
  }
}
