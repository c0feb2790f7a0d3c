//===- MatmulVerifiers.cpp - Quantised linear layers ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OperandCheck.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace bitnet;

/// Checks qmin and qmax against the integers' type and the range of a row's
/// sum.
static LogicalResult verifyQuantizedRange(QuantizeOp op, Type element,
                                          int64_t columns) {
  int64_t qmin = op.getQmin(), qmax = op.getQmax();
  if (!element.isSignlessInteger(8) && !element.isSignlessInteger(16))
    return op.emitOpError("operand 'values' must have elements of type i8 or "
                          "i16, got ")
           << element;
  unsigned width = element.getIntOrFloatBitWidth();
  if (qmin > 0 || qmax < 0 || qmin == qmax)
    return op.emitOpError("needs qmin <= 0 <= qmax and qmin < qmax");
  if (!llvm::isIntN(width, qmin) || !llvm::isIntN(width, qmax))
    return op.emitOpError("qmin and qmax must fit in ") << element;
  if (ShapedType::isDynamic(columns))
    return success();
  int64_t magnitude = std::max(-qmin, qmax);
  if (columns > std::numeric_limits<int32_t>::max() / magnitude)
    return op.emitOpError("the sum of a row may exceed i32");
  return success();
}

/// Checks what belongs to a norm.
static LogicalResult verifyQuantizedNorm(QuantizeOp op, int64_t columns) {
  if (!op.getNorm()) {
    if (op.getWeight() || op.getBias() || op.getNormEpsilon())
      return op.emitOpError("has a weight, a bias or norm_epsilon; expected "
                            "them beside norm only");
    return success();
  }
  if (!op.getNormEpsilon())
    return op.emitOpError("needs norm_epsilon beside norm");
  if (op.getGranularity() != Granularity::Token)
    return op.emitOpError("has a norm; expected granularity token");
  auto fits = [&](StringRef name, Value operand) {
    return success(!operand ||
                   succeeded(OperandCheck(op, name, operand)
                                 .isVector(columns, /*broadcasts=*/false)));
  };
  if (failed(fits("weight", op.getWeight())) ||
      failed(fits("bias", op.getBias())))
    return failure();
  return verifyFiniteNonNegative(op, "norm_epsilon", *op.getNormEpsilon());
}

LogicalResult QuantizeOp::verify() {
  if (failed(verifySemantics(*this)))
    return failure();
  OperandCheck input(*this, "input", getInput());
  OperandCheck values(*this, "values", getValues());
  OperandCheck steps(*this, "steps", getSteps());
  OperandCheck sums(*this, "sums", getSums());
  if (failed(input.hasRank(2)) || failed(input.isF32()) ||
      failed(values.hasRank(2)))
    return failure();
  int64_t rows = input.extent(0), columns = input.extent(1);
  if (failed(values.hasExtent(0, rows)))
    return failure();
  if (!ShapedType::isDynamic(columns) &&
      !ShapedType::isDynamic(values.extent(1)) && values.extent(1) < columns)
    return values.error() << "must have at least " << columns << " columns";
  bool perTensor = getGranularity() == Granularity::Tensor;
  if (failed(steps.isVector(perTensor ? 1 : rows, false)) ||
      failed(sums.isInteger(32)) || failed(sums.hasShape({rows})))
    return failure();
  APFloat bound = getBound();
  if (!bound.isFinite() || bound.isNegative() || bound.isZero())
    return emitOpError("attribute 'bound' must be finite and positive");
  if (failed(verifyFiniteNonNegative(*this, "epsilon", getEpsilon())))
    return failure();
  if (failed(verifyQuantizedNorm(*this, columns)))
    return failure();
  return verifyQuantizedRange(*this, values.element(), columns);
}

/// The extents of unpacked weights `[N, K]`.
static LogicalResult verifyLowBitWeight(const OperandCheck &weight) {
  if (failed(weight.hasRank(2)))
    return failure();
  if (!isLowBitType(weight.element()))
    return weight.error() << "must have elements of type !bitnet.ternary or "
                             "!bitnet.binary";
  return success();
}

/// Checks the weight, unpacked or packed, so that getN() and getK() hold.
template <typename OpTy> static LogicalResult verifyMatmulWeight(OpTy op) {
  OperandCheck weight(op, "weight", op.getWeight());
  std::optional<PackingAttr> packing = op.getPacking();
  bool hasExtents = op.getRows() && op.getColumns();
  if (!packing) {
    if (op.getRows() || op.getColumns())
      return op.emitOpError("has rows or columns without a packing");
    return verifyLowBitWeight(weight);
  }
  if (!hasExtents)
    return op.emitOpError("needs rows and columns beside its packing");
  int64_t n = *op.getRows(), k = *op.getColumns();
  constexpr int64_t kLimit = std::numeric_limits<int32_t>::max();
  if (n < 1 || k < 1 || n > kLimit || k > kLimit)
    return op.emitOpError("rows and columns must be positive and below 2^31");
  if (failed(weight.isInteger(8)) || failed(weight.hasRank(1)))
    return failure();
  return weight.hasExtent(0, packing->getByteSize(n, k));
}

