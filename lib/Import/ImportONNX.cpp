//===- ImportONNX.cpp - ONNX models as onnx dialect modules --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Import/ImportONNX.h"
#include "Dimensions.h"
#include "ForeignOperators.h"
#include "GraphBuilder.h"
#include "GraphCheck.h"
#include "IndexArithmetic.h"
#include "ModelFile.h"
#include "ONNXLibrary.h"
#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace bitnet::import;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

namespace {
/// The phases of an import, over one model.
class Importer {
public:
  Importer(StringRef path, MLIRContext &context,
           const bitnet::ImportOptions &options)
      : path(path), context(context), options(options),
        file(FileLineColLoc::get(&context, path, 0, 0)),
        reader(llvm::sys::path::parent_path(path).str(), options.outputs,
               file) {}

  OwningOpRef<ModuleOp> run();

private:
  LogicalResult prepare();
  LogicalResult setAsideInitializers();
  LogicalResult setAsideConstants();
  LogicalResult expandUnknown();
  LogicalResult infer(ModelProto &inferred);
  LogicalResult addEntry(GraphBuilder &builder, StringRef name, StringRef kind,
                         int64_t sequence, const DecoderSignature &signature);
  LogicalResult fail(LibraryError error, StringRef what);

  std::string path;
  MLIRContext &context;
  const bitnet::ImportOptions &options;
  Location file;
  TensorReader reader;
  ModelProto model;
  ConstantMap constants;
};
} // namespace

