//===- MicrosoftAttention.cpp - ONNX Runtime's attention of encoders ------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// com.microsoft.MultiHeadAttention takes products with q, k and v, and
// com.microsoft.Attention makes them. Both have masks of several ranks, which
// become one number to add for each score.
//
//===----------------------------------------------------------------------===//

#include "AttentionText.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace bitnet::import {

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

/// Statements which make `seen` 1 or 0, of a rank that broadcasts over scores,
/// from `padding`, an integer mask of rank 1 to 3. Uses `columns`, the keys'
/// numbers.
static FailureOr<std::string> writePadding(NodeContext &node, int index,
                                           StringRef name) {
  RankedTensorType type = node.getType(index);
  if (!type)
    return node.error() << "the rank of its " << name
                        << " is not known; give it a shape in value_info";
  switch (type.getRank()) {
  case 1: {
    // Of 3 B + 2 numbers, as of (end, start), nothing is known here.
    RankedTensorType input = node.getType(0);
    bool isLengths = !input || input.isDynamicDim(0) || type.isDynamicDim(0) ||
                     input.getDimSize(0) == type.getDimSize(0);
    if (!isLengths)
      return node.error() << "its " << name << " has shape ["
                          << type.getDimSize(0)
                          << "]; [batch], [batch, keys] and [batch, tokens, "
                             "keys] are supported";
    return llvm::formatv("padding_axes = {0}\n"
                         "padding_wide = Cast <to = 7> (padding)\n"
                         "padding_ends = Unsqueeze (padding_wide, padding_axes)"
                         "\n"
                         "seen = Less (columns, padding_ends)\n",
                         intsConstant({1, 2, 3}))
        .str();
  }
  case 2:
  case 3:
    return llvm::formatv("padding_axes = {0}\n"
                         "padding_truth = Cast <to = 9> (padding)\n"
                         "seen = Unsqueeze (padding_truth, padding_axes)\n",
                         type.getRank() == 2 ? intsConstant({1, 2})
                                             : intsConstant({1}))
        .str();
  default:
    return node.error() << "its " << name << " has rank " << type.getRank()
                        << "; [batch], [batch, keys] and [batch, tokens, keys] "
                           "are supported";
  }
}

namespace {
/// Where a node has what its mask is made of.
struct MaskInputs {
  int padding;
  StringRef paddingName;
  int bias;
};
} // namespace

/// Statements which make `mask`, of the scores of q_heads with all_keys, from
/// inputs `padding` and `bias` and the attribute unidirectional. Empty where
/// there is none of these.
static FailureOr<std::string> writeMask(NodeContext &node,
                                        const MaskInputs &inputs) {
  bool hasPadding = node.hasInput(inputs.padding);
  bool isCausal = node.getInt("unidirectional", 0);
  bool hasBias = node.hasInput(inputs.bias);
  if (!hasPadding && !isCausal)
    return std::string(hasBias ? "mask = Identity (bias)\n" : "");
  std::string text =
      llvm::formatv("key_count = Shape <start = 2, end = 3> (all_keys)\n"
                    "{0}shown_value = Constant <value_float = 0.0> ()\n"
                    "shown = CastLike (shown_value, q_heads)\n",
                    countUp("key_count", "columns"))
          .str();
  std::string mask = "shown";
  auto hideUnless = [&](StringRef condition, double value) {
    std::string name = (condition + "_mask").str();
    text += llvm::formatv("{0}_value = {1}\n"
                          "{0}_like = CastLike ({0}_value, q_heads)\n"
                          "{0}_mask = Where ({0}, {2}, {0}_like)\n",
                          condition, floatConstant(value), mask)
                .str();
    mask = name;
  };
  if (hasPadding) {
    FailureOr<std::string> padding =
        writePadding(node, inputs.padding, inputs.paddingName);
    if (failed(padding))
      return failure();
    text += *padding;
    hideUnless("seen", node.getFloat("mask_filter_value", -10000.0f));
  }
  if (isCausal) {
    text += llvm::formatv("row_count = Shape <start = 2, end = 3> (q_heads)\n"
                          "{0}row_axis = {1}\n"
                          "row_column = Unsqueeze (rows, row_axis)\n"
                          "row_offset = Sub (key_count, row_count)\n"
                          "row_places = Add (row_column, row_offset)\n"
                          "before = LessOrEqual (columns, row_places)\n",
                          countUp("row_count", "rows"), intsConstant({1}))
                .str();
    hideUnless("before", -3.0e38);
  }
  if (!hasBias)
    return text + "mask = Identity (" + mask + ")\n";
  return text + "mask = Add (" + mask + ", bias)\n";
}

