//===- AttentionText.h - What expansions of attention share ----*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every operator of attention becomes the standard's Attention on heads
// [B, H, S, D] with an explicit mask, and a Concat of past and new keys: the
// form that recognition looks for.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_IMPORT_FOREIGN_ATTENTIONTEXT_H
#define BITNET_LIB_IMPORT_FOREIGN_ATTENTIONTEXT_H

#include "../ForeignOperators.h"

namespace bitnet::import {

/// Statements which make `result` [B, heads, S, D] of x [B, S, heads * D].
std::string splitHeads(llvm::StringRef x, llvm::StringRef result,
                       int64_t heads);

/// Statements which make `result` [B, S, heads * D] of x [B, heads, S, D].
std::string mergeHeads(llvm::StringRef x, llvm::StringRef result);

/// Statements which make `result` the numbers [0, 1, ..., length - 1] of an i64
/// `length` [1].
std::string countUp(llvm::StringRef length, llvm::StringRef result);

/// Attributes of the standard's Attention.
struct AttentionAttributes {
  /// 0 stands for 1 / sqrt(D).
  float scale = 0.0f;
  float softcap = 0.0f;
  bool isCausal = false;
};

/// A statement which makes `result` the attention of q, k, v [B, heads, S, D];
/// without a mask where that is empty.
std::string writeAttention(llvm::StringRef q, llvm::StringRef k,
                           llvm::StringRef v, llvm::StringRef mask,
                           llvm::StringRef result,
                           const AttentionAttributes &attributes);

/// The number of heads, or an error where it is not positive.
llvm::FailureOr<int64_t> readHeads(NodeContext &node, llvm::StringRef name);

} // namespace bitnet::import

#endif // BITNET_LIB_IMPORT_FOREIGN_ATTENTIONTEXT_H
