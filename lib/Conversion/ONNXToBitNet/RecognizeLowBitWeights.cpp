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
  std::optional<LinearWeight> makeWeight(OpBuilder &builder, Location loc,
                                         Value operand, bool outputsFirst);
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
                                   Value operand, bool outputsFirst) {
  auto source = matchWeightSource(operand, outputsFirst);
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
      /*prepared=*/Value(), empty, Activation::None, Lowering::Auto,
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

void RecognizeLowBitWeights::convert(onnx::MatMulOp op) {
  RankedTensorType type = getTensorType(op.getY());
  if (!isF32Tensor(op.getA()) || !type || !type.getElementType().isF32())
    return;
  OpBuilder builder(op);
  auto weight = makeWeight(builder, op.getLoc(), op.getB(), false);
  if (!weight)
    return;
  op.getY().replaceAllUsesWith(
      makeLinear(builder, op.getLoc(), op.getA(), *weight, type));
  op.erase();
  ++numLinears;
}

void RecognizeLowBitWeights::convert(onnx::GemmOp op) {
  RankedTensorType type = getTensorType(op.getY());
  if (!isF32Tensor(op.getA(), 2) || op.getTransA() != 0 || !type)
    return;
  double alpha = op.getAlpha().convertToDouble();
  double beta = op.getBeta().convertToDouble();
  bool hasBias = !onnx::isAbsent(op.getC()) && beta != 0.0;
  if (hasBias && beta != 1.0)
    return;
  OpBuilder builder(op);
  auto weight =
      makeWeight(builder, op.getLoc(), op.getB(), op.getTransB() != 0);
  if (!weight)
    return;
  if (alpha != 1.0)
    scaleWeight(builder, *weight, alpha);
  Value result = makeLinear(builder, op.getLoc(), op.getA(), *weight, type);
  if (hasBias)
    result = onnx::AddOp::create(builder, op.getLoc(), type, result, op.getC());
  op.getY().replaceAllUsesWith(result);
  op.erase();
  ++numLinears;
}

/// Sums below 2^24 are exact in f32, and so is the matmul of their integers.
static bool isExactInF32(onnx::MatMulIntegerOp op) {
  constexpr int64_t kMaxProduct = 255;
  int64_t k = getTensorType(op.getB()).getDimSize(0);
  return !ShapedType::isDynamic(k) && k < (1 << 24) / kMaxProduct;
}

void RecognizeLowBitWeights::convert(onnx::MatMulIntegerOp op) {
  auto isZero = [](Value zeroPoint) {
    return onnx::isAbsent(zeroPoint) || isScalar(zeroPoint, 0.0);
  };
  RankedTensorType input = getTensorType(op.getA());
  RankedTensorType type = getTensorType(op.getY());
  if (input.getRank() < 2 || getTensorType(op.getB()).getRank() != 2 ||
      !isZero(op.getAZeroPoint()) || !isZero(op.getBZeroPoint()) ||
      !isExactInF32(op))
    return;
  // The result must be floats next.
  for (Operation *user : op->getUsers())
    if (!isa<onnx::CastOp>(user) ||
        !getTensorType(user->getResult(0)).getElementType().isF32())
      return;
  OpBuilder builder(op);
  auto weight = makeWeight(builder, op.getLoc(), op.getB(), false);
  if (!weight)
    return;
  Type f32 = builder.getF32Type();
  Value floats = onnx::CastOp::create(builder, op.getLoc(), input.clone(f32),
                                      op.getA(), IntegerAttr());
  Value result = makeLinear(builder, op.getLoc(), floats, *weight,
                            cast<RankedTensorType>(type.clone(f32)));
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
