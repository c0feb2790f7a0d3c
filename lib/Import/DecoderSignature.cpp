//===- DecoderSignature.cpp - Which inputs make a graph a decoder --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecoderSignature.h"
#include "Dimensions.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"

using llvm::StringRef;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using ::onnx::TensorShapeProto;
using ::onnx::ValueInfoProto;

namespace bitnet::import {

namespace {
int32_t dataType(const ValueInfoProto &value) {
  return value.type().tensor_type().elem_type();
}

const TensorShapeProto &shape(const ValueInfoProto &value) {
  return value.type().tensor_type().shape();
}

bool isFloat(const ValueInfoProto &value) {
  return llvm::is_contained(
      {TensorProto::FLOAT, TensorProto::FLOAT16, TensorProto::BFLOAT16},
      dataType(value));
}

bool isId(const ValueInfoProto &value) {
  return dataType(value) == TensorProto::INT64 ||
         dataType(value) == TensorProto::INT32;
}

bool sameDim(const TensorShapeProto::Dimension &a,
             const TensorShapeProto::Dimension &b) {
  if (a.has_dim_value() || b.has_dim_value())
    return a.has_dim_value() && b.has_dim_value() &&
           a.dim_value() == b.dim_value();
  return !a.dim_param().empty() && a.dim_param() == b.dim_param();
}

/// The graph by value names.
class Dataflow {
public:
  explicit Dataflow(const GraphProto &graph) {
    for (const auto &input : graph.input())
      tables[input.name()] = isTableType(dataType(input));
    for (const auto &tensor : graph.initializer())
      tables[tensor.name()] = isTableType(tensor.data_type());
    for (const NodeProto &node : graph.node()) {
      for (const std::string &input : node.input())
        users[input].push_back(&node);
      for (const std::string &output : node.output())
        producers[output] = &node;
    }
  }

  /// Whether a value, as it is or cast or reshaped, indexes rows of a table
  /// that the graph does not compute, of floats or quantised.
  bool indexesTable(StringRef value, int depth = 0) const {
    auto it = users.find(value);
    if (it == users.end() || depth > kMaxDepth)
      return false;
    for (const NodeProto *user : it->second) {
      if (user->op_type() == "Gather" && user->input(1) == value &&
          isTable(user->input(0)))
        return true;
      if (isTransparent(*user) && user->input(0) == value &&
          indexesTable(user->output(0), depth + 1))
        return true;
    }
    return false;
  }

  /// The graph input that `value` extends: the first input of its Concat, or
  /// the past of the Attention whose present it is.
  std::string extendedInput(StringRef value, int depth = 0) const {
    auto it = producers.find(value);
    if (it == producers.end() || depth > kMaxDepth)
      return {};
    const NodeProto &node = *it->second;
    if (node.op_type() == "Concat" && node.input_size() == 2)
      return source(node.input(0));
    if (node.op_type() == "Attention")
      for (int i = 1; i <= 2 && i < node.output_size(); ++i)
        if (node.output(i) == value && node.input_size() > 3 + i)
          return source(node.input(3 + i));
    return isTransparent(node) ? extendedInput(node.input(0), depth + 1)
                               : std::string();
  }

private:
  static constexpr int kMaxDepth = 16;

  static bool isTransparent(const NodeProto &node) {
    return node.input_size() > 0 && node.output_size() > 0 &&
           llvm::is_contained({"Identity", "Cast", "Reshape", "Squeeze",
                               "Unsqueeze", "Flatten"},
                              StringRef(node.op_type()));
  }

  /// Through transparent nodes, to what is computed otherwise or not at all.
  std::string source(StringRef value) const {
    for (int depth = 0; depth <= kMaxDepth; ++depth) {
      auto it = producers.find(value);
      if (it == producers.end() || !isTransparent(*it->second))
        break;
      value = it->second->input(0);
    }
    return value.str();
  }

  /// Floats, and the integers that stand for them.
  static bool isTableType(int32_t type) {
    return llvm::is_contained(
        {TensorProto::FLOAT, TensorProto::FLOAT16, TensorProto::BFLOAT16,
         TensorProto::INT2, TensorProto::UINT2, TensorProto::INT4,
         TensorProto::UINT4, TensorProto::INT8, TensorProto::UINT8},
        type);
  }

  bool isTable(StringRef value) const {
    std::string origin = source(value);
    auto producer = producers.find(origin);
    if (producer != producers.end() &&
        producer->second->op_type() == "DequantizeLinear")
      origin = source(producer->second->input(0));
    auto it = tables.find(origin);
    return it != tables.end() && it->second;
  }

