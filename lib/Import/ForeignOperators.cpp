//===- ForeignOperators.cpp - Operators of other domains ------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ForeignOperators.h"
#include "GraphCheck.h"
#include "ModelFile.h"
#include "ONNXLibrary.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

namespace bitnet::import {

/// The domain of the functions that stand for nodes until they are inlined.
static constexpr StringRef kFunctionDomain = "bitnet.expansion";

const ForeignOperators &getForeignOperators() {
  static const ForeignOperators operators = [] {
    ForeignOperators all;
    addEinsumOperator(all);
    addIntegerMatmulOperators(all);
    addLRNOperator(all);
    addMicrosoftActivationOperators(all);
    addMicrosoftAttentionOperators(all);
    addMicrosoftGroupQueryAttention(all);
    addMicrosoftNormOperators(all);
    addMicrosoftProductOperators(all);
    addMicrosoftQuantizedOperators(all);
    addQONNXOperators(all);
    addStandardAttention(all);
    return all;
  }();
  return operators;
}

//===----------------------------------------------------------------------===//
// A node
//===----------------------------------------------------------------------===//

NodeContext::NodeContext(const NodeProto &node, ModelProto &model,
                         const GraphTensors &tensors, ConstantMap &constants,
                         TensorReader &reader, Location file)
    : node(node), model(model), tensors(tensors), constants(constants),
      reader(reader), file(file) {}

const AttributeProto *NodeContext::getAttribute(StringRef name) const {
  for (const AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}

int64_t NodeContext::getInt(StringRef name, int64_t absent) const {
  const AttributeProto *attribute = getAttribute(name);
  return attribute ? attribute->i() : absent;
}

float NodeContext::getFloat(StringRef name, float absent) const {
  const AttributeProto *attribute = getAttribute(name);
  return attribute ? attribute->f() : absent;
}

std::string NodeContext::getString(StringRef name, StringRef absent) const {
  const AttributeProto *attribute = getAttribute(name);
  return attribute ? attribute->s() : absent.str();
}

std::vector<int64_t> NodeContext::getInts(StringRef name) const {
  const AttributeProto *attribute = getAttribute(name);
  if (!attribute)
    return {};
  return {attribute->ints().begin(), attribute->ints().end()};
}

bool NodeContext::hasInput(int index) const {
  return index < node.input_size() && !node.input(index).empty();
}

bool NodeContext::hasOutput(int index) const {
  return index < node.output_size() && !node.output(index).empty();
}

ElementsAttr NodeContext::getConstant(int index) const {
  if (!hasInput(index))
    return {};
  const std::string &name = node.input(index);
  auto it = constants.find(name);
  if (it != constants.end())
    return it->second;
  const TensorProto *tensor = tensors.lookup(name);
  if (!tensor)
    return {};
  // Reading moves a tensor's data out of it.
  TensorProto copy = *tensor;
  return reader.read(copy);
}

RankedTensorType NodeContext::getType(int index) const {
  if (ElementsAttr constant = getConstant(index))
    return cast<RankedTensorType>(constant.getShapedType());
  if (!hasInput(index))
    return {};
  const GraphProto &graph = model.graph();
  for (const auto &value : llvm::concat<const ::onnx::ValueInfoProto>(
           graph.input(), graph.value_info())) {
    const auto &type = value.type().tensor_type();
    if (value.name() != node.input(index) || !type.has_shape())
      continue;
    SmallVector<int64_t> shape;
    for (const auto &dim : type.shape().dim())
      shape.push_back(dim.has_dim_value() ? dim.dim_value()
                                          : ShapedType::kDynamic);
    Type element = getElementType(type.elem_type(), file.getContext());
    return element ? RankedTensorType::get(shape, element) : RankedTensorType();
  }
  return {};
}

std::string NodeContext::addConstant(ElementsAttr value) {
  std::string formal = "constant_" + std::to_string(added.size());
  // Nodes may share a name, values do not.
  std::string name = node.output(0) + "." + formal + ".bitnet.expansion";
  addConstantInput(*model.mutable_graph(), name,
                   cast<RankedTensorType>(value.getShapedType()));
  constants[name] = value;
  added.emplace_back(formal, name);
  return formal;
}

InFlightDiagnostic NodeContext::error() const {
  return emitNodeError(node, file);
}

//===----------------------------------------------------------------------===//
// Domains
//===----------------------------------------------------------------------===//

/// The domain of an operator's expansion.
static StringRef getExpansionDomain(StringRef domain, StringRef opType) {
  constexpr StringRef microsoft = "com.microsoft";
  constexpr StringRef qonnx = "qonnx.custom_op.general";
  // ONNX Runtime's optimiser writes these without a domain.
  if (isDefaultDomain(domain) && (opType == "SimplifiedLayerNormalization" ||
                                  opType == "SkipSimplifiedLayerNormalization"))
    return microsoft;
  if (domain == "onnx.brevitas" || domain == "finn.custom_op.general")
    return qonnx;
  return domain;
}

void normalizeForeignDomains(ModelProto &model) {
  llvm::StringSet<> imported;
  for (const auto &import : model.opset_import())
    imported.insert(import.domain());
  llvm::StringSet<> missing;
  auto normalize = [&](NodeProto &node) {
    StringRef domain = getExpansionDomain(node.domain(), node.op_type());
    if (!getForeignOperators().contains((domain + "." + node.op_type()).str()))
      return;
    if (!imported.contains(domain))
      missing.insert(domain);
    node.set_domain(domain.str());
  };
  for (NodeProto &node : *model.mutable_graph()->mutable_node())
    normalize(node);
  for (auto &function : *model.mutable_functions())
    for (NodeProto &node : *function.mutable_node())
      normalize(node);
  for (const auto &domain : missing) {
    auto *import = model.add_opset_import();
    import->set_domain(domain.getKey().str());
    import->set_version(1);
  }
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

std::string floatText(double value) {
  SmallString<32> text;
  // Seventeen digits give every double; a float is a double.
  llvm::raw_svector_ostream(text) << llvm::format("%.17e", value);
  return text.str().str();
}

std::string floatConstant(double value) {
  return "Constant <value = float {" + floatText(value) + "}> ()";
}

std::string intsConstant(ArrayRef<int64_t> values) {
  return "Constant <value_ints = [" +
         llvm::join(llvm::map_range(
                        values, [](int64_t v) { return std::to_string(v); }),
                    ", ") +
         "]> ()";
}

/// Makes `node` a call of a function of its own, which it adds to the model.
static LogicalResult makeCall(ModelProto &model, NodeProto &node, int number,
                              const ForeignOperator &foreign,
                              NodeContext &context, Location file) {
  if (node.input_size() > int(foreign.inputs.size()) ||
      node.output_size() > int(foreign.outputs.size()))
    return context.error() << "it has " << node.input_size() << " inputs and "
                           << node.output_size() << " outputs, of at most "
                           << foreign.inputs.size() << " and "
                           << foreign.outputs.size();
  FailureOr<std::string> body = foreign.expand(context);
  if (failed(body))
    return failure();
  if (body->empty())
    return success();
  std::vector<std::string> inputs(foreign.inputs.begin(),
                                  foreign.inputs.begin() + node.input_size());
  std::vector<std::string> outputs(
      foreign.outputs.begin(), foreign.outputs.begin() + node.output_size());
  for (auto &[formal, actual] : context.getAddedInputs()) {
    inputs.push_back(formal);
    node.add_input(actual);
  }
  std::string name = node.op_type() + "_" + std::to_string(number);
  std::string text =
      llvm::formatv("<domain: \"{0}\", opset_import: [\"\" : {1}]>\n"
                    "{2} ({3}) => ({4}) {{\n{5}\n}\n",
                    kFunctionDomain, kOpset, name, llvm::join(inputs, ", "),
                    llvm::join(outputs, ", "), *body);
  if (LibraryError error = parseFunction(text, *model.add_functions()))
    return context.error() << "its expansion cannot be parsed: " << *error;
  node.set_domain(kFunctionDomain.str());
  node.set_op_type(name);
  node.clear_attribute();
  return success();
}

static GraphTensors collectTensors(const GraphProto &graph) {
  GraphTensors tensors;
  for (const TensorProto &tensor : graph.initializer())
    tensors[tensor.name()] = &tensor;
  for (const NodeProto &node : graph.node())
    if (getOperatorName(node) == "Constant" && node.attribute_size() == 1 &&
        node.attribute(0).has_t())
      tensors[node.output(0)] = &node.attribute(0).t();
  return tensors;
}

LogicalResult expandForeignOperators(ModelProto &model, ConstantMap &constants,
                                     TensorReader &reader, Location file) {
  GraphTensors tensors = collectTensors(model.graph());
  int count = 0;
  bool failedAny = false;
  for (NodeProto &node : *model.mutable_graph()->mutable_node()) {
    auto it = getForeignOperators().find(getOperatorName(node));
    if (it == getForeignOperators().end())
      continue;
    NodeContext context(node, model, tensors, constants, reader, file);
    failedAny |=
        failed(makeCall(model, node, count++, it->second, context, file));
  }
  if (failedAny || count == 0)
    return failure(failedAny);
  auto *import = model.add_opset_import();
  import->set_domain(kFunctionDomain.str());
  import->set_version(1);
  if (LibraryError error = inlineLocalFunctions(model))
    return emitError(file) << "cannot expand foreign operators: " << *error;
  return success();
}

} // namespace bitnet::import