/// Turns an error of ONNX's library into a diagnostic.
LogicalResult Importer::fail(LibraryError error, StringRef what) {
  StringRef message = *error;
  // Prefixes of the library's exceptions, one per level of rethrowing.
  std::string text;
  while (!message.empty()) {
    auto [before, after] = message.split("[ShapeInferenceError] ");
    text += before;
    message = after;
  }
  // The checker adds a context in lines of its own.
  SmallVector<StringRef> lines;
  StringRef(text).split(lines, '\n', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  return emitError(file) << what << ": " << llvm::join(lines, " ");
}

//===----------------------------------------------------------------------===//
// Large constants
//===----------------------------------------------------------------------===//

LogicalResult Importer::setAsideInitializers() {
  GraphProto &graph = *model.mutable_graph();
  // An initializer that is an input too is a default; here it is the value.
  llvm::StringSet<> names;
  for (const TensorProto &tensor : graph.initializer())
    names.insert(tensor.name());
  auto &inputs = *graph.mutable_input();
  inputs.erase(std::remove_if(inputs.begin(), inputs.end(),
                              [&](const auto &input) {
                                return names.contains(input.name());
                              }),
               inputs.end());
  auto &initializers = *graph.mutable_initializer();
  auto isSmall = [&](TensorProto &tensor) -> FailureOr<bool> {
    RankedTensorType type = reader.getType(tensor);
    if (!type)
      return failure();
    if (bitnet::onnx::getStorageBytes(type) <= bitnet::onnx::kMaxInlineBytes) {
      if (tensor.data_location() == TensorProto::EXTERNAL &&
          failed(reader.load(tensor)))
        return failure();
      return true;
    }
    ElementsAttr value = reader.read(tensor);
    if (!value)
      return failure();
    addConstantInput(graph, tensor.name(), type);
    constants[tensor.name()] = value;
    return false;
  };
  int kept = 0;
  for (int i = 0; i < initializers.size(); ++i) {
    FailureOr<bool> small = isSmall(*initializers.Mutable(i));
    if (failed(small))
      return failure();
    if (*small)
      initializers.SwapElements(kept++, i);
  }
  initializers.DeleteSubrange(kept, initializers.size() - kept);
  return success();
}

LogicalResult Importer::setAsideConstants() {
  auto &nodes = *model.mutable_graph()->mutable_node();
  std::vector<bool> aside(nodes.size());
  for (int i = 0; i < nodes.size(); ++i) {
    NodeProto &node = *nodes.Mutable(i);
    if (getOperatorName(node) != "Constant" || node.attribute_size() != 1 ||
        !node.attribute(0).has_t() || node.output_size() != 1)
      continue;
    TensorProto &tensor = *node.mutable_attribute(0)->mutable_t();
    RankedTensorType type = reader.getType(tensor);
    if (!type)
      return failure();
    if (bitnet::onnx::getStorageBytes(type) <= bitnet::onnx::kMaxInlineBytes)
      continue;
    ElementsAttr value = reader.read(tensor);
    if (!value)
      return failure();
    addConstantInput(*model.mutable_graph(), node.output(0), type);
    constants[node.output(0)] = value;
    aside[i] = true;
  }
  int kept = 0;
  for (int i = 0; i < nodes.size(); ++i)
    if (!aside[i])
      nodes.SwapElements(kept++, i);
  nodes.DeleteSubrange(kept, nodes.size() - kept);
  return success();
}

//===----------------------------------------------------------------------===//
// ONNX's library
//===----------------------------------------------------------------------===//

/// Expands the standard's functions that the dialect has no op for. The bodies
/// of some depend on types.
LogicalResult Importer::expandUnknown() {
  auto isUnknown = [&](const std::string &domain, const std::string &opType) {
    NodeProto node;
    node.set_domain(domain);
    node.set_op_type(opType);
    std::string name = getOperatorName(node);
    auto op = RegisteredOperationName::lookup("onnx." + name, &context);
    return name != "Constant" &&
           !(op && op->hasInterface<bitnet::onnx::NodeOpInterface>());
  };
  auto hasUnknown = [&] {
    return llvm::any_of(model.graph().node(), [&](const NodeProto &node) {
      return isUnknown(node.domain(), node.op_type());
    });
  };
  // Inference fails on some bodies that are not bound to their node yet.
  auto isPlain = [&](const std::string &domain, const std::string &opType) {
    return isUnknown(domain, opType) &&
           hasPlainFunctionBody(domain, opType, kOpset);
  };
  if (!hasUnknown())
    return success();
  if (LibraryError error = expandStandardFunctions(model, kOpset, isPlain))
    return fail(error, "cannot expand the standard's functions");
  if (hasUnknown()) {
    if (LibraryError error = inferShapes(model))
      return fail(error, "cannot infer the types of the model");
    if (LibraryError error = expandStandardFunctions(model, kOpset, isUnknown))
      return fail(error, "cannot expand the standard's functions");
  }
  return checkSupported(model, kOpset, file);
}

LogicalResult Importer::infer(ModelProto &inferred) {
  if (LibraryError error = inferShapes(inferred))
    return fail(error, "cannot infer the types of the model");
  return success();
}

LogicalResult Importer::prepare() {
  std::optional<ModelProto> read = readModel(path, file);
  if (!read)
    return failure();
  model = std::move(*read);
  normalizeForeignDomains(model);
  int opset = getOpset(model);
  if (failed(checkDataflow(model.graph(), file)) ||
      failed(checkSupported(model, opset, file)) ||
      failed(setAsideInitializers()) || failed(setAsideConstants()))
    return failure();
  // The version says nothing about what follows; older ones restrict
  // initializers.
  model.set_ir_version(getNewestIRVersion());
  if (LibraryError error = checkModel(model))
    return fail(error, "the model is invalid");
  if (model.functions_size() > 0) {
    if (LibraryError error = inlineLocalFunctions(model))
      return fail(error, "cannot inline the model's functions");
    if (failed(setAsideConstants()))
      return failure();
  }
  fixDimensions(*model.mutable_graph(), options.fixedDims);
  if (opset != kOpset)
    if (LibraryError error = convertVersion(model, kOpset))
      return fail(error, "cannot convert the model to opset " +
                             std::to_string(kOpset));
  foldIndexArithmetic(*model.mutable_graph());
  repairAttentions(*model.mutable_graph());
  if (failed(expandForeignOperators(model, constants, reader, file)))
    return failure();
  return expandUnknown();
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

/// The decoder for `sequence` tokens of one text; nothing where the model is of
/// a fixed batch or length.
LogicalResult Importer::addEntry(GraphBuilder &builder, StringRef name,
                                 StringRef kind, int64_t sequence,
                                 const DecoderSignature &signature) {
  ModelProto entry = model;
  if (!specializeDecoder(*entry.mutable_graph(), signature, sequence))
    return success();
  if (failed(infer(entry)))
    return failure();
  return builder.build(*entry.mutable_graph(), {name, kind, &signature});
}

OwningOpRef<ModuleOp> Importer::run() {
  if (failed(prepare()))
    return nullptr;
  ModelProto main = model;
  if (failed(infer(main)))
    return nullptr;
  OwningOpRef<ModuleOp> module = ModuleOp::create(file);
  GraphBuilder builder(*module, file, reader, constants);
  std::optional<DecoderSignature> signature =
      findDecoderSignature(main.graph());
  if (failed(
          builder.build(*main.mutable_graph(),
                        {"main", "main", signature ? &*signature : nullptr})))
    return nullptr;
  if (signature && options.specialize) {
    if (failed(addEntry(builder, "decode", "decode", 1, *signature)))
      return nullptr;
    for (int64_t chunk : options.chunks) {
      std::string name = "prefill";
      if (chunk != options.chunks.front())
        name += "_" + std::to_string(chunk);
      if (failed(addEntry(builder, name, "prefill", chunk, *signature)))
        return nullptr;
    }
  }
  if (failed(verify(*module)))
    return nullptr;
  return module;
}

OwningOpRef<ModuleOp> bitnet::importONNX(StringRef path, MLIRContext &context,
                                         const ImportOptions &options) {
  context.loadDialect<bitnet::onnx::ONNXDialect, func::FuncDialect>();
  return Importer(path, context, options).run();
}