/// The columns that the activations of a matmul have at least: beside packed
/// weights, whole blocks.
template <typename OpTy> static int64_t getLeastColumns(OpTy op) {
  int64_t k = op.getK();
  return op.getPacking() ? op.getPacking()->getPaddedColumns(k) : k;
}

static LogicalResult verifyColumns(const OperandCheck &lhs, int64_t least) {
  if (ShapedType::isDynamic(lhs.extent(1)) || ShapedType::isDynamic(least) ||
      lhs.extent(1) >= least)
    return success();
  return lhs.error() << "must have at least " << least << " columns";
}

/// Checks the sizes of blocks of tokens, vectors of which are transposed.
template <typename OpTy> static LogicalResult verifyTokenBlocks(OpTy op) {
  ArrayRef<int64_t> sizes = op.getTokenBlocks();
  if (!sizes.empty() && op.getLowering() != Lowering::LUT)
    return op.emitOpError("attribute 'token_blocks' needs the lowering 'lut'");
  for (auto [i, size] : llvm::enumerate(sizes))
    if (size < 8 || size > 64 || !llvm::isPowerOf2_64(size) ||
        (i > 0 && size >= sizes[i - 1]))
      return op.emitOpError("attribute 'token_blocks' must be powers of two "
                            "from 64 to 8, each less than the one before");
  return success();
}

/// Checks what is known of the activations, and their prepared form.
template <typename OpTy> static LogicalResult verifyPreparation(OpTy op) {
  OperandCheck lhs(op, "lhs", op.getLhs());
  if (std::optional<int64_t> magnitude = op.getMagnitude()) {
    if (!isa<IntegerType>(lhs.element()) || *magnitude < 1)
      return op.emitOpError(
          "attribute 'magnitude' must be positive, and beside integers");
    auto quantize = op.getLhs().template getDefiningOp<QuantizeOp>();
    if (quantize && (int64_t(quantize.getQmax()) > *magnitude ||
                     -int64_t(quantize.getQmin()) > *magnitude))
      return op.emitOpError("attribute 'magnitude' is ")
             << *magnitude << ", but the quantiser's range exceeds it";
  }
  if (!op.getPrepared()) {
    if (!op.getTokenBlocks().empty())
      return op.emitOpError(
          "attribute 'token_blocks' needs prepared activations");
    return success();
  }
  RankedTensorType type;
  if (op.getPacking())
    type = PrepareOp::getPreparedType(op.getLowering(), *op.getPacking(),
                                      lhs.extent(0), op.getK());
  if (!type)
    return op.emitOpError("has prepared activations, which needs a packing of "
                          "planes and the lowering 'lut' or 'popcount'");
  if (op.getLowering() == Lowering::Popcount && op.getMagnitude() != 1)
    return op.emitOpError("needs magnitude 1 beside the lowering 'popcount'");
  OperandCheck prepared(op, "prepared", op.getPrepared());
  return all({verifyTokenBlocks(op), lhs.isInteger(8),
              prepared.isInteger(type.getElementTypeBitWidth()),
              prepared.hasShape(type.getShape())});
}

LogicalResult PrepareOp::verify() {
  if (failed(verifySemantics(*this)) || failed(verifyTokenBlocks(*this)))
    return failure();
  OperandCheck input(*this, "input", getInput());
  OperandCheck output(*this, "output", getOutput());
  if (failed(input.hasRank(2)) || failed(input.isInteger(8)) ||
      failed(output.hasRank(2)))
    return failure();
  int64_t columns = input.extent(1);
  if (ShapedType::isDynamic(columns) || columns < 1)
    return input.error() << "must have a static number of columns";
  RankedTensorType whole =
      getPreparedType(getLowering(), getPacking(), input.extent(0), columns);
  if (!whole)
    return emitOpError("attribute 'lowering' must be lut or popcount, and the "
                       "packing one of planes");
  int64_t width =
      whole.getShape()[1] /
      (getPacking().getPaddedColumns(columns) / getPacking().getBlock());
  int64_t extent = output.extent(1);
  if (failed(output.isInteger(whole.getElementTypeBitWidth())) ||
      failed(output.hasExtent(0, input.extent(0))))
    return failure();
  // The input may be wider than the matmul's K.
  if (ShapedType::isDynamic(extent) || extent % width != 0)
    return output.error() << "must have a static multiple of " << width
                          << " columns";
  return verifyColumns(input, extent / width * getPacking().getBlock());
}