  llvm::StringMap<bool> tables;
  llvm::StringMap<llvm::SmallVector<const NodeProto *>> users;
  llvm::StringMap<const NodeProto *> producers;
};

/// A state's name without what tells past from present.
std::string stateName(StringRef name) {
  std::string rest = name.lower();
  for (StringRef word :
       {"past_key_values", "present_key_values", "past", "present", "_", "."}) {
    for (size_t at; (at = rest.find(word.str())) != std::string::npos;)
      rest.erase(at, word.size());
  }
  return rest;
}

/// Pairs each past with its present: by dataflow, then by name, then by order.
bool pairStates(const Dataflow &dataflow,
                llvm::ArrayRef<const ValueInfoProto *> pasts,
                llvm::ArrayRef<const ValueInfoProto *> candidates,
                DecoderSignature &signature) {
  llvm::SmallVector<const ValueInfoProto *> presents(pasts.size());
  llvm::SmallVector<bool> taken(candidates.size());
  auto pairWhere = [&](auto matches) {
    for (auto [i, past] : llvm::enumerate(pasts))
      for (size_t j = 0; j < candidates.size() && !presents[i]; ++j)
        if (!taken[j] &&
            shape(*candidates[j]).dim_size() == shape(*past).dim_size() &&
            dataType(*candidates[j]) == dataType(*past) &&
            matches(*past, *candidates[j])) {
          presents[i] = candidates[j];
          taken[j] = true;
        }
  };
  pairWhere([&](const ValueInfoProto &past, const ValueInfoProto &present) {
    return dataflow.extendedInput(present.name()) == past.name();
  });
  pairWhere([&](const ValueInfoProto &past, const ValueInfoProto &present) {
    return stateName(past.name()) == stateName(present.name());
  });
  if (llvm::count(presents, nullptr) == llvm::count(taken, false))
    pairWhere([](auto &, auto &) { return true; });
  if (llvm::is_contained(presents, nullptr))
    return false;
  for (auto [i, past, present] : llvm::enumerate(pasts, presents)) {
    signature.inputRoles[past->name()] = "past";
    signature.inputStates[past->name()] = i;
    signature.outputRoles[present->name()] = "present";
    signature.outputStates[present->name()] = i;
  }
  return true;
}

/// Roles of what accompanies the tokens.
void assignCompanions(const GraphProto &graph, const ValueInfoProto &tokens,
                      DecoderSignature &signature) {
  const ValueInfoProto *positions = nullptr, *mask = nullptr;
  for (const ValueInfoProto &input : graph.input()) {
    if (signature.inputRoles.count(input.name()) ||
        shape(input).dim_size() != 2)
      continue;
    StringRef name = input.name();
    bool alongTokens = sameDim(shape(input).dim(1), shape(tokens).dim(1));
    bool namedMask = name.contains_insensitive("mask");
    if (name.contains_insensitive("token_type"))
      continue;
    if (isId(input) && alongTokens && !namedMask) {
      if (!positions || name.contains_insensitive("position"))
        positions = &input;
    } else if (isId(input) || dataType(input) == TensorProto::BOOL ||
               namedMask) {
      if (!mask || namedMask)
        mask = &input;
    }
  }
  if (positions)
    signature.inputRoles[positions->name()] = "positions";
  if (mask)
    signature.inputRoles[mask->name()] = "attention_mask";
}
} // namespace

std::optional<DecoderSignature> findDecoderSignature(const GraphProto &graph) {
  Dataflow dataflow(graph);
  const ValueInfoProto *tokens = nullptr;
  llvm::SmallVector<const ValueInfoProto *> pasts, candidates;
  for (const ValueInfoProto &input : graph.input()) {
    if (isId(input) && shape(input).dim_size() == 2 &&
        dataflow.indexesTable(input.name())) {
      // Positions may index a table too.
      bool better =
          tokens && StringRef(tokens->name()).contains_insensitive("position");
      if (!tokens || better)
        tokens = &input;
    }
  }
  if (!tokens)
    return std::nullopt;
  for (const ValueInfoProto &input : graph.input())
    if (isFloat(input) && shape(input).dim_size() == 4)
      pasts.push_back(&input);
  const ValueInfoProto *logits = nullptr;
  for (const ValueInfoProto &output : graph.output()) {
    if (!isFloat(output))
      continue;
    if (shape(output).dim_size() == 4)
      candidates.push_back(&output);
    else if (shape(output).dim_size() == 3 && !logits)
      logits = &output;
  }
  DecoderSignature signature;
  if (!logits || pasts.empty() ||
      !pairStates(dataflow, pasts, candidates, signature))
    return std::nullopt;
  signature.inputRoles[tokens->name()] = "tokens";
  signature.outputRoles[logits->name()] = "logits";
  assignCompanions(graph, *tokens, signature);
  return signature;
}

bool specializeDecoder(GraphProto &graph, const DecoderSignature &signature,
                       int64_t sequence) {
  llvm::StringMap<int64_t> values;
  bool consistent = true;
  auto fix = [&](ValueInfoProto &input, int index, int64_t value) {
    auto *dim = input.mutable_type()
                    ->mutable_tensor_type()
                    ->mutable_shape()
                    ->mutable_dim(index);
    if (dim->has_dim_value()) {
      consistent &= dim->dim_value() == value;
      return;
    }
    if (!dim->dim_param().empty())
      consistent &=
          values.try_emplace(dim->dim_param(), value).first->second == value;
    dim->set_dim_value(value);
  };
  for (ValueInfoProto &input : *graph.mutable_input()) {
    auto role = signature.inputRoles.find(input.name());
    if (role == signature.inputRoles.end())
      continue;
    fix(input, 0, 1);
    if (role->second == "tokens" || role->second == "positions")
      fix(input, 1, sequence);
  }
  fixDimensions(graph, values);
  return consistent;
}

} // namespace bitnet::import
