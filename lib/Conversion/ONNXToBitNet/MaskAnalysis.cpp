//===- MaskAnalysis.cpp - What a mask built in a graph says ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MaskAnalysis.h"

#include "MatchUtils.h"

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Numbers and conditions
//===----------------------------------------------------------------------===//

/// The least value for position >= 0, 0 <= i < S, 0 <= j < position + S.
double MaskAnalysis::minimum(AffineNumber n) const {
  double last = context.tokens - 1;
  if (n.j < 0) {
    n.constant += n.j * last;
    n.p += n.j;
  }
  if (n.i < 0)
    n.constant += n.i * last;
  return n.p < 0 ? -std::numeric_limits<double>::infinity() : n.constant;
}

double MaskAnalysis::maximum(AffineNumber n) const {
  return -minimum(combine(n, -1, n, 0));
}

/// Drops what always holds; false if something never does.
void MaskAnalysis::simplify(Condition &condition) const {
  llvm::erase_if(condition.nonNegative,
                 [&](const AffineNumber &n) { return minimum(n) >= 0; });
  if (llvm::any_of(condition.nonNegative,
                   [&](const AffineNumber &n) { return maximum(n) < 0; }))
    condition.isFalse = true;
  if (condition.isFalse)
    condition.nonNegative.clear();
}

Element MaskAnalysis::makeElement(Condition condition, AffineNumber yes,
                                  AffineNumber no) {
  simplify(condition);
  if (condition.isFalse)
    return {Condition(), no, no};
  if (condition.isTrue() || yes == no)
    return {Condition(), yes, yes};
  return {condition, yes, no};
}