LogicalResult MatmulOp::verify() {
  if (failed(verifySemantics(*this)) || failed(verifyMatmulWeight(*this)))
    return failure();
  OperandCheck lhs(*this, "lhs", getLhs());
  OperandCheck output(*this, "output", getOutput());
  if (failed(lhs.hasRank(2)) ||
      failed(output.hasShape({lhs.extent(0), getN()})))
    return failure();
  if (lhs.element().isF32()) {
    if (failed(lhs.hasExtent(1, getLeastColumns(*this))) ||
        failed(verifyPreparation(*this)))
      return failure();
    return output.isF32();
  }
  if (!lhs.element().isSignlessInteger(8) &&
      !lhs.element().isSignlessInteger(16))
    return lhs.error() << "must have elements of type i8, i16 or f32";
  if (getPacking() ? failed(verifyColumns(lhs, getLeastColumns(*this)))
                   : failed(lhs.hasExtent(1, getK())))
    return failure();
  return all({verifyPreparation(*this), output.isInteger(32)});
}

LogicalResult RescaleOp::verify() {
  if (failed(verifySemantics(*this)))
    return failure();
  OperandCheck acc(*this, "acc", getAcc());
  OperandCheck output(*this, "output", getOutput());
  if (failed(acc.hasRank(2)) || failed(acc.isInteger(32)) ||
      failed(output.isF32()) ||
      failed(output.hasShape({acc.extent(0), acc.extent(1)})))
    return failure();
  return all({OperandCheck(*this, "step", getStep())
                  .isVector(acc.extent(0), /*broadcasts=*/true),
              OperandCheck(*this, "scale", getScale())
                  .isVector(acc.extent(1), /*broadcasts=*/true)});
}

/// Checks the activations: integers with steps and sums, or floats without.
static LogicalResult verifyLinearInput(LinearOp op) {
  OperandCheck lhs(op, "lhs", op.getLhs());
  if (failed(lhs.hasRank(2)))
    return failure();
  if (static_cast<bool>(op.getStep()) != static_cast<bool>(op.getSum()))
    return op.emitOpError("needs both of step and sum, or none");
  if (!op.getStep()) {
    if (!lhs.element().isF32())
      return lhs.error() << "must have elements of type f32 where there is no "
                            "step";
    return lhs.hasExtent(1, getLeastColumns(op));
  }
  if (!lhs.element().isSignlessInteger(8) &&
      !lhs.element().isSignlessInteger(16))
    return lhs.error() << "must have elements of type i8 or i16 where there "
                          "is a step";
  if (failed(verifyColumns(lhs, getLeastColumns(op))))
    return failure();
  OperandCheck sum(op, "sum", op.getSum());
  return all({OperandCheck(op, "step", op.getStep())
                  .isVector(lhs.extent(0), /*broadcasts=*/true),
              sum.isInteger(32), sum.hasShape({lhs.extent(0)})});
}

static LogicalResult verifyLinearScale(LinearOp op) {
  OperandCheck scale(op, "scale", op.getScale());
  int64_t n = op.getN(), k = op.getK();
  if (scale.rank() == 1)
    return scale.isVector(n, /*broadcasts=*/true);
  // Beside packed weights the scales of a group are contiguous.
  unsigned rowDim = op.getPacking() ? 1 : 0;
  if (failed(scale.isF32()) || failed(scale.hasRank(2)) ||
      failed(scale.hasExtent(rowDim, n)))
    return failure();
  int64_t groups = scale.extent(1 - rowDim);
  if (ShapedType::isDynamic(groups) || groups < 1 ||
      (!ShapedType::isDynamic(k) && k % groups != 0))
    return scale.error() << "must have a static number of groups that divides "
                         << k << " columns";
  return success();
}

LogicalResult LinearOp::verify() {
  if (failed(verifySemantics(*this)) || failed(verifyMatmulWeight(*this)) ||
      failed(verifyLinearInput(*this)) || failed(verifyLinearScale(*this)) ||
      failed(verifyPreparation(*this)))
    return failure();
  int64_t rows = cast<ShapedType>(getLhs().getType()).getDimSize(0);
  if (getBias() && failed(OperandCheck(*this, "bias", getBias())
                              .isVector(getN(), /*broadcasts=*/false)))
    return failure();
  OperandCheck output(*this, "output", getOutput());
  if (failed(output.isF32()) || failed(output.hasShape({rows, getN()})))
    return failure();
  auto fits = [&](StringRef name, Value operand) {
    if (!operand)
      return success();
    OperandCheck check(*this, name, operand);
    return success(succeeded(check.isF32()) &&
                   succeeded(check.hasShape({rows, getN()})));
  };
  return success(succeeded(fits("factor", getFactor())) &&
                 succeeded(fits("addend", getAddend())));
}
