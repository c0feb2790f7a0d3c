//===- AttentionText.cpp - What expansions of attention share -------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionText.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace bitnet::import {

std::string splitHeads(StringRef x, StringRef result, int64_t heads) {
  return llvm::formatv("{1}_shape = {2}\n"
                       "{1}_split = Reshape ({0}, {1}_shape)\n"
                       "{1} = Transpose <perm = [0, 2, 1, 3]> ({1}_split)\n",
                       x, result, intsConstant({0, 0, heads, -1}))
      .str();
}

std::string mergeHeads(StringRef x, StringRef result) {
  return llvm::formatv("{1}_tokens = Transpose <perm = [0, 2, 1, 3]> ({0})\n"
                       "{1}_shape = {2}\n"
                       "{1} = Reshape ({1}_tokens, {1}_shape)\n",
                       x, result, intsConstant({0, 0, -1}))
      .str();
}

std::string countUp(StringRef length, StringRef result) {
  return llvm::formatv("{1}_zero = Constant <value_int = 0> ()\n"
                       "{1}_one = Constant <value_int = 1> ()\n"
                       "{1}_limit = Squeeze ({0})\n"
                       "{1} = Range ({1}_zero, {1}_limit, {1}_one)\n",
                       length, result)
      .str();
}

std::string writeAttention(StringRef q, StringRef k, StringRef v,
                           StringRef mask, StringRef result,
                           const AttentionAttributes &attributes) {
  std::string scale =
      attributes.scale == 0.0f
          ? std::string()
          : llvm::formatv(", scale = {0}", floatText(attributes.scale)).str();
  return llvm::formatv("{4} = Attention <is_causal = {5}, softcap = {6}{7}> "
                       "({0}, {1}, {2}{3})\n",
                       q, k, v, mask.empty() ? "" : (", " + mask).str(), result,
                       attributes.isCausal ? 1 : 0,
                       floatText(attributes.softcap), scale)
      .str();
}

FailureOr<int64_t> readHeads(NodeContext &node, StringRef name) {
  int64_t heads = node.getInt(name, 0);
  if (heads < 1)
    return node.error() << "it has " << name << " = " << heads
                        << "; a positive number is needed";
  return heads;
}

} // namespace bitnet::import
