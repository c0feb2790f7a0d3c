//===- ModelFile.cpp - Reading model files --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelFile.h"
#include "ONNXLibrary.h"
#include "llvm/Support/MemoryBuffer.h"
#include <google/protobuf/io/coded_stream.h>
#include <limits>

using namespace mlir;
using ::onnx::ModelProto;

namespace bitnet::import {

int getOpset(const ModelProto &model) {
  for (const auto &import : model.opset_import())
    if (import.domain().empty() || import.domain() == "ai.onnx")
      return static_cast<int>(import.version());
  return 0;
}

/// The library's check of this names no value.
static LogicalResult checkValueTypes(const ::onnx::GraphProto &graph,
                                     Location file) {
  auto check = [&](const auto &values, StringRef kind) -> LogicalResult {
    for (const auto &value : values) {
      if (!value.has_type())
        return emitError(file)
               << "graph " << kind << " '" << value.name() << "' has no type";
      if (value.type().has_tensor_type() &&
          !value.type().tensor_type().has_shape())
        return emitError(file)
               << "graph " << kind << " '" << value.name()
               << "' has no shape, expected one (dimensions may be unknown)";
    }
    return success();
  };
  return failure(failed(check(graph.input(), "input")) ||
                 failed(check(graph.output(), "output")));
}

/// Messages that are no model can parse too: nothing in a protobuf says what it
/// is.
static LogicalResult checkVersions(const ModelProto &model, Location file) {
  if (model.ir_version() <= 0 || !model.has_graph() ||
      model.opset_import_size() == 0)
    return emitError(file) << "the file is not an ONNX model";
  if (model.ir_version() > getNewestIRVersion())
    return emitError(file) << "the model's IR version is " << model.ir_version()
                           << ", expected at most " << getNewestIRVersion();
  int opset = getOpset(model);
  if (opset < kOldestOpset || opset > kOpset)
    return emitError(file) << "the model's opset is " << opset << ", expected "
                           << kOldestOpset << " to " << kOpset;
  if (model.graph().sparse_initializer_size() > 0)
    return emitError(file) << "sparse initializers are not supported";
  if (model.graph().output_size() == 0)
    return emitError(file) << "the model has no output";
  return checkValueTypes(model.graph(), file);
}

std::optional<ModelProto> readModel(StringRef path, Location file) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    emitError(file) << "cannot read the model: " << buffer.getError().message();
    return std::nullopt;
  }
  StringRef bytes = (*buffer)->getBuffer();
  ModelProto model;
  if (path.ends_with(".onnxtxt")) {
    if (LibraryError error = parseText(bytes.str(), model)) {
      emitError(file) << "cannot parse the model: " << *error;
      return std::nullopt;
    }
  } else {
    if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
      emitError(file) << "the file is larger than 2 GiB; store large tensors "
                         "as external data";
      return std::nullopt;
    }
    google::protobuf::LogSilencer silencer;
    if (bytes.empty() ||
        !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      emitError(file) << "the file is not an ONNX model, or it is truncated";
      return std::nullopt;
    }
  }
  if (failed(checkVersions(model, file)))
    return std::nullopt;
  return model;
}

} // namespace bitnet::import
