//===- MicrosoftProducts.cpp - ONNX Runtime's products, rotations ---------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../ForeignOperators.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace bitnet::import {

/// Statements which make `result` the matrices of `matrix`, transposed. Where
/// the rank is not known they go through rank 3.
static std::string transposeMatrices(StringRef matrix, StringRef result,
                                     RankedTensorType type) {
  if (type && type.getRank() < 2)
    return llvm::formatv("{1} = Identity ({0})\n", matrix, result).str();
  if (type) {
    std::string order;
    for (int64_t i = 0, rank = type.getRank(); i < rank; ++i) {
      int64_t from = i < rank - 2 ? i : 2 * rank - 3 - i;
      order += (i ? ", " : "") + std::to_string(from);
    }
    return llvm::formatv("{1} = Transpose <perm = [{2}]> ({0})\n", matrix,
                         result, order)
        .str();
  }
  return llvm::formatv(
             "{0}_batch = Shape <end = -2> ({0})\n"
             "{0}_rows = Shape <start = -2, end = -1> ({0})\n"
             "{0}_columns = Shape <start = -1> ({0})\n"
             "{0}_any = {2}\n"
             "{0}_flat = Concat <axis = 0> ({0}_any, {0}_rows, {0}_columns)\n"
             "{0}_shape = Concat <axis = 0> ({0}_batch, {0}_columns, {0}_rows)"
             "\n"
             "{0}_matrices = Reshape ({0}, {0}_flat)\n"
             "{0}_transposed = Transpose <perm = [0, 2, 1]> ({0}_matrices)\n"
             "{1} = Reshape ({0}_transposed, {0}_shape)\n",
             matrix, result, intsConstant({-1}))
      .str();
}

/// y = alpha * op(a) op(b).
static FailureOr<std::string> expandFusedMatMul(NodeContext &node) {
  for (StringRef name : {"transBatchA", "transBatchB"})
    if (node.getInt(name, 0) != 0)
      return node.error() << "it has " << name << " = " << node.getInt(name, 0)
                          << "; only 0 is supported";
  std::string body, a = "a", b = "b";
  if (node.getInt("transA", 0)) {
    a = "a_transpose";
    body += transposeMatrices("a", a, node.getType(0));
  }
  if (node.getInt("transB", 0)) {
    b = "b_transpose";
    body += transposeMatrices("b", b, node.getType(1));
  }
  float alpha = node.getFloat("alpha", 1.0f);
  if (alpha == 1.0f)
    return body + llvm::formatv("y = MatMul ({0}, {1})", a, b).str();
  return body + llvm::formatv("product = MatMul ({0}, {1})\nfactor = {2}\n"
                              "like = CastLike (factor, product)\n"
                              "y = Mul (product, like)",
                              a, b, floatConstant(alpha))
                    .str();
}

/// Statements which make `ids` the positions, of shape [batch, tokens]; one
/// position is that of the first token.
static std::string writePositions(NodeContext &node) {
  RankedTensorType type = node.getType(1);
  if (!type || type.getRank() == 2)
    return "ids = Identity (positions)\n";
  return llvm::formatv("zero = Constant <value_int = 0> ()\n"
                       "one = Constant <value_int = 1> ()\n"
                       "batch = Shape <end = 1> (x)\n"
                       "tokens = Shape <start = -2, end = -1> (x)\n"
                       "none = {0}\n"
                       "token_count = Squeeze (tokens, none)\n"
                       "steps = Range (zero, token_count, one)\n"
                       "row = Add (steps, positions)\n"
                       "shape = Concat <axis = 0> (batch, tokens)\n"
                       "ids = Expand (row, shape)\n",
                       intsConstant({0}))
      .str();
}

/// ONNX's own, with inputs in another order. Without num_heads the heads of an
/// input of rank 3 are as long as the caches say.
static FailureOr<std::string> expandRotaryEmbedding(NodeContext &node) {
  if (node.getInt("is_packed_batching", 0) != 0)
    return node.error() << "it has is_packed_batching = "
                        << node.getInt("is_packed_batching", 0)
                        << "; only 0 is supported";
  if (float scale = node.getFloat("scale", 1.0f); scale != 1.0f)
    return node.error() << "it has scale = " << scale
                        << "; only 1 is supported";
  RankedTensorType positions = node.getType(1);
  if (positions && positions.getRank() != 1 && positions.getRank() != 2)
    return node.error() << "its position_ids have rank " << positions.getRank()
                        << "; only one position or [batch, tokens] is "
                           "supported";
  int64_t heads = node.getInt("num_heads", 0);
  int64_t dim = node.getInt("rotary_embedding_dim", 0);
  RankedTensorType input = node.getType(0), cache = node.getType(2);
  if (heads == 0 && !input)
    return node.error() << "it has no num_heads, and the rank of its input is "
                           "not known; give it num_heads, or its input a shape "
                           "in value_info";
  if (heads == 0 && input.getRank() == 3) {
    int64_t length = cache && cache.getRank() == 2 && !cache.isDynamicDim(1)
                         ? 2 * cache.getDimSize(1)
                         : 0;
    if (dim != 0 || length == 0 || input.isDynamicDim(2) ||
        input.getDimSize(2) % length != 0)
      return node.error() << "it has no num_heads, and its input and cos_cache "
                             "do not give it; num_heads is accepted";
    heads = input.getDimSize(2) / length;
  }
  std::string headsText =
      heads ? llvm::formatv("num_heads = {0}, ", heads).str() : "";
  return writePositions(node) +
         llvm::formatv("y = RotaryEmbedding <{0}interleaved = {1}, "
                       "rotary_embedding_dim = {2}> (x, cos, sin, ids)",
                       headsText, node.getInt("interleaved", 0), dim)
             .str();
}

void addMicrosoftProductOperators(ForeignOperators &operators) {
  operators["com.microsoft.FusedMatMul"] = {
      {"a", "b"}, {"y"}, expandFusedMatMul};
  operators["com.microsoft.RotaryEmbedding"] = {
      {"x", "positions", "cos", "sin"}, {"y"}, expandRotaryEmbedding};
}

} // namespace bitnet::import
