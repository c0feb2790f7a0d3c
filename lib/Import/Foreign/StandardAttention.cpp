//===- StandardAttention.cpp - The standard's Attention in one form -------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention of inputs [B, S, channels], or with a past, becomes Attention of
// heads [B, H, S, D] and of past and new keys joined.
//
//===----------------------------------------------------------------------===//

#include "AttentionText.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace bitnet::import {

namespace {
enum Input { Query, Key, Value, Mask, PastKey, PastValue, Lengths };
} // namespace

/// What the parts do not say apart from the whole.
static bool mustStayWhole(NodeContext &node) {
  bool hasPast = node.hasInput(PastKey) || node.hasInput(PastValue);
  bool hasWindow = node.getInt("left_window_size", -1) >= 0 ||
                   node.getInt("right_window_size", -1) >= 0;
  // A mask may be shorter than the keys.
  bool hasTwoMasks = node.getInt("is_causal", 0) && node.hasInput(Mask);
  return node.hasInput(Lengths) || node.hasOutput(3) || hasWindow ||
         node.getInt("softmax_precision", 0) != 0 ||
         node.hasInput(PastKey) != node.hasInput(PastValue) ||
         (hasPast && hasTwoMasks);
}

/// Whether a query sees a key, [S, T]: none after it.
static std::string writeCausalMask() {
  return llvm::formatv("past_count = Shape <start = 2, end = 3> (past_key)\n"
                       "row_count = Shape <start = 2, end = 3> (q_heads)\n"
                       "key_count = Shape <start = 2, end = 3> (present_key)\n"
                       "{0}{1}"
                       "row_axis = {2}\n"
                       "row_column = Unsqueeze (rows, row_axis)\n"
                       "places = Add (row_column, past_count)\n"
                       "seen = LessOrEqual (columns, places)\n",
                       countUp("row_count", "rows"),
                       countUp("key_count", "columns"), intsConstant({1}))
      .str();
}

static FailureOr<std::string> expandAttention(NodeContext &node) {
  bool hasPast = node.hasInput(PastKey);
  int64_t heads = node.getInt("q_num_heads", 0);
  int64_t groups = node.getInt("kv_num_heads", 0);
  RankedTensorType type = node.getType(Query);
  bool isFlat = type ? type.getRank() == 3 : heads > 0 && groups > 0;
  if (mustStayWhole(node) || (!hasPast && !isFlat) ||
      (isFlat && (heads < 1 || groups < 1)))
    return std::string();
  std::string text;
  for (auto [x, count] : {std::pair<StringRef, int64_t>("q", heads),
                          {"k", groups},
                          {"v", groups}})
    text += isFlat ? splitHeads(x, (x + "_heads").str(), count)
                   : llvm::formatv("{0}_heads = Identity ({0})\n", x).str();
  AttentionAttributes attributes;
  attributes.scale = node.getFloat("scale", 0.0f);
  attributes.softcap = node.getFloat("softcap", 0.0f);
  attributes.isCausal = node.getInt("is_causal", 0);
  std::string mask = node.hasInput(Mask) ? "mask" : "";
  if (hasPast) {
    text += "present_key = Concat <axis = 2> (past_key, k_heads)\n"
            "present_value = Concat <axis = 2> (past_value, v_heads)\n";
    if (attributes.isCausal) {
      text += writeCausalMask();
      mask = "seen";
      attributes.isCausal = false;
    }
  } else {
    text += "present_key = Identity (k_heads)\n"
            "present_value = Identity (v_heads)\n";
  }
  text += writeAttention("q_heads", "present_key", "present_value", mask,
                         isFlat ? "attended" : "y", attributes);
  return isFlat ? text + mergeHeads("attended", "y") : text;
}

void addStandardAttention(ForeignOperators &operators) {
  operators["Attention"] = {
      {"q", "k", "v", "mask", "past_key", "past_value", "lengths"},
      {"y", "present_key", "present_value", "scores"},
      expandAttention};
}

} // namespace bitnet::import
