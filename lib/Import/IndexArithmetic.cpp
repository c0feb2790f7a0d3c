//===- IndexArithmetic.cpp - Constant arithmetic on indices ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexArithmetic.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"
#include <cstring>
#include <optional>
#include <vector>

using namespace onnx;

namespace bitnet::import {

namespace {

/// A scalar or a vector.
struct Indices {
  bool isScalar = true;
  std::vector<int64_t> values;
};

using Known = llvm::StringMap<Indices>;

/// More elements are no shape.
constexpr size_t kMostIndices = 64;

std::optional<Indices> read(const TensorProto &tensor) {
  if (tensor.data_type() != TensorProto::INT64 || tensor.dims_size() > 1 ||
      tensor.data_location() == TensorProto::EXTERNAL)
    return std::nullopt;
  Indices result;
  result.isScalar = tensor.dims_size() == 0;
  size_t count = result.isScalar ? 1 : size_t(tensor.dims(0));
  if (count > kMostIndices)
    return std::nullopt;
  result.values.resize(count);
  const std::string &raw = tensor.raw_data();
  if (raw.size() == count * sizeof(int64_t))
    std::memcpy(result.values.data(), raw.data(), raw.size());
  else if (size_t(tensor.int64_data_size()) == count)
    result.values.assign(tensor.int64_data().begin(),
                         tensor.int64_data().end());
  else
    return std::nullopt;
  return result;
}

std::optional<int64_t> apply(const std::string &op, int64_t lhs, int64_t rhs) {
  int64_t result = 0;
  if (op == "Add" && !llvm::AddOverflow(lhs, rhs, result))
    return result;
  if (op == "Sub" && !llvm::SubOverflow(lhs, rhs, result))
    return result;
  if (op == "Mul" && !llvm::MulOverflow(lhs, rhs, result))
    return result;
  // The remainder has the divisor's sign.
  if (op == "Mod" && rhs != 0 && rhs != -1) {
    result = lhs % rhs;
    return result != 0 && (result < 0) != (rhs < 0) ? result + rhs : result;
  }
  return std::nullopt;
}

std::optional<Indices> combine(const NodeProto &node, const Indices &lhs,
                               const Indices &rhs) {
  if (!lhs.isScalar && !rhs.isScalar && lhs.values.size() != rhs.values.size())
    return std::nullopt;
  // fmod = 1 gives the dividend's sign.
  if (node.op_type() == "Mod" && node.attribute_size() > 0)
    return std::nullopt;
  Indices result{lhs.isScalar && rhs.isScalar, {}};
  size_t count = lhs.isScalar ? rhs.values.size() : lhs.values.size();
  for (size_t i = 0; i < count; ++i) {
    auto value = apply(node.op_type(), lhs.values[lhs.isScalar ? 0 : i],
                       rhs.values[rhs.isScalar ? 0 : i]);
    if (!value)
      return std::nullopt;
    result.values.push_back(*value);
  }
  return result;
}

/// To a vector or a scalar.
std::optional<Indices> reshape(const Indices &data, const Indices &shape) {
  int64_t count = data.values.size();
  if (shape.isScalar || shape.values.size() > 1)
    return std::nullopt;
  bool isScalar = shape.values.empty();
  if (isScalar ? count != 1 : shape.values[0] != -1 && shape.values[0] != count)
    return std::nullopt;
  return Indices{isScalar, data.values};
}

std::optional<Indices> evaluate(const NodeProto &node, const Known &known) {
  const std::string &op = node.op_type();
  if (!node.domain().empty() || node.input_size() != 2)
    return std::nullopt;
  auto lhs = known.find(node.input(0)), rhs = known.find(node.input(1));
  if (lhs == known.end() || rhs == known.end())
    return std::nullopt;
  if (op == "Reshape")
    return reshape(lhs->second, rhs->second);
  if (op == "Add" || op == "Sub" || op == "Mul" || op == "Mod")
    return combine(node, lhs->second, rhs->second);
  return std::nullopt;
}

void makeConstant(NodeProto &node, const Indices &indices) {
  node.set_op_type("Constant");
  node.clear_input();
  node.clear_attribute();
  AttributeProto &attribute = *node.add_attribute();
  attribute.set_name("value");
  attribute.set_type(AttributeProto::TENSOR);
  TensorProto &tensor = *attribute.mutable_t();
  tensor.set_data_type(TensorProto::INT64);
  if (!indices.isScalar)
    tensor.add_dims(indices.values.size());
  for (int64_t value : indices.values)
    tensor.add_int64_data(value);
}

} // namespace

void foldIndexArithmetic(GraphProto &graph) {
  Known known;
  for (const TensorProto &tensor : graph.initializer())
    if (std::optional<Indices> indices = read(tensor))
      known[tensor.name()] = *indices;
  for (NodeProto &node : *graph.mutable_node()) {
    if (node.output_size() != 1)
      continue;
    std::optional<Indices> indices;
    if (node.op_type() == "Constant" && node.domain().empty()) {
      if (node.attribute_size() == 1 && node.attribute(0).has_t())
        indices = read(node.attribute(0).t());
    } else if ((indices = evaluate(node, known))) {
      makeConstant(node, *indices);
    }
    if (indices)
      known[node.output(0)] = *indices;
  }
}

} // namespace bitnet::import
