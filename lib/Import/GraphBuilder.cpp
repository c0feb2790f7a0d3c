//===- GraphBuilder.cpp - Functions of onnx ops from graphs --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphBuilder.h"
#include "GraphCheck.h"
#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "bitnet/artifact.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TypeProto;
using ::onnx::ValueInfoProto;

namespace bitnet::import {

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

RankedTensorType GraphBuilder::convertType(const TypeProto &type,
                                           const Twine &what, Location loc) {
  if (!type.has_tensor_type()) {
    emitError(loc) << what << " is no tensor";
    return {};
  }
  Type element =
      getElementType(type.tensor_type().elem_type(), builder.getContext());
  if (!element) {
    emitError(loc) << what << " has the unsupported data type "
                   << getDataTypeName(type.tensor_type().elem_type());
    return {};
  }
  if (!type.tensor_type().has_shape()) {
    emitError(loc) << what << " has no known rank";
    return {};
  }
  SmallVector<int64_t> shape;
  for (const auto &dim : type.tensor_type().shape().dim()) {
    if (dim.has_dim_value() && dim.dim_value() < 0) {
      emitError(loc) << what << " has a negative dimension";
      return {};
    }
    shape.push_back(dim.has_dim_value() ? dim.dim_value()
                                        : ShapedType::kDynamic);
  }
  int64_t count = 1;
  for (int64_t size : shape)
    if (!ShapedType::isDynamic(size) &&
        (llvm::MulOverflow(count, std::max<int64_t>(size, 1), count) ||
         count > kMaxElements)) {
      emitError(loc) << what << " has more elements than can be addressed";
      return {};
    }
  return RankedTensorType::get(shape, element);
}

ArrayAttr GraphBuilder::getDimNames(const TypeProto &type) {
  SmallVector<StringRef> names;
  for (const auto &dim : type.tensor_type().shape().dim())
    names.push_back(dim.has_dim_value() ? StringRef()
                                        : StringRef(dim.dim_param()));
  return builder.getStrArrayAttr(names);
}

LogicalResult GraphBuilder::collectTypes(const GraphProto &graph) {
  types.clear();
  for (const auto *list :
       {&graph.value_info(), &graph.input(), &graph.output()})
    for (const ValueInfoProto &value : *list)
      types[value.name()] = &value.type();
  return success();
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

DictionaryAttr
GraphBuilder::describeValue(const ValueInfoProto &value,
                            const llvm::StringMap<std::string> *roles,
                            const llvm::StringMap<int64_t> *states) {
  NamedAttrList attributes;
  attributes.append("onnx.name", builder.getStringAttr(value.name()));
  attributes.append("onnx.dims", getDimNames(value.type()));
  if (roles)
    if (auto role = roles->find(value.name()); role != roles->end())
      attributes.append("bitnet.role", builder.getStringAttr(role->second));
  if (states)
    if (auto state = states->find(value.name()); state != states->end())
      attributes.append("bitnet.state",
                        builder.getI64IntegerAttr(state->second));
  return attributes.getDictionary(builder.getContext());
}

LogicalResult GraphBuilder::createFunction(const GraphProto &graph,
                                           const EntryOptions &entry) {
  const DecoderSignature *signature = entry.signature;
  SmallVector<Type> inputs, outputs;
  SmallVector<Attribute> inputAttributes, outputAttributes;
  SmallVector<StringRef> names;
  auto checkRank = [&](Type type, StringRef what, const ValueInfoProto &value) {
    int64_t rank = cast<RankedTensorType>(type).getRank();
    if (rank <= BN_MAX_RANK)
      return success();
    emitError(file) << what << value.name() << "' has " << rank
                    << " dimensions, expected at most " << BN_MAX_RANK;
    return failure();
  };
  for (const ValueInfoProto &input : graph.input()) {
    if (constants.count(input.name()))
      continue;
    Type type =
        convertType(input.type(), "graph input '" + input.name() + "'", file);
    if (!type || failed(checkRank(type, "graph input '", input)))
      return failure();
    inputs.push_back(type);
    names.push_back(input.name());
    inputAttributes.push_back(
        describeValue(input, signature ? &signature->inputRoles : nullptr,
                      signature ? &signature->inputStates : nullptr));
  }
  for (const ValueInfoProto &output : graph.output()) {
    Type type = convertType(output.type(),
                            "graph output '" + output.name() + "'", file);
    if (!type || failed(checkRank(type, "graph output '", output)))
      return failure();
    outputs.push_back(type);
    outputAttributes.push_back(
        describeValue(output, signature ? &signature->outputRoles : nullptr,
                      signature ? &signature->outputStates : nullptr));
  }
  builder.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(builder, file, entry.name,
                                  builder.getFunctionType(inputs, outputs));
  function->setAttr("bitnet.entry", builder.getStringAttr(entry.kind));
  function.setAllArgAttrs(inputAttributes);
  function.setAllResultAttrs(outputAttributes);
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  for (auto [name, argument] : llvm::zip(names, body->getArguments())) {
    argument.setLoc(NameLoc::get(builder.getStringAttr(name)));
    values[name] = argument;
  }
  return success();
}

LogicalResult GraphBuilder::build(GraphProto &graph,
                                  const EntryOptions &entry) {
  values.clear();
  noValue = {};
  if (failed(collectTypes(graph)))
    return failure();
  for (auto &tensor : *graph.mutable_initializer())
    if (ElementsAttr &constant = constants[tensor.name()]; !constant)
      if (!(constant = reader.read(tensor)))
        return failure();
  if (failed(createFunction(graph, entry)))
    return failure();
  for (NodeProto &node : *graph.mutable_node())
    if (failed(buildNode(node)))
      return failure();
  SmallVector<Value> results;
  for (auto [output, type] :
       llvm::zip(graph.output(), function.getResultTypes())) {
    Value value = getValue(output.name());
    if (!value || value.getType() != type)
      return emitError(file)
             << "graph output '" << output.name() << "' is "
             << (value ? value.getType() : Type(builder.getNoneType()))
             << ", but declared " << type;
    results.push_back(value);
  }
  func::ReturnOp::create(builder, file, results);
  return success();
}

Value GraphBuilder::getValue(StringRef name) {
  auto known = values.find(name);
  if (known != values.end())
    return known->second;
  auto constant = constants.find(name);
  if (constant == constants.end())
    return {};
  // Constants stand first, in the order of their first use.
  OpBuilder::InsertionGuard guard(builder);
  Block &body = function.getBody().front();
  auto firstOther = llvm::find_if(body, [](Operation &op) {
    return !isa<onnx::ConstantOp, onnx::NoValueOp>(op);
  });
  builder.setInsertionPoint(&body, firstOther);
  Location loc = NameLoc::get(builder.getStringAttr(name));
  return values[name] =
             onnx::ConstantOp::create(builder, loc, constant->second);
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

LogicalResult GraphBuilder::addOperands(const NodeProto &node,
                                        OperationState &state) {
  auto *interface = state.name.getInterface<onnx::NodeOpInterface>();
  onnx::NodeSignature signature = interface->getNodeSignature();
  unsigned expected = signature.numInputs - signature.variadicInputs;
  if (!signature.variadicInputs &&
      node.input_size() > static_cast<int>(expected))
    return emitNodeError(node, file)
           << "has " << node.input_size() << " inputs, expected at most "
           << expected;
  unsigned count = std::max<unsigned>(node.input_size(), expected);
  for (unsigned i = 0; i < count; ++i) {
    bool absent =
        i >= static_cast<unsigned>(node.input_size()) || node.input(i).empty();
    if (absent) {
      if (!noValue) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPointToStart(&function.getBody().front());
        noValue = onnx::NoValueOp::create(builder, file);
      }
      state.operands.push_back(noValue);
      continue;
    }
    Value value = getValue(node.input(i));
    if (!value)
      return emitNodeError(node, file)
             << "its input '" << node.input(i) << "' is defined nowhere";
    state.operands.push_back(value);
  }
  return success();
}

LogicalResult GraphBuilder::addResults(const NodeProto &node,
                                       OperationState &state) {
  auto *interface = state.name.getInterface<onnx::NodeOpInterface>();
  onnx::NodeSignature signature = interface->getNodeSignature();
  unsigned expected = signature.numOutputs - signature.variadicOutputs;
  unsigned count = std::max<unsigned>(node.output_size(), expected);
  if (!signature.variadicOutputs && count > expected)
    return emitNodeError(node, file)
           << "has " << node.output_size() << " outputs, expected at most "
           << expected;
  SmallVector<Attribute> names;
  bool dynamic = false;
  for (unsigned i = 0; i < count; ++i) {
    if (i >= static_cast<unsigned>(node.output_size()) ||
        node.output(i).empty()) {
      state.types.push_back(builder.getNoneType());
      names.push_back(builder.getArrayAttr({}));
      continue;
    }
    auto known = types.find(node.output(i));
    if (known == types.end())
      return emitNodeError(node, file)
             << "the type of its output '" << node.output(i)
             << "' cannot be inferred";
    RankedTensorType type = convertType(
        *known->second,
        "node '" + getNodeName(node) + "': its output '" + node.output(i) + "'",
        file);
    if (!type)
      return failure();
    dynamic |= !type.hasStaticShape();
    state.types.push_back(type);
    names.push_back(getDimNames(*known->second));
  }
  if (dynamic)
    state.addAttribute("onnx.dims", builder.getArrayAttr(names));
  return success();
}

Attribute GraphBuilder::convertAttribute(const NodeProto &node,
                                         AttributeProto &attribute) {
  switch (attribute.type()) {
  case AttributeProto::INT:
    return builder.getI64IntegerAttr(attribute.i());
  case AttributeProto::FLOAT:
    return builder.getF32FloatAttr(attribute.f());
  case AttributeProto::STRING:
    return builder.getStringAttr(attribute.s());
  case AttributeProto::INTS:
    return builder.getDenseI64ArrayAttr(
        ArrayRef<int64_t>(attribute.ints().data(), attribute.ints_size()));
  case AttributeProto::FLOATS:
    return builder.getDenseF32ArrayAttr(
        ArrayRef<float>(attribute.floats().data(), attribute.floats_size()));
  case AttributeProto::STRINGS: {
    SmallVector<StringRef> strings(attribute.strings().begin(),
                                   attribute.strings().end());
    return builder.getStrArrayAttr(strings);
  }
  case AttributeProto::TENSOR:
    return reader.read(*attribute.mutable_t());
  default:
    emitNodeError(node, file)
        << "attribute '" << attribute.name() << "' has an unsupported kind";
    return {};
  }
}

LogicalResult GraphBuilder::addAttributes(NodeProto &node,
                                          OperationState &state) {
  NamedAttrList inherent;
  ArrayRef<StringAttr> known = state.name.getAttributeNames();
  for (AttributeProto &attribute : *node.mutable_attribute()) {
    if (!llvm::is_contained(known, builder.getStringAttr(attribute.name())))
      return emitNodeError(node, file)
             << "unsupported attribute '" << attribute.name() << "'";
    Attribute value = convertAttribute(node, attribute);
    if (!value)
      return failure();
    inherent.append(attribute.name(), value);
  }
  auto emit = [&] { return emitNodeError(node, file); };
  if (failed(state.name.verifyInherentAttrs(inherent, emit)))
    return failure();
  state.addAttributes(inherent.getAttrs());
  return success();
}

/// The value of a Constant node in one of its spellings.
LogicalResult GraphBuilder::buildConstant(NodeProto &node) {
  ElementsAttr value;
  if (node.attribute_size() == 1) {
    AttributeProto &attribute = *node.mutable_attribute(0);
    auto tensorOf = [&](ArrayRef<int64_t> shape, Type element) {
      return RankedTensorType::get(shape, element);
    };
    int64_t ints = attribute.ints_size(), floats = attribute.floats_size();
    if (attribute.name() == "value" && attribute.has_t())
      value = reader.read(*attribute.mutable_t());
    else if (attribute.name() == "value_int")
      value = DenseElementsAttr::get(tensorOf({}, builder.getI64Type()),
                                     attribute.i());
    else if (attribute.name() == "value_float")
      value = DenseElementsAttr::get(tensorOf({}, builder.getF32Type()),
                                     attribute.f());
    else if (attribute.name() == "value_ints")
      value = onnx::makeElements(
          tensorOf({ints}, builder.getI64Type()),
          ArrayRef<int64_t>(attribute.ints().data(), ints), node.output(0));
    else if (attribute.name() == "value_floats")
      value = onnx::makeElements(
          tensorOf({floats}, builder.getF32Type()),
          ArrayRef<float>(attribute.floats().data(), floats), node.output(0));
    else
      return emitNodeError(node, file)
             << "unsupported attribute '" << attribute.name() << "'";
  }
  if (!value)
    return emitNodeError(node, file) << "it has no readable value";
  constants[node.output(0)] = value;
  return success();
}

LogicalResult GraphBuilder::buildNode(NodeProto &node) {
  if (getOperatorName(node) == "Constant") {
    // Entries share constants; the data has moved with the first.
    if (node.output_size() != 1)
      return emitNodeError(node, file) << "expected one output";
    return constants.count(node.output(0)) ? success() : buildConstant(node);
  }
  // No file inside: diagnostics would show it in place of the name.
  Location loc = NameLoc::get(builder.getStringAttr(getNodeName(node)));
  OperationState state(loc, "onnx." + getOperatorName(node));
  if (!state.name.hasInterface<onnx::NodeOpInterface>())
    return emitNodeError(node, file) << "unsupported operator";
  if (failed(addOperands(node, state)) || failed(addResults(node, state)) ||
      failed(addAttributes(node, state)))
    return failure();
  Operation *op = builder.create(state);
  for (auto [name, result] : llvm::zip(node.output(), op->getResults()))
    if (!name.empty())
      values[name] = result;
  return success();
}

} // namespace bitnet::import