/// A boolean, 1 or 0, as when it is 1.
std::optional<Condition> MaskAnalysis::asCondition(const Element &element) {
  if (element.isNumber()) {
    if (!element.yes.isConstant())
      return std::nullopt;
    Condition condition;
    condition.isFalse = element.yes.constant == 0;
    return condition;
  }
  if (!element.yes.isConstant() || !element.no.isConstant())
    return std::nullopt;
  if (element.yes.constant != 0 && element.no.constant == 0)
    return element.condition;
  // The negation of one comparison of integers is another.
  if (element.yes.constant == 0 && element.no.constant != 0 &&
      element.condition.nonNegative.size() == 1) {
    Condition condition;
    condition.nonNegative.push_back(
        subtract(number(-1), element.condition.nonNegative[0]));
    return condition;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Arguments, constants, extents
//===----------------------------------------------------------------------===//

MaskAnalysis::Result MaskAnalysis::evaluateArgument(Value value,
                                                    const Indices &indices) {
  if (value == context.attentionMask)
    return makeNumber(number(1));
  if (value == context.positions && indices.size() == 2)
    return makeNumber(add({0, 1, 0, 0}, indices[1]));
  return std::nullopt;
}

/// A constant is read where its elements are affine in their indices.
MaskAnalysis::Result MaskAnalysis::evaluateConstant(Value value,
                                                    const Indices &indices) {
  constexpr int64_t kLargest = 1 << 20;
  ElementsAttr attr = getConstant(value);
  if (!attr || attr.getNumElements() == 0 || attr.getNumElements() > kLargest)
    return std::nullopt;
  auto view = onnx::ElementsView<double>::get(attr);
  if (!view)
    return std::nullopt;
  ArrayRef<double> values = view->values();
  ArrayRef<int64_t> shape = cast<ShapedType>(attr.getType()).getShape();
  if (shape.size() != indices.size())
    return std::nullopt;
  AffineNumber result = number(values.front());
  SmallVector<double> steps(shape.size(), 0.0);
  int64_t stride = 1;
  for (int64_t dim = shape.size() - 1; dim >= 0; --dim) {
    if (shape[dim] > 1)
      steps[dim] = values[stride] - values[0];
    if (steps[dim] != 0)
      result = combine(result, 1, indices[dim], steps[dim]);
    stride *= shape[dim];
  }
  for (int64_t flat = 0, e = values.size(); flat < e; ++flat) {
    double expected = values.front();
    int64_t rest = flat;
    for (int64_t dim = shape.size() - 1; dim >= 0; --dim) {
      if (steps[dim] != 0)
        expected += steps[dim] * (rest % shape[dim]);
      rest /= shape[dim];
    }
    if (values[flat] != expected)
      return std::nullopt;
  }
  return makeNumber(result);
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

MaskAnalysis::Result MaskAnalysis::evaluateView(Operation *op,
                                                const Indices &indices) {
  Value source = op->getOperand(0);
  RankedTensorType from = getTensorType(source);
  RankedTensorType to = getTensorType(op->getResult(0));
  if (isa<onnx::ReshapeOp, onnx::UnsqueezeOp, onnx::SqueezeOp, tensor::CastOp,
          tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
    auto mapped = mapUnitDims(from, to, indices);
    return mapped ? evaluate(source, *mapped) : std::nullopt;
  }
  if (auto transpose = dyn_cast<onnx::TransposeOp>(op)) {
    Indices mapped(indices.size());
    for (int64_t i = 0, e = indices.size(); i < e; ++i)
      mapped[transpose.getPerm() ? (*transpose.getPerm())[i] : e - 1 - i] =
          indices[i];
    return evaluate(source, mapped);
  }
  if (isa<onnx::ExpandOp>(op))
    return broadcastOperand(op, 0, indices);
  return std::nullopt;
}

/// Evaluates an operand that is broadcast with the result of the op.
MaskAnalysis::Result MaskAnalysis::broadcastOperand(Operation *op,
                                                    unsigned index,
                                                    const Indices &indices) {
  Value operand = op->getOperand(index);
  RankedTensorType type = getTensorType(operand);
  if (!type || type.getRank() > static_cast<int64_t>(indices.size()))
    return std::nullopt;
  size_t offset = indices.size() - type.getRank();
  Indices mapped;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    mapped.push_back(type.getDimSize(dim) == 1 ? number(0)
                                               : indices[dim + offset]);
  return evaluate(operand, mapped);
}

//===----------------------------------------------------------------------===//
// Movement
//===----------------------------------------------------------------------===//

MaskAnalysis::Result MaskAnalysis::evaluateMovement(Operation *op,
                                                    const Indices &indices) {
  if (auto range = dyn_cast<onnx::RangeOp>(op)) {
    auto start = evaluate(range.getStart(), {});
    auto delta = evaluate(range.getDelta(), {});
    if (!start || !delta || !start->isNumber() || !delta->isNumber() ||
        !delta->yes.isConstant() || indices.size() != 1)
      return std::nullopt;
    return makeNumber(combine(start->yes, 1, indices[0], delta->yes.constant));
  }
  if (auto shape = dyn_cast<onnx::ShapeOp>(op)) {
    int64_t rank = getTensorType(shape.getData()).getRank();
    int64_t start = shape.getStart();
    if (!indices[0].isConstant())
      return std::nullopt;
    return evaluateExtent(
        shape.getData(),
        std::max<int64_t>(0, start < 0 ? start + rank : start) +
            static_cast<int64_t>(indices[0].constant));
  }
  if (auto filled = dyn_cast<onnx::ConstantOfShapeOp>(op)) {
    auto attr = filled.getValue();
    if (!attr)
      return makeNumber(number(0));
    auto view = onnx::ElementsView<double>::get(*attr);
    if (!view)
      return std::nullopt;
    return makeNumber(number(view->values().front()));
  }
  if (isa<onnx::GatherOp, onnx::GatherNDOp, onnx::GatherElementsOp,
          onnx::SliceOp>(op)) {
    if (auto uniform = evaluateUniform(op->getOperand(0)))
      return uniform;
    auto gather = dyn_cast<onnx::GatherOp>(op);
    if (!gather)
      return std::nullopt;
    int64_t axis = gather.getAxis();
    int64_t rank = getTensorType(gather.getData()).getRank();
    axis = axis < 0 ? axis + rank : axis;
    int64_t width = getTensorType(gather.getIndices()).getRank();
    Indices inner(indices.begin() + axis, indices.begin() + axis + width);
    auto index = evaluate(gather.getIndices(), inner);
    if (!index || !index->isNumber() || minimum(index->yes) < 0)
      return std::nullopt;
    Indices mapped(indices.begin(), indices.begin() + axis);
    mapped.push_back(index->yes);
    mapped.append(indices.begin() + axis + width, indices.end());
    return evaluate(gather.getData(), mapped);
  }
  if (isa<onnx::ReduceSumOp, onnx::ReduceMaxOp>(op))
    return evaluateReduction(op);
  if (auto concat = dyn_cast<onnx::ConcatOp>(op))
    return evaluateVector(concat, indices);
  if (isa<onnx::CumSumOp>(op))
    return evaluateCumSum(op, indices);
  if (auto trilu = dyn_cast<onnx::TriluOp>(op)) {
    AffineNumber diagonal = number(0);
    if (!onnx::isAbsent(trilu.getK())) {
      RankedTensorType type = getTensorType(trilu.getK());
      Indices only(type ? type.getRank() : 0, number(0));
      auto k = evaluate(trilu.getK(), only);
      if (!k || !k->isNumber())
        return std::nullopt;
      diagonal = k->yes;
    }
    auto inner = evaluate(trilu.getInput(), indices);
    if (!inner || !inner->isNumber())
      return std::nullopt;
    AffineNumber offset = subtract(
        subtract(indices.back(), indices[indices.size() - 2]), diagonal);
    Condition kept;
    kept.nonNegative.push_back(trilu.getUpper() ? offset
                                                : subtract(number(0), offset));
    return makeElement(kept, inner->yes, number(0));
  }
  return std::nullopt;
}

/// An element of vectors in a row.
MaskAnalysis::Result MaskAnalysis::evaluateVector(onnx::ConcatOp concat,
                                                  const Indices &indices) {
  if (indices.size() != 1 || !indices[0].isConstant())
    return std::nullopt;
  int64_t at = static_cast<int64_t>(indices[0].constant);
  for (Value part : concat.getInputs()) {
    RankedTensorType type = getTensorType(part);
    if (!type || !type.hasStaticShape() || at < 0)
      return std::nullopt;
    if (at < type.getDimSize(0))
      return evaluate(part, {number(at)});
    at -= type.getDimSize(0);
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Elementwise ops
//===----------------------------------------------------------------------===//

MaskAnalysis::Result MaskAnalysis::evaluateArithmetic(Operation *op,
                                                      const Element &lhs,
                                                      const Element &rhs) {
  auto apply = [&](const AffineNumber &a,
                   const AffineNumber &b) -> std::optional<AffineNumber> {
    if (isa<onnx::AddOp>(op))
      return add(a, b);
    if (isa<onnx::SubOp>(op))
      return subtract(a, b);
    if (a.isConstant())
      return combine(b, a.constant, b, 0);
    if (b.isConstant())
      return combine(a, b.constant, a, 0);
    return std::nullopt;
  };
  if (!lhs.isNumber() && !rhs.isNumber())
    return std::nullopt;
  auto yes = apply(lhs.yes, rhs.yes), no = apply(lhs.no, rhs.no);
  if (!yes || !no)
    return std::nullopt;
  return makeElement(lhs.isNumber() ? rhs.condition : lhs.condition, *yes, *no);
}

MaskAnalysis::Result MaskAnalysis::evaluateComparison(Operation *op,
                                                      const Element &lhs,
                                                      const Element &rhs) {
  if (!lhs.isNumber() || !rhs.isNumber())
    return std::nullopt;
  AffineNumber difference = subtract(rhs.yes, lhs.yes);
  for (double each :
       {difference.constant, difference.p, difference.i, difference.j})
    if (each != std::rint(each))
      return std::nullopt;
  AffineNumber opposite = subtract(number(0), difference);
  Condition condition;
  if (isa<onnx::LessOrEqualOp>(op))
    condition.nonNegative = {difference};
  else if (isa<onnx::LessOp>(op))
    condition.nonNegative = {subtract(difference, number(1))};
  else if (isa<onnx::GreaterOrEqualOp>(op))
    condition.nonNegative = {opposite};
  else if (isa<onnx::GreaterOp>(op))
    condition.nonNegative = {subtract(opposite, number(1))};
  else
    condition.nonNegative = {difference, opposite};
  return makeElement(condition, number(1), number(0));
}

/// The largest or smallest of numbers, where it is the same one everywhere.
MaskAnalysis::Result
MaskAnalysis::evaluateExtremum(Operation *op, ArrayRef<Element> operands) {
  bool isMax = isa<onnx::MaxOp>(op);
  for (const Element &each : operands) {
    bool wins = llvm::all_of(operands, [&](const Element &other) {
      if (!each.isNumber() || !other.isNumber())
        return false;
      AffineNumber lead = subtract(each.yes, other.yes);
      return isMax ? minimum(lead) >= 0 : maximum(lead) <= 0;
    });
    if (wins)
      return each;
  }
  return std::nullopt;
}

MaskAnalysis::Result MaskAnalysis::evaluateElementwise(Operation *op,
                                                       const Indices &indices) {
  SmallVector<Element, 3> operands;
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    auto operand = broadcastOperand(op, i, indices);
    if (!operand)
      return std::nullopt;
    operands.push_back(*operand);
  }
  if (auto castOp = dyn_cast<onnx::CastOp>(op)) {
    if (!getTensorType(castOp.getOutput()).getElementType().isInteger(1))
      return operands[0];
    auto condition = asCondition(operands[0]);
    if (!condition)
      return std::nullopt;
    return makeElement(*condition, number(1), number(0));
  }
  if (isa<onnx::MaxOp, onnx::MinOp>(op))
    return evaluateExtremum(op, operands);
  if (isa<onnx::AddOp, onnx::SubOp, onnx::MulOp>(op))
    return evaluateArithmetic(op, operands[0], operands[1]);
  if (isa<onnx::LessOrEqualOp, onnx::LessOp, onnx::GreaterOrEqualOp,
          onnx::GreaterOp, onnx::EqualOp>(op))
    return evaluateComparison(op, operands[0], operands[1]);
  auto first = asCondition(operands[0]);
  if (!first)
    return std::nullopt;
  if (isa<onnx::NotOp>(op))
    return makeElement(*first, number(0), number(1));
  if (isa<onnx::WhereOp>(op)) {
    if (first->isTrue() || first->isFalse)
      return operands[first->isTrue() ? 1 : 2];
    if (!operands[1].isNumber() || !operands[2].isNumber())
      return std::nullopt;
    return makeElement(*first, operands[1].yes, operands[2].yes);
  }
  auto second = asCondition(operands[1]);
  if (!second)
    return std::nullopt;
  if (isa<onnx::AndOp>(op)) {
    first->isFalse |= second->isFalse;
    first->nonNegative.append(second->nonNegative);
    return makeElement(*first, number(1), number(0));
  }
  // A disjunction only where one side is known.
  if (first->isTrue() || second->isTrue())
    return makeNumber(number(1));
  if (first->isFalse)
    return makeElement(*second, number(1), number(0));
  if (second->isFalse)
    return makeElement(*first, number(1), number(0));
  return std::nullopt;
}

MaskAnalysis::Result MaskAnalysis::evaluate(Value value,
                                            const Indices &indices) {
  constexpr int kMaxDepth = 64;
  if (depth > kMaxDepth || !getTensorType(value))
    return std::nullopt;
  ++depth;
  llvm::scope_exit restore([&] { --depth; });
  Operation *op = value.getDefiningOp();
  if (!op)
    return evaluateArgument(value, indices);
  if (getConstant(value))
    return evaluateConstant(value, indices);
  if (isa<onnx::ReshapeOp, onnx::UnsqueezeOp, onnx::SqueezeOp,
          onnx::TransposeOp, onnx::ExpandOp, tensor::CastOp,
          tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return evaluateView(op, indices);
  if (isElementwise(op))
    return evaluateElementwise(op, indices);
  return evaluateMovement(op, indices);
}

//===----------------------------------------------------------------------===//
// Causal masks
//===----------------------------------------------------------------------===//

bool MaskAnalysis::isCausal(Value mask) {
  // What is added to a score that is to vanish.
  constexpr double kHidden = -1e4;
  AffineNumber query{0, 0, 1, 0}, key{0, 0, 0, 1};
  if (context.tokens == 1)
    query = number(0);
  RankedTensorType type = getTensorType(mask);
  if (!type || type.getRank() != 4 || type.getDimSize(0) != 1)
    return false;
  // Whatever the head is, the mask must not depend on it.
  if (type.getDimSize(1) != 1)
    return false;
  if (type.getDimSize(2) == 1)
    query = number(0);
  auto element = evaluate(mask, {number(0), number(0), query, key});
  if (!element)
    return false;
  if (element->isNumber())
    return context.tokens == 1 && element->yes == number(0);
  if (element->condition.nonNegative.size() != 1)
    return false;
  AffineNumber visible = element->condition.nonNegative[0];
  AffineNumber shown = element->yes, hidden = element->no;
  if (hidden == number(0)) {
    std::swap(shown, hidden);
    visible = subtract(number(-1), visible);
  }
  return shown == number(0) && hidden.isConstant() &&
         hidden.constant <= kHidden && visible == AffineNumber{0, 1, 1, -1};
}
