//===- MicrosoftNorms.cpp - ONNX Runtime's normalisations -----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../ForeignOperators.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace bitnet::import {

/// y = x / sqrt(mean(x^2) + epsilon) * scale over the dimensions from axis on.
static FailureOr<std::string> expandSimplifiedLayerNorm(NodeContext &node) {
  if (node.hasOutput(1))
    return node.error() << "its second output, the deviation, is of training; "
                           "only the first is supported";
  return llvm::formatv("y = RMSNormalization <axis = {0}, epsilon = {1}> "
                       "(x, scale)",
                       node.getInt("axis", -1),
                       floatText(node.getFloat("epsilon", 1e-5f)))
      .str();
}

void addMicrosoftNormOperators(ForeignOperators &operators) {
  operators["com.microsoft.SimplifiedLayerNormalization"] = {
      {"x", "scale"}, {"y", "deviation"}, expandSimplifiedLayerNorm};
}

} // namespace bitnet::import
