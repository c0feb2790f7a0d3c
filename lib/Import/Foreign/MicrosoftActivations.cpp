//===- MicrosoftActivations.cpp - ONNX Runtime's activations --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../ForeignOperators.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace bitnet::import {

static FailureOr<std::string> expandGelu(NodeContext &) {
  return std::string("y = Gelu (x)");
}

static FailureOr<std::string> expandBiasGelu(NodeContext &) {
  return std::string("sum = Add (x, bias)\ny = Gelu (sum)");
}

/// The tanh approximation of x + bias, where there is a bias.
static FailureOr<std::string> expandFastGelu(NodeContext &node) {
  if (!node.hasInput(1))
    return std::string("y = Gelu <approximate = \"tanh\"> (x)");
  return std::string("sum = Add (x, bias)\n"
                     "y = Gelu <approximate = \"tanh\"> (sum)");
}

/// y = x * sigmoid(alpha * x).
static FailureOr<std::string> expandQuickGelu(NodeContext &node) {
  return llvm::formatv("y = Swish <alpha = {0}> (x)",
                       floatText(node.getFloat("alpha", 1.702f)))
      .str();
}

void addMicrosoftActivationOperators(ForeignOperators &operators) {
  operators["com.microsoft.Gelu"] = {{"x"}, {"y"}, expandGelu};
  operators["com.microsoft.BiasGelu"] = {{"x", "bias"}, {"y"}, expandBiasGelu};
  operators["com.microsoft.FastGelu"] = {{"x", "bias"}, {"y"}, expandFastGelu};
  operators["com.microsoft.QuickGelu"] = {{"x"}, {"y"}, expandQuickGelu};
}

} // namespace bitnet::import