/// The attention of q_heads with all_keys and all_values as y.
static FailureOr<std::string> writeMasked(NodeContext &node,
                                          const MaskInputs &inputs) {
  FailureOr<std::string> mask = writeMask(node, inputs);
  if (failed(mask))
    return failure();
  AttentionAttributes attributes;
  attributes.scale = node.getFloat("scale", 0.0f);
  return *mask +
         writeAttention("q_heads", "all_keys", "all_values",
                        mask->empty() ? "" : "mask", "attended", attributes) +
         mergeHeads("attended", "y");
}

static LogicalResult refuseInputs(NodeContext &node,
                                  ArrayRef<std::pair<int, StringRef>> inputs) {
  for (auto [index, name] : inputs)
    if (node.hasInput(index))
      return node.error() << "it has an input " << name
                          << "; only nodes without it are supported";
  return success();
}

//===----------------------------------------------------------------------===//
// MultiHeadAttention
//===----------------------------------------------------------------------===//

namespace {
enum Input { Query, Key, Value, InputBias, Padding, ScoreBias, PastKey };
} // namespace

/// A part of a packed tensor [B, S, heads, parts, D] as heads [B, heads, S, D].
static std::string takePart(StringRef part, StringRef result) {
  return llvm::formatv("{1}_axis = {2}\n"
                       "{1}_split = Squeeze ({0}, {1}_axis)\n"
                       "{1} = Transpose <perm = [0, 2, 1, 3]> ({1}_split)\n",
                       part, result, intsConstant({3}))
      .str();
}

/// q, k and v plus their parts of the bias.
static std::string addInputBias() {
  std::string text =
      llvm::formatv("begin_0 = {0}\n"
                    "begin_1 = Shape <start = 2, end = 3> (query)\n"
                    "key_width = Shape <start = 2, end = 3> (key)\n"
                    "value_width = Shape <start = 2, end = 3> (value)\n"
                    "begin_2 = Add (begin_1, key_width)\n"
                    "begin_3 = Add (begin_2, value_width)\n",
                    intsConstant({0}))
          .str();
  constexpr StringLiteral inputs[] = {"query", "key", "value"};
  for (auto [i, x] : llvm::enumerate(inputs))
    text +=
        llvm::formatv("{0}_bias = Slice (input_bias, begin_{1}, begin_{2})\n"
                      "{0}_biased = Add ({0}, {0}_bias)\n",
                      x, i, i + 1)
            .str();
  return text;
}

/// q_heads, k_heads and v_heads from separate or packed inputs.
static FailureOr<std::string> splitInputs(NodeContext &node, int64_t heads) {
  bool isPacked = !node.hasInput(Key) || !node.hasInput(Value);
  RankedTensorType keyType = node.getType(Key);
  bool isSplit = !isPacked && keyType && keyType.getRank() == 4;
  if (node.hasInput(InputBias) && (isPacked || isSplit))
    return node.error() << "it has a bias, but keys or values that are packed "
                           "or have rank 4; a bias is supported with inputs "
                           "[batch, tokens, channels]";
  if (!node.hasInput(Key))
    return "packed_q, packed_k, packed_v = Split <axis = 3, num_outputs = 3> "
           "(query)\n" +
           takePart("packed_q", "q_heads") + takePart("packed_k", "k_heads") +
           takePart("packed_v", "v_heads");
  if (isPacked)
    return "packed_k, packed_v = Split <axis = 3, num_outputs = 2> (key)\n" +
           splitHeads("query", "q_heads", heads) +
           takePart("packed_k", "k_heads") + takePart("packed_v", "v_heads");
  if (isSplit)
    return splitHeads("query", "q_heads", heads) +
           "k_heads = Identity (key)\nv_heads = Identity (value)\n";
  std::string text, suffix;
  if (node.hasInput(InputBias)) {
    text = addInputBias();
    suffix = "_biased";
  }
  return text + splitHeads("query" + suffix, "q_heads", heads) +
         splitHeads("key" + suffix, "k_heads", heads) +
         splitHeads("value" + suffix, "v_heads", heads);
}

