//===- ScaledIntegers.cpp - Quantised activations of a matmul -------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatchUtils.h"
#include "NumberRange.h"
#include "ScaleAnalysis.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace bitnet;

/// x + (q - x) stands for q.
static Value lookThroughStraightThrough(Value value) {
  auto add = value.getDefiningOp<onnx::AddOp>();
  if (!add)
    return value;
  for (unsigned index : {0u, 1u})
    if (auto sub = add->getOperand(index).getDefiningOp<onnx::SubOp>())
      if (sub.getRhs() == add->getOperand(1 - index) &&
          sub.getLhs().getType() == value.getType())
        return sub.getLhs();
  return value;
}

/// Sees through what only regroups rows.
static Value lookThroughRowViews(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !isa<onnx::ReshapeOp, tensor::CollapseShapeOp,
                  tensor::ExpandShapeOp, tensor::CastOp>(op))
    return value;
  RankedTensorType from = getTensorType(op->getOperand(0));
  RankedTensorType to = getTensorType(value);
  if (from.getRank() < 2 || to.getRank() < 2 ||
      ShapedType::isDynamic(to.getShape().back()) ||
      from.getShape().back() != to.getShape().back())
    return value;
  return op->getOperand(0);
}

/// Reads whole numbers, told by their range, as integers of up to 16 bits.
static std::optional<ScaledIntegers> matchWholeNumbers(Value value) {
  NumberRange range = analyzeRange(value);
  if (!range.isWhole || range.low < -32768.0 || range.high > 32767.0)
    return std::nullopt;
  ScaledIntegers integers;
  integers.source = value;
  integers.qmin = static_cast<int64_t>(range.low);
  integers.qmax = static_cast<int64_t>(range.high);
  return integers;
}

static std::optional<ScaledIntegers> matchIntegers(Value value, int depth);

/// Whether a factor has one value for each row of a tensor, or for all of it.
static bool isRowFactor(Value factor, RankedTensorType scaled) {
  RankedTensorType type = getTensorType(factor);
  return type && type.getRank() <= scaled.getRank() &&
         type.getElementType() == scaled.getElementType() &&
         (type.getRank() == 0 || type.getShape().back() == 1);
}

/// Reads a value as whole numbers that one op scales by rows.
static std::optional<ScaledIntegers> matchScaledByRows(Operation *op,
                                                       int depth) {
  bool divides = isa<onnx::DivOp>(op);
  for (unsigned index : {0u, 1u}) {
    Value scaled = op->getOperand(index), factor = op->getOperand(1 - index);
    if ((divides && index == 1) ||
        scaled.getType() != op->getResult(0).getType() ||
        !isRowFactor(factor, getTensorType(scaled)))
      continue;
    auto integers = matchIntegers(scaled, depth + 1);
    if (!integers || integers->quantizer || integers->isRegrouped)
      continue;
    integers->rowFactors.push_back({factor, divides});
    return integers;
  }
  return std::nullopt;
}

/// Reads a value as integers that one op scales by a constant or the absmax.
static std::optional<ScaledIntegers> matchScaledBy(Operation *op, int depth) {
  for (Value operand : op->getOperands()) {
    auto scaling = matchScalingOp(op, operand, /*channels=*/1);
    if (!scaling)
      continue;
    auto integers = matchIntegers(operand, depth + 1);
    if (!integers)
      continue;
    const ScaleExpr &factor = scaling->factor;
    if (factor.absmax && (!integers->quantizer ||
                          !(*factor.absmax == integers->quantizer->absmax)))
      return std::nullopt;
    if (!integers->factor.multiply(factor))
      return std::nullopt;
    return integers;
  }
  return std::nullopt;
}

static std::optional<ScaledIntegers> matchIntegers(Value value, int depth) {
  if (depth > kMaxChain)
    return std::nullopt;
  if (auto quantizer = matchQuantizer(value)) {
    ScaledIntegers integers;
    integers.quantizer = quantizer;
    integers.source = quantizer->input();
    integers.qmin = quantizer->qmin;
    integers.qmax = quantizer->qmax;
    return integers;
  }
  if (Value inner = lookThroughRowViews(value); inner != value) {
    auto integers = matchIntegers(inner, depth + 1);
    if (integers)
      integers->isRegrouped = true;
    return integers;
  }
  if (Value inner = lookThroughStraightThrough(value); inner != value)
    return matchIntegers(inner, depth + 1);
  Operation *op = value.getDefiningOp();
  if (op && isa<onnx::MulOp, onnx::DivOp>(op)) {
    if (auto integers = matchScaledBy(op, depth))
      return integers;
    if (auto integers = matchScaledByRows(op, depth))
      return integers;
  }
  // Floats of 16 bits as the linear layer takes them.
  if (auto cast = dyn_cast_or_null<onnx::CastOp>(op))
    if (isa<FloatType>(getElementTypeOrSelf(cast.getInput())))
      if (auto integers = matchIntegers(cast.getInput(), depth + 1);
          integers && getElementTypeOrSelf(value).isF32())
        return integers;
  return matchWholeNumbers(value);
}

std::optional<ScaledIntegers> bitnet::matchScaledIntegers(Value value) {
  return matchIntegers(value, 0);
}
