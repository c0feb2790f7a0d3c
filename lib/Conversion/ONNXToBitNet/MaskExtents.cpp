//===- MaskExtents.cpp - Extents, sums and orders of keys -----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of the analysis of masks that reads extents: of what has the past's
// length, and of sums over the attention mask.
//
//===----------------------------------------------------------------------===//

#include "MaskAnalysis.h"

#include "MatchUtils.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Dimensions
//===----------------------------------------------------------------------===//

bool bitnet::isElementwise(Operation *op) {
  return isa<onnx::CastOp, onnx::AddOp, onnx::SubOp, onnx::MulOp, onnx::MaxOp,
             onnx::MinOp, onnx::LessOrEqualOp, onnx::LessOp,
             onnx::GreaterOrEqualOp, onnx::GreaterOp, onnx::EqualOp,
             onnx::NotOp, onnx::AndOp, onnx::OrOp, onnx::WhereOp>(op);
}

std::optional<SmallVector<AffineNumber, 4>>
bitnet::mapUnitDims(RankedTensorType from, RankedTensorType to,
                    ArrayRef<AffineNumber> indices) {
  SmallVector<AffineNumber, 4> result;
  int64_t dim = 0, rank = to.getRank();
  auto skipUnits = [&] {
    while (dim < rank && to.getDimSize(dim) == 1)
      ++dim;
  };
  for (int64_t extent : from.getShape()) {
    if (extent == 1) {
      result.push_back(number(0));
      continue;
    }
    skipUnits();
    if (dim == rank || to.getDimSize(dim) != extent)
      return std::nullopt;
    result.push_back(indices[dim++]);
  }
  skipUnits();
  if (dim != rank)
    return std::nullopt;
  return result;
}

/// The extent of a dimension, told from where a tensor comes from.
MaskAnalysis::Result MaskAnalysis::evaluateExtent(Value value, int64_t dim) {
  RankedTensorType type = getTensorType(value);
  if (!type || dim < 0 || dim >= type.getRank())
    return std::nullopt;
  if (!type.isDynamicDim(dim))
    return makeNumber(number(type.getDimSize(dim)));
  AffineNumber position{0, 1, 0, 0};
  AffineNumber keys{static_cast<double>(context.tokens), 1, 0, 0};
  if (context.pasts.contains(value) && dim == 2)
    return makeNumber(position);
  if (value == context.attentionMask && dim == 1)
    return makeNumber(keys);
  if (auto concat = value.getDefiningOp<onnx::ConcatOp>())
    if (dim == 2 && context.pasts.contains(concat.getInputs()[0]) &&
        concat.getInputs().size() == 2)
      return makeNumber(keys);
  if (auto range = value.getDefiningOp<onnx::RangeOp>()) {
    auto start = evaluate(range.getStart(), {});
    auto delta = evaluate(range.getDelta(), {});
    bool counts = start && delta && start->isNumber() && delta->isNumber() &&
                  start->yes == number(0) && delta->yes == number(1);
    return counts ? evaluate(range.getLimit(), {}) : std::nullopt;
  }
  if (Operation *op = value.getDefiningOp())
    return evaluateOperandExtent(op, dim);
  return std::nullopt;
}

/// The extent of a dimension that an op takes from an operand.
MaskAnalysis::Result MaskAnalysis::evaluateOperandExtent(Operation *op,
                                                         int64_t dim) {
  RankedTensorType to = getTensorType(op->getResult(0));
  if (isa<onnx::ReshapeOp, onnx::UnsqueezeOp, onnx::SqueezeOp, tensor::CastOp>(
          op)) {
    Value source = op->getOperand(0);
    Indices marked(to.getRank(), number(0));
    marked[dim] = {0, 0, 0, 1};
    auto mapped = mapUnitDims(getTensorType(source), to, marked);
    if (!mapped)
      return std::nullopt;
    auto *it = llvm::find(*mapped, marked[dim]);
    return it == mapped->end() ? std::nullopt
                               : evaluateExtent(source, it - mapped->begin());
  }
  if (!isElementwise(op))
    return std::nullopt;
  // All operands that do not broadcast have it; a dynamic extent may be 1.
  Result result;
  for (Value operand : op->getOperands()) {
    RankedTensorType from = getTensorType(operand);
    int64_t at = from ? dim - (to.getRank() - from.getRank()) : -1;
    if (at < 0 || from.getDimSize(at) == 1)
      continue;
    auto extent = evaluateExtent(operand, at);
    if (!extent || !extent->isNumber() ||
        (result && !(result->yes == extent->yes)))
      return std::nullopt;
    result = extent;
  }
  return result;
}