static FailureOr<std::string> expandMultiHeadAttention(NodeContext &node) {
  FailureOr<int64_t> heads = readHeads(node, "num_heads");
  if (failed(heads) ||
      failed(refuseInputs(node, {{PastKey + 2, "past_sequence_length"},
                                 {PastKey + 3, "cache_indirection"}})))
    return failure();
  if (node.hasOutput(3))
    return node.error()
           << "its fourth output, the scores, is not supported; only the "
              "result and the present keys and values are";
  if (node.hasInput(PastKey) != node.hasInput(PastKey + 1))
    return node.error() << "it has one of past_key and past_value; both or "
                           "neither are accepted";
  FailureOr<std::string> split = splitInputs(node, *heads);
  FailureOr<std::string> attention =
      writeMasked(node, {Padding, "key_padding_mask", ScoreBias});
  if (failed(split) || failed(attention))
    return failure();
  std::string present =
      node.hasInput(PastKey)
          ? "all_keys = Concat <axis = 2> (past_key, k_heads)\n"
            "all_values = Concat <axis = 2> (past_value, v_heads)\n"
          : "all_keys = Identity (k_heads)\nall_values = Identity (v_heads)\n";
  return *split + present + *attention +
         "present_key = Identity (all_keys)\n"
         "present_value = Identity (all_values)";
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

static FailureOr<std::string> expandAttention(NodeContext &node) {
  FailureOr<int64_t> heads = readHeads(node, "num_heads");
  if (failed(heads) ||
      failed(refuseInputs(node, {{6, "past_sequence_length"}})))
    return failure();
  for (StringRef name : {"do_rotary", "past_present_share_buffer"})
    if (int64_t value = node.getInt(name, 0))
      return node.error() << "it has " << name << " = " << value
                          << "; only 0 is supported";
  std::string text = "product = MatMul (x, weights)\n";
  text += node.hasInput(2) ? "qkv = Add (product, input_bias)\n"
                           : "qkv = Identity (product)\n";
  std::vector<int64_t> sizes = node.getInts("qkv_hidden_sizes");
  if (sizes.empty())
    text += "q, k, v = Split <axis = 2, num_outputs = 3> (qkv)\n";
  else if (sizes.size() != 3 ||
           llvm::any_of(sizes, [](int64_t size) { return size < 1; }))
    return node.error() << "its qkv_hidden_sizes are not three positive "
                           "numbers";
  else
    text += llvm::formatv("sizes = {0}\n"
                          "q, k, v = Split <axis = 2> (qkv, sizes)\n",
                          intsConstant(sizes))
                .str();
  for (StringRef x : {"q", "k", "v"})
    text += splitHeads(x, (x + "_heads").str(), *heads);
  if (node.hasInput(4))
    text +=
        llvm::formatv("past_axis = {0}\n"
                      "past_keys_outer, past_values_outer = Split <axis = 0, "
                      "num_outputs = 2> (past)\n"
                      "past_keys = Squeeze (past_keys_outer, past_axis)\n"
                      "past_values = Squeeze (past_values_outer, past_axis)\n"
                      "all_keys = Concat <axis = 2> (past_keys, k_heads)\n"
                      "all_values = Concat <axis = 2> (past_values, v_heads)\n",
                      intsConstant({0}))
            .str();
  else
    text += "all_keys = Identity (k_heads)\nall_values = Identity (v_heads)\n";
  if (node.hasOutput(1))
    text += llvm::formatv("present_axis = {0}\n"
                          "present_keys = Unsqueeze (all_keys, present_axis)\n"
                          "present_values = Unsqueeze (all_values, "
                          "present_axis)\n"
                          "present = Concat <axis = 0> (present_keys, "
                          "present_values)\n",
                          intsConstant({0}))
                .str();
  FailureOr<std::string> attention = writeMasked(node, {3, "mask_index", 5});
  if (failed(attention))
    return failure();
  return text + *attention;
}

void addMicrosoftAttentionOperators(ForeignOperators &operators) {
  operators["com.microsoft.MultiHeadAttention"] = {
      {"query", "key", "value", "input_bias", "padding", "bias", "past_key",
       "past_value", "past_length", "indirection"},
      {"y", "present_key", "present_value", "scores"},
      expandMultiHeadAttention};
  operators["com.microsoft.Attention"] = {
      {"x", "weights", "input_bias", "padding", "past", "bias", "past_length"},
      {"y", "present"},
      expandAttention};
}

} // namespace bitnet::import
