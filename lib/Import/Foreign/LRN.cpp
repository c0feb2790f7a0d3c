//===- LRN.cpp - Local response normalisation -----------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../ForeignOperators.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace bitnet::import {

/// y = x / (bias + alpha * mean of x^2 over neighbouring channels)^beta. The
/// mean, with zeros beyond the first and last channel, is a pooling of them.
static FailureOr<std::string> expandLRN(NodeContext &node) {
  RankedTensorType type = node.getType(0);
  int64_t size = node.getInt("size", 0);
  if (!type || type.getRank() != 4)
    return node.error() << "its input is "
                        << (type ? "of rank " + std::to_string(type.getRank())
                                 : std::string("of unknown rank"))
                        << "; images [N, C, H, W] are supported";
  if (size < 1)
    return node.error() << "its size is " << size
                        << ", expected a number of channels";
  return llvm::formatv("square = Mul (x, x)\n"
                       "one = {0}\n"
                       "apart = Unsqueeze (square, one)\n"
                       "pooled = AveragePool <kernel_shape = [{1}, 1, 1], "
                       "pads = [{2}, 0, 0, {3}, 0, 0], "
                       "count_include_pad = 1> (apart)\n"
                       "mean = Squeeze (pooled, one)\n"
                       "alpha = {4}\n"
                       "alphas = CastLike (alpha, x)\n"
                       "scaled = Mul (mean, alphas)\n"
                       "bias = {5}\n"
                       "biases = CastLike (bias, x)\n"
                       "sum = Add (scaled, biases)\n"
                       "beta = {6}\n"
                       "betas = CastLike (beta, x)\n"
                       "power = Pow (sum, betas)\n"
                       "y = Div (x, power)\n",
                       intsConstant({1}), size, (size - 1) / 2, size / 2,
                       floatConstant(node.getFloat("alpha", 1e-4f)),
                       floatConstant(node.getFloat("bias", 1.0f)),
                       floatConstant(node.getFloat("beta", 0.75f)))
      .str();
}

void addLRNOperator(ForeignOperators &operators) {
  operators["LRN"] = {{"x"}, {"y"}, expandLRN};
}

} // namespace bitnet::import
