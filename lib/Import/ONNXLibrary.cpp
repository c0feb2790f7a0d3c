//===- ONNXLibrary.cpp - ONNX's own library, without exceptions --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ONNXLibrary.h"
#include <onnx/checker.h>
#include <onnx/defs/parser.h>
#include <onnx/defs/schema.h>
#include <onnx/inliner/inliner.h>
#include <onnx/shape_inference/implementation.h>
#include <onnx/version_converter/convert.h>
#include <set>

namespace bitnet::import {

/// Runs `action`; what it throws becomes the error.
template <typename Action> static LibraryError guarded(Action &&action) {
  try {
    action();
    return std::nullopt;
  } catch (const std::exception &error) {
    return std::string(error.what());
  } catch (...) {
    return std::string("unknown failure in ONNX's library");
  }
}

int64_t getNewestIRVersion() { return ::onnx::IR_VERSION; }

/// Parses a model or a function.
template <typename Proto>
static LibraryError parse(const std::string &text, Proto &proto) {
  LibraryError error;
  LibraryError thrown = guarded([&] {
    auto status = ::onnx::OnnxParser::Parse(proto, text.c_str());
    if (!status.IsOK())
      error = status.ErrorMessage();
  });
  return thrown ? thrown : error;
}

LibraryError parseText(const std::string &text, ::onnx::ModelProto &model) {
  return parse(text, model);
}

LibraryError parseFunction(const std::string &text,
                           ::onnx::FunctionProto &function) {
  return parse(text, function);
}

LibraryError checkModel(const ::onnx::ModelProto &model) {
  return guarded([&] { ::onnx::checker::check_model(model); });
}

/// Whether the operator's schema exists and `holds` of it.
template <typename Predicate>
static bool schemaHolds(const std::string &domain, const std::string &opType,
                        int opset, Predicate &&holds) {
  bool result = false;
  guarded([&] {
    const ::onnx::OpSchema *schema =
        ::onnx::OpSchemaRegistry::Schema(opType, opset, domain);
    result = schema && !schema->Deprecated() && holds(*schema);
  });
  return result;
}

bool hasFunctionBody(const std::string &domain, const std::string &opType,
                     int opset) {
  return schemaHolds(domain, opType, opset, [](const ::onnx::OpSchema &schema) {
    return schema.HasFunction() || schema.HasContextDependentFunction();
  });
}

bool hasPlainFunctionBody(const std::string &domain, const std::string &opType,
                          int opset) {
  return schemaHolds(domain, opType, opset, [](const ::onnx::OpSchema &schema) {
    return schema.HasFunction() && !schema.HasContextDependentFunction();
  });
}

LibraryError inlineLocalFunctions(::onnx::ModelProto &model) {
  return guarded([&] {
    ::onnx::inliner::InlineLocalFunctions(model, /*convert_version=*/true);
  });
}

/// Gives a node the defaults of attributes that it leaves out: function bodies
/// refer to them.
static void addDefaultAttributes(::onnx::NodeProto &node, int opset) {
  const ::onnx::OpSchema *schema =
      ::onnx::OpSchemaRegistry::Schema(node.op_type(), opset, node.domain());
  if (!schema)
    return;
  std::set<std::string> present;
  for (const auto &attribute : node.attribute())
    present.insert(attribute.name());
  for (const auto &[name, attribute] : schema->attributes())
    if (!attribute.required && attribute.default_value.has_name() &&
        !present.count(name)) {
      auto *added = node.add_attribute();
      *added = attribute.default_value;
      added->set_name(name);
    }
}

LibraryError expandStandardFunctions(
    ::onnx::ModelProto &model, int opset,
    std::function<bool(const std::string &, const std::string &)> expand) {
  struct Selected : ::onnx::inliner::FunctionIdSet {
    std::function<bool(const std::string &, const std::string &)> expand;
    bool Contains(const std::string &domain,
                  const std::string &name) const override {
      return expand(domain, name);
    }
  };
  Selected selected;
  selected.expand = std::move(expand);
  return guarded([&] {
    for (auto &node : *model.mutable_graph()->mutable_node())
      if (selected.Contains(node.domain(), node.op_type()))
        addDefaultAttributes(node, opset);
    ::onnx::inliner::InlineSelectedFunctions(
        model, selected, ::onnx::OpSchemaRegistry::Instance());
  });
}

LibraryError convertVersion(::onnx::ModelProto &model, int opset) {
  return guarded([&] {
    model = ::onnx::version_conversion::ConvertVersion(model, opset);
  });
}

void repairAttentions(::onnx::GraphProto &graph) {
  std::set<std::string> results;
  for (const ::onnx::NodeProto &node : graph.node())
    if (node.op_type() == "Attention" && node.output_size() > 0)
      results.insert(node.output(0));
  auto repair = [&](::onnx::ValueInfoProto &value) {
    if (!results.count(value.name()))
      return;
    auto &shape = *value.mutable_type()->mutable_tensor_type()->mutable_shape();
    if (shape.dim_size() == 3 && shape.dim(2).has_dim_value() &&
        shape.dim(2).dim_value() == 0)
      shape.mutable_dim(2)->clear_dim_value();
  };
  if (results.empty())
    return;
  for (auto &value : *graph.mutable_value_info())
    repair(value);
  for (auto &value : *graph.mutable_output())
    repair(value);
}

LibraryError inferShapes(::onnx::ModelProto &model) {
  return guarded([&] {
    ::onnx::ShapeInferenceOptions options(/*check_type=*/true,
                                          /*strict_mode=*/1,
                                          /*data_prop=*/true);
    ::onnx::shape_inference::InferShapes(
        model, ::onnx::OpSchemaRegistry::Instance(), options);
    repairAttentions(*model.mutable_graph());
  });
}

} // namespace bitnet::import
