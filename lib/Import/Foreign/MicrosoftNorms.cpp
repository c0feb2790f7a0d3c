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

/// Statements which make `total` the input plus its skip and bias. Refuses
/// outputs that are of training: 1 and 2.
static FailureOr<std::string> sumWithSkip(NodeContext &node, int biasIndex) {
  if (node.hasOutput(1) || node.hasOutput(2))
    return node.error() << "its second and third outputs, the mean and the "
                           "deviation, are of training; only the first and "
                           "the fourth are supported";
  if (!node.hasInput(biasIndex))
    return std::string("total = Add (x, skip)\n");
  return std::string("pair = Add (x, skip)\ntotal = Add (pair, bias)\n");
}

/// y = RMS norm of x + skip (+ bias); total is that sum.
static FailureOr<std::string> expandSkipSimplifiedLayerNorm(NodeContext &node) {
  FailureOr<std::string> sum = sumWithSkip(node, /*biasIndex=*/3);
  if (failed(sum))
    return failure();
  return *sum + llvm::formatv("y = RMSNormalization <axis = -1, epsilon = {0}> "
                              "(total, scale)",
                              floatText(node.getFloat("epsilon", 1e-12f)))
                    .str();
}

/// y = layer norm of x + skip (+ bias); total is that sum.
static FailureOr<std::string> expandSkipLayerNorm(NodeContext &node) {
  FailureOr<std::string> sum = sumWithSkip(node, /*biasIndex=*/4);
  if (failed(sum))
    return failure();
  return *sum + llvm::formatv("y = LayerNormalization <axis = -1, epsilon = "
                              "{0}> (total, scale{1})",
                              floatText(node.getFloat("epsilon", 1e-12f)),
                              node.hasInput(3) ? ", shift" : "")
                    .str();
}

/// y = layer norm of the embeddings of tokens, positions and segments; `ends`
/// is the number of tokens that the mask keeps in each batch.
static FailureOr<std::string> expandEmbedLayerNorm(NodeContext &node) {
  if (node.hasInput(1) != node.hasInput(4))
    return node.error() << "it has segment_ids or a segment_embedding without "
                           "the other; both or neither are accepted";
  std::string text = "words = Gather (word_table, ids)\n";
  if (node.hasInput(8))
    text += "places = Gather (position_table, positions)\n";
  else
    text += llvm::formatv("first = {0}\n"
                          "tokens = Shape <start = 1, end = 2> (ids)\n"
                          "places = Slice (position_table, first, tokens)\n",
                          intsConstant({0}))
                .str();
  text += node.hasInput(1) ? "placed = Add (words, places)\n"
                             "kinds = Gather (segment_table, segments)\n"
                             "total = Add (placed, kinds)\n"
                           : "total = Add (words, places)\n";
  if (node.hasOutput(1)) {
    text += llvm::formatv("batch = Shape <start = 0, end = 1> (ids)\n"
                          "token_axis = {0}\n",
                          intsConstant({1}))
                .str();
    text += node.hasInput(7)
                ? "kept = ReduceSum <keepdims = 0> (mask, token_axis)\n"
                  "ends = Cast <to = 6> (kept)\n"
                : "none_wide = Constant <value_int = 0> ()\n"
                  "none = Cast <to = 6> (none_wide)\n"
                  "ends = Expand (none, batch)\n";
  }
  return text + llvm::formatv("y = LayerNormalization <axis = -1, epsilon = "
                              "{0}> (total, scale, shift)",
                              floatText(node.getFloat("epsilon", 1e-12f)))
                    .str();
}

void addMicrosoftNormOperators(ForeignOperators &operators) {
  operators["com.microsoft.SimplifiedLayerNormalization"] = {
      {"x", "scale"}, {"y", "deviation"}, expandSimplifiedLayerNorm};
  std::vector<std::string> outputs = {"y", "mean", "deviation", "total"};
  operators["com.microsoft.SkipSimplifiedLayerNormalization"] = {
      {"x", "skip", "scale", "bias"}, outputs, expandSkipSimplifiedLayerNorm};
  operators["com.microsoft.SkipLayerNormalization"] = {
      {"x", "skip", "scale", "shift", "bias"}, outputs, expandSkipLayerNorm};
  operators["com.microsoft.EmbedLayerNormalization"] = {
      {"ids", "segments", "word_table", "position_table", "segment_table",
       "scale", "shift", "mask", "positions"},
      {"y", "ends", "total"},
      expandEmbedLayerNorm};
}

} // namespace bitnet::import
