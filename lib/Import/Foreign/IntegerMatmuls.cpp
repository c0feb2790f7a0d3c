//===- IntegerMatmuls.cpp - Matmuls of quantised tensors ------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What joins MatMulInteger with the quantisers around it: ONNX's QLinearMatMul,
// and ONNX Runtime's operators, which its optimiser writes.
//
//===----------------------------------------------------------------------===//

#include "../ForeignOperators.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace bitnet::import {

/// Fails where an input varies along rows: factors broadcast along columns.
static LogicalResult checkNotByRow(NodeContext &node, int input,
                                   StringRef what) {
  RankedTensorType type = node.getType(input);
  if (!type)
    return node.error() << "its " << what
                        << " has an unknown shape; one value for the whole "
                           "tensor is supported";
  if (type.getRank() == 1 && type.getDimSize(0) != 1)
    return node.error() << "its " << what << " is " << type
                        << "; one value for the whole tensor is supported";
  return success();
}

/// Names an optional input in a body, where the node has it.
static StringRef optional(NodeContext &node, int input, StringRef name) {
  return node.hasInput(input) ? name : StringRef();
}

/// sum = a * b in i32, as the float `product`.
static std::string multiply(StringRef a, StringRef aZero, StringRef bZero) {
  return llvm::formatv("sum = MatMulInteger ({0}, b, {1}, {2})\n"
                       "product = Cast <to = 1> (sum)\n",
                       a, aZero, bZero)
      .str();
}

/// y = product times scale, plus a bias where the node has one.
static std::string rescale(NodeContext &node, int bias) {
  if (!node.hasInput(bias))
    return "y = Mul (product, scale)\n";
  return "scaled = Mul (product, scale)\n"
         "y = Add (scaled, bias)\n";
}

static FailureOr<std::string> expandQLinearMatMul(NodeContext &node) {
  if (failed(checkNotByRow(node, 1, "scale of a")) ||
      failed(checkNotByRow(node, 2, "zero point of a")) ||
      failed(checkNotByRow(node, 6, "scale of y")))
    return failure();
  return multiply("a", "a_zero", "b_zero") +
         "sa = Cast <to = 1> (a_scale)\n"
         "sb = Cast <to = 1> (b_scale)\n"
         "sy = Cast <to = 1> (y_scale)\n"
         "sab = Mul (sa, sb)\n"
         "scale = Div (sab, sy)\n"
         "scaled = Mul (product, scale)\n"
         "one = " +
         floatConstant(1.0) +
         "\n"
         "y = QuantizeLinear (scaled, one, y_zero)\n";
}

static FailureOr<std::string> expandMatMulIntegerToFloat(NodeContext &node) {
  if (failed(checkNotByRow(node, 2, "scale of a")))
    return failure();
  return multiply("a", optional(node, 4, "a_zero"),
                  optional(node, 5, "b_zero")) +
         "scale = Mul (a_scale, b_scale)\n" + rescale(node, 6);
}

static FailureOr<std::string> expandDynamicQuantizeMatMul(NodeContext &node) {
  return "q, a_scale, a_zero = DynamicQuantizeLinear (a)\n" +
         multiply("q", "a_zero", optional(node, 3, "b_zero")) +
         "scale = Mul (a_scale, b_scale)\n" + rescale(node, 4);
}

void addIntegerMatmulOperators(ForeignOperators &operators) {
  operators["QLinearMatMul"] = {
      {"a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero"},
      {"y"},
      expandQLinearMatMul};
  operators["com.microsoft.MatMulIntegerToFloat"] = {
      {"a", "b", "a_scale", "b_scale", "a_zero", "b_zero", "bias"},
      {"y"},
      expandMatMulIntegerToFloat};
  operators["com.microsoft.DynamicQuantizeMatMul"] = {
      {"a", "b", "b_scale", "b_zero", "bias"},
      {"y"},
      expandDynamicQuantizeMatMul};
}

} // namespace bitnet::import
