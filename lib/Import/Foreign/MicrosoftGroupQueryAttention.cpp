//===- MicrosoftGroupQueryAttention.cpp - ONNX Runtime's decoder attention ===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// com.microsoft.GroupQueryAttention writes the new keys of each batch where its
// own past ends, in a past that may be a larger buffer. Here they are appended
// to the past, and rows are then read in the order of the present. In a decoder
// whose past is as long as it says, that order is 0, 1, 2, ...
//
//===----------------------------------------------------------------------===//

#include "AttentionText.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace bitnet::import {

namespace {
enum Input {
  Query,
  Key,
  Value,
  PastKey,
  PastValue,
  Lengths,
  TotalLength,
  Cosines,
  Sines,
  Positions,
  Bias,
  Sink,
  KeyScale,
  ValueScale
};
} // namespace

static LogicalResult checkGroupQuery(NodeContext &node) {
  for (auto [index, name] : {std::pair<int, StringRef>(Bias, "attention_bias"),
                             {Sink, "head_sink"},
                             {KeyScale, "k_scale"},
                             {ValueScale, "v_scale"}})
    if (node.hasInput(index))
      return node.error() << "it has an input " << name
                          << "; only nodes without it are supported";
  if (node.hasOutput(3))
    return node.error()
           << "its fourth output, the scores, is not supported; only the "
              "result and the present keys and values are";
  if (node.getInt("smooth_softmax", 0) > 0)
    return node.error() << "it has smooth_softmax = "
                        << node.getInt("smooth_softmax", 0)
                        << "; only 0 is supported";
  for (StringRef name : {"k_quant_type", "v_quant_type"})
    if (std::string type = node.getString(name, "NONE"); type != "NONE")
      return node.error() << "it has " << name << " = " << type
                          << "; only NONE is supported";
  if (node.hasInput(Key) != node.hasInput(Value) ||
      node.hasInput(PastKey) != node.hasInput(PastValue))
    return node.error() << "it has keys without values, or values without "
                           "keys; both or neither are accepted";
  if (!node.hasInput(Lengths) || !node.hasInput(TotalLength))
    return node.error() << "it lacks seqlens_k or total_sequence_length";
  return success();
}

/// q, k and v as heads [B, H, S, D], from three inputs or a packed one.
static std::string splitInputs(NodeContext &node, int64_t heads,
                               int64_t groups) {
  if (node.hasInput(Key))
    return splitHeads("query", "q_heads", heads) +
           splitHeads("key", "k_heads", groups) +
           splitHeads("value", "v_heads", groups);
  return splitHeads("query", "packed", heads + 2 * groups) +
         llvm::formatv("packed_sizes = {0}\n"
                       "q_heads, k_heads, v_heads = Split <axis = 1> (packed, "
                       "packed_sizes)\n",
                       intsConstant({heads, groups, groups}))
             .str();
}

/// Where each batch's new tokens start, [B, 1], and the tokens' places in the
/// present, [B, S].
static std::string writeStarts() {
  return llvm::formatv("flat = {0}\n"
                       "zeros = {1}\n"
                       "ones = {2}\n"
                       "count = Shape <start = 1, end = 2> (query)\n"
                       "lengths_wide = Cast <to = 7> (lengths)\n"
                       "lengths_flat = Reshape (lengths_wide, flat)\n"
                       "ends = Add (lengths_flat, ones)\n"
                       "differences = Sub (ends, count)\n"
                       // A padded prompt starts at 0 too.
                       "starts_flat = Max (differences, zeros)\n"
                       "starts = Unsqueeze (starts_flat, ones)\n"
                       "{3}"
                       "places = Add (starts, steps)\n",
                       intsConstant({-1}), intsConstant({0}), intsConstant({1}),
                       countUp("count", "steps"))
      .str();
}

/// q and k, rotated.
static FailureOr<std::string> rotate(NodeContext &node) {
  if (!node.hasInput(Cosines) || !node.hasInput(Sines))
    return node.error() << "it has do_rotary, but no cos_cache or sin_cache";
  RankedTensorType cache = node.getType(Cosines);
  int64_t rotated = cache && cache.getRank() == 2 && !cache.isDynamicDim(1)
                        ? 2 * cache.getDimSize(1)
                        : 0;
  RankedTensorType past = node.getType(PastKey);
  // 0 says that all channels are rotated.
  if (past && past.getRank() == 4 && past.getDimSize(3) == rotated)
    rotated = 0;
  std::string text;
  for (StringRef x : {"q", "k"})
    text += llvm::formatv(
        "{0} = RotaryEmbedding <interleaved = {1}, rotary_embedding_dim = {2}> "
        "({0}_heads, cos, sin, {3})\n",
        x, node.getInt("rotary_interleaved", 0), rotated,
        node.hasInput(Positions) ? "positions" : "places");
  return text;
}

