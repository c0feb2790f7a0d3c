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
  for (Value inner :
       {lookThroughRowViews(value), lookThroughStraightThrough(value)})
    if (inner != value)
      return matchIntegers(inner, depth + 1);
  Operation *op = value.getDefiningOp();
  if (op && isa<onnx::MulOp, onnx::DivOp>(op))
    if (auto integers = matchScaledBy(op, depth))
      return integers;
  return matchWholeNumbers(value);
}

std::optional<ScaledIntegers> bitnet::matchScaledIntegers(Value value) {
  return matchIntegers(value, 0);
}