MaskAnalysis::Result MaskAnalysis::evaluateUniform(Value value) {
  if (value == context.attentionMask)
    return makeNumber(number(1));
  if (auto castOp = value.getDefiningOp<onnx::CastOp>())
    return evaluateUniform(castOp.getInput());
  if (auto view = value.getDefiningOp();
      view && isa<onnx::ReshapeOp, onnx::UnsqueezeOp, onnx::SqueezeOp,
                  onnx::ExpandOp, onnx::SliceOp, onnx::TransposeOp>(view))
    return evaluateUniform(view->getOperand(0));
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// The sum or the largest of equal elements.
MaskAnalysis::Result MaskAnalysis::evaluateReduction(Operation *op) {
  Value source = op->getOperand(0), axesValue = op->getOperand(1);
  auto element = evaluateUniform(source);
  if (!element || !element->isNumber() || !element->yes.isConstant())
    return std::nullopt;
  if (isa<onnx::ReduceMaxOp>(op))
    return element;
  int64_t rank = getTensorType(source).getRank();
  auto axes = onnx::getConstantInts(axesValue);
  if (!axes || axes->empty())
    return std::nullopt;
  AffineNumber sum = element->yes;
  for (int64_t axis : *axes) {
    auto extent = evaluateExtent(source, axis < 0 ? axis + rank : axis);
    if (!extent || !extent->isNumber())
      return std::nullopt;
    if (sum.isConstant())
      sum = combine(extent->yes, sum.constant, sum, 0);
    else if (extent->yes.isConstant())
      sum = combine(sum, extent->yes.constant, sum, 0);
    else
      return std::nullopt;
  }
  return makeNumber(sum);
}

/// Sums of equal elements up to each.
MaskAnalysis::Result MaskAnalysis::evaluateCumSum(Operation *op,
                                                  const Indices &indices) {
  auto cumSum = cast<onnx::CumSumOp>(op);
  auto element = evaluateUniform(cumSum.getX());
  auto axis = getScalar(cumSum.getAxis());
  int64_t rank = indices.size();
  if (!element || !element->isNumber() || !element->yes.isConstant() || !axis ||
      cumSum.getReverse() || *axis < -rank || *axis >= rank)
    return std::nullopt;
  double value = element->yes.constant;
  AffineNumber index =
      indices[static_cast<int64_t>(*axis) + (*axis < 0 ? rank : 0)];
  double own = cumSum.getExclusive() ? 0 : value;
  return makeNumber(combine(index, value, number(1), own));
}

//===----------------------------------------------------------------------===//
// Keys in their order
//===----------------------------------------------------------------------===//

/// Whether a dimension has as many entries as there are keys.
bool MaskAnalysis::hasExtentOfKeys(Value value, int64_t dim) {
  auto extent = evaluateExtent(value, dim);
  return extent && extent->isNumber() &&
         extent->yes ==
             AffineNumber{static_cast<double>(context.tokens), 1, 0, 0};
}

bool MaskAnalysis::isNumberOfKeys(Value vector, int64_t index) {
  auto element = evaluate(vector, {number(index)});
  return element && element->isNumber() &&
         element->yes ==
             AffineNumber{static_cast<double>(context.tokens), 1, 0, 0};
}

/// Whether a value is [1, 1, T, 1].
static bool isColumnOfKeys(Value value) {
  RankedTensorType type = getTensorType(value);
  return type && type.getRank() == 4 && type.getDimSize(0) == 1 &&
         type.getDimSize(1) == 1 && type.getDimSize(3) == 1;
}

bool MaskAnalysis::isOrderOfKeys(Value indices) {
  // The heads read the same rows.
  if (auto expand = indices.getDefiningOp<onnx::ExpandOp>())
    indices = expand.getInput();
  if (!isColumnOfKeys(indices) || !hasExtentOfKeys(indices, 2))
    return false;
  AffineNumber key{0, 0, 0, 1};
  auto element = evaluate(indices, {number(0), number(0), key, number(0)});
  return element && element->isNumber() && element->yes == key;
}

bool MaskAnalysis::holdsForKeys(Value condition) {
  if (!isColumnOfKeys(condition) || !hasExtentOfKeys(condition, 2))
    return false;
  AffineNumber key{0, 0, 0, 1};
  auto element = evaluate(condition, {number(0), number(0), key, number(0)});
  auto holds = element ? asCondition(*element) : std::nullopt;
  return holds && holds->isTrue();
}