/// The order of rows in the present, as indices of past rows followed by new
/// ones, and which rows of the present hold anything; [B, 1, L, 1] both.
static std::string writeOrder() {
  return llvm::formatv(
             "past_count = Shape <start = 2, end = 3> (past_key)\n"
             "total_wide = Cast <to = 7> (total)\n"
             "total_flat = Reshape (total_wide, flat)\n"
             "present_count = Max (past_count, total_flat)\n"
             "{0}"
             "is_past = Less (rows, starts)\n"
             "row_steps = Sub (rows, starts)\n"
             "last_step = Sub (count, ones)\n"
             "near_steps = Min (row_steps, last_step)\n"
             "appended = Add (past_count, near_steps)\n"
             "order = Where (is_past, rows, appended)\n"
             "is_used = Less (row_steps, count)\n"
             "outer_axes = {1}\n"
             "order_column = Unsqueeze (order, outer_axes)\n"
             "used_column = Unsqueeze (is_used, outer_axes)\n"
             "groups = Shape <start = 1, end = 2> (past_key)\n"
             "by_group = Concat <axis = 0> (ones, groups, ones, ones)\n"
             "order_indices = Expand (order_column, by_group)\n",
             countUp("present_count", "rows"), intsConstant({1, 3}))
      .str();
}

/// The present of past and new rows.
static std::string writePresent(StringRef past, StringRef rows,
                                StringRef present) {
  return llvm::formatv("{2}_rows = Concat <axis = 2> ({0}, {1})\n"
                       "{2}_ordered = GatherND <batch_dims = 2> ({2}_rows, "
                       "order_indices)\n"
                       "{2}_zero_wide = Constant <value_float = 0.0> ()\n"
                       "{2}_zero = CastLike ({2}_zero_wide, {1})\n"
                       "{2} = Where (used_column, {2}_ordered, {2}_zero)\n",
                       past, rows, present)
      .str();
}

/// Whether a token sees a row, [B, 1, S, L]: none after it, nor those that a
/// window leaves behind.
static std::string writeVisibility(int64_t window) {
  std::string text =
      llvm::formatv("last_axis = {0}\n"
                    "place_column = Unsqueeze (places, last_axis)\n"
                    "is_before = LessOrEqual (rows, place_column)\n",
                    intsConstant({2}))
          .str();
  if (window > 0)
    text += llvm::formatv("distances = Sub (place_column, rows)\n"
                          "window = {0}\n"
                          "is_near = Less (distances, window)\n"
                          "is_seen = And (is_before, is_near)\n",
                          intsConstant({window}))
                .str();
  else
    text += "is_seen = Identity (is_before)\n";
  return text + "mask = Unsqueeze (is_seen, ones)\n";
}

static FailureOr<std::string> expandGroupQueryAttention(NodeContext &node) {
  FailureOr<int64_t> heads = readHeads(node, "num_heads");
  FailureOr<int64_t> groups = readHeads(node, "kv_num_heads");
  if (failed(heads) || failed(groups) || failed(checkGroupQuery(node)))
    return failure();
  std::string text = splitInputs(node, *heads, *groups) + writeStarts();
  if (node.getInt("do_rotary", 0)) {
    FailureOr<std::string> rotation = rotate(node);
    if (failed(rotation))
      return failure();
    text += *rotation;
  } else {
    text += "q = Identity (q_heads)\nk = Identity (k_heads)\n";
  }
  if (node.hasInput(PastKey))
    text += writeOrder() + writePresent("past_key", "k", "present_key") +
            writePresent("past_value", "v_heads", "present_value");
  else
    text += "rows = Identity (steps)\npresent_key = Identity (k)\n"
            "present_value = Identity (v_heads)\n";
  AttentionAttributes attributes;
  attributes.scale = node.getFloat("scale", 0.0f);
  attributes.softcap = node.getFloat("softcap", 0.0f);
  return text + writeVisibility(node.getInt("local_window_size", -1)) +
         writeAttention("q", "present_key", "present_value", "mask", "attended",
                        attributes) +
         mergeHeads("attended", "y");
}

void addMicrosoftGroupQueryAttention(ForeignOperators &operators) {
  operators["com.microsoft.GroupQueryAttention"] = {
      {"query", "key", "value", "past_key", "past_value", "lengths", "total",
       "cos", "sin", "positions", "attention_bias", "head_sink", "k_scale",
       "v_scale"},
      {"y", "present_key", "present_value", "scores"},
      expandGroupQueryAttention};
}

} // namespace bitnet::import
