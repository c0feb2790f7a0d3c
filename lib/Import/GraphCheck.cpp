//===- GraphCheck.cpp - Errors of graphs, told by node --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphCheck.h"
#include "ForeignOperators.h"
#include "ONNXLibrary.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;

namespace bitnet::import {

bool isDefaultDomain(StringRef domain) {
  return domain.empty() || domain == "ai.onnx";
}

std::string getOperatorName(const NodeProto &node) {
  return isDefaultDomain(node.domain()) ? node.op_type()
                                        : node.domain() + "." + node.op_type();
}

StringRef getNodeName(const NodeProto &node) {
  StringRef name = node.name();
  return name.empty() && node.output_size() > 0 ? StringRef(node.output(0))
                                                : name;
}

InFlightDiagnostic emitNodeError(const NodeProto &node, Location file) {
  return emitError(file) << "node '" << getNodeName(node) << "' ("
                         << getOperatorName(node) << "): ";
}

//===----------------------------------------------------------------------===//
// Dataflow
//===----------------------------------------------------------------------===//

/// The node that computes each value; -1 for what the graph is given.
static FailureOr<llvm::StringMap<int>>
collectDefinitions(const GraphProto &graph, Location file) {
  llvm::StringMap<int> definitions;
  for (const auto &input : graph.input())
    if (!definitions.try_emplace(input.name(), -1).second)
      return emitError(file)
             << "graph input '" << input.name() << "' is defined twice";
  // Old models list initializers among the inputs too.
  llvm::StringSet<> initializers;
  for (const auto &tensor : graph.initializer()) {
    if (!initializers.insert(tensor.name()).second)
      return emitError(file)
             << "initializer '" << tensor.name() << "' is defined twice";
    definitions.try_emplace(tensor.name(), -1);
  }
  for (int i = 0; i < graph.node_size(); ++i)
    for (const std::string &output : graph.node(i).output())
      if (!output.empty() && !definitions.try_emplace(output, i).second)
        return emitNodeError(graph.node(i), file)
               << "its output '" << output << "' is defined already";
  return definitions;
}

/// Follows inputs that come from later nodes until a node repeats.
static bool isOnCycle(const GraphProto &graph,
                      const llvm::StringMap<int> &definitions, int start) {
  std::vector<bool> seen(graph.node_size());
  std::vector<int> work = {start};
  while (!work.empty()) {
    const NodeProto &node = graph.node(work.back());
    work.pop_back();
    for (const std::string &input : node.input()) {
      auto it = definitions.find(input);
      if (it == definitions.end() || it->second < 0)
        continue;
      if (it->second == start)
        return true;
      if (!seen[it->second]) {
        seen[it->second] = true;
        work.push_back(it->second);
      }
    }
  }
  return false;
}

LogicalResult checkDataflow(const GraphProto &graph, Location file) {
  FailureOr<llvm::StringMap<int>> definitions = collectDefinitions(graph, file);
  if (failed(definitions))
    return failure();
  for (int i = 0; i < graph.node_size(); ++i) {
    const NodeProto &node = graph.node(i);
    for (const std::string &input : node.input()) {
      if (input.empty())
        continue;
      auto it = definitions->find(input);
      if (it == definitions->end())
        return emitNodeError(node, file)
               << "its input '" << input << "' is defined nowhere";
      if (it->second < i)
        continue;
      InFlightDiagnostic error = emitNodeError(node, file);
      if (isOnCycle(graph, *definitions, i))
        return error << "the graph is cyclic: the node's input '" << input
                     << "' depends on its output";
      return error << "its input '" << input << "' is computed by a later node";
    }
  }
  for (const auto &output : graph.output())
    if (!definitions->count(output.name()))
      return emitError(file)
             << "graph output '" << output.name() << "' is defined nowhere";
  return success();
}

//===----------------------------------------------------------------------===//
// Supported operators
//===----------------------------------------------------------------------===//

LogicalResult checkSupported(const ModelProto &model, int opset,
                             Location file) {
  llvm::StringSet<> functions;
  for (const auto &function : model.functions())
    functions.insert(function.domain() + ":" + function.name());
  MLIRContext *context = file.getContext();
  std::vector<std::pair<std::string, StringRef>> unsupported;
  auto visit = [&](const NodeProto &node) {
    if (functions.contains(node.domain() + ":" + node.op_type()))
      return;
    std::string name = getOperatorName(node);
    auto op = RegisteredOperationName::lookup("onnx." + name, context);
    if (name == "Constant" || (op && op->hasInterface<onnx::NodeOpInterface>()))
      return;
    std::string domain = isDefaultDomain(node.domain()) ? "" : node.domain();
    if (getForeignOperators().contains(name) ||
        hasFunctionBody(domain, node.op_type(), opset))
      return;
    unsupported.emplace_back(name, getNodeName(node));
  };
  for (const NodeProto &node : model.graph().node())
    visit(node);
  for (const auto &function : model.functions())
    for (const NodeProto &node : function.node())
      visit(node);
  if (unsupported.empty())
    return success();
  InFlightDiagnostic error = emitError(file);
  error << "the model has " << unsupported.size() << " unsupported node"
        << (unsupported.size() == 1 ? "" : "s") << ":";
  bool first = true;
  for (auto &[name, node] : unsupported) {
    error << (first ? " " : ", ") << name << " (node '" << node << "')";
    first = false;
  }
  return error;
}

} // namespace bitnet::import
