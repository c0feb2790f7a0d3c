//===- ONNXLibrary.h - ONNX's own library, without exceptions --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// ONNX's library reports errors by exceptions. They end in ONNXLibrary.cpp, the
// only file here that is compiled with them.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_IMPORT_ONNXLIBRARY_H
#define BITNET_LIB_IMPORT_ONNXLIBRARY_H

#include <functional>
#include <onnx/onnx_pb.h>
#include <optional>
#include <string>

namespace bitnet::import {

/// What went wrong, or nothing.
using LibraryError = std::optional<std::string>;

/// The newest versions that the library reads.
int64_t getNewestIRVersion();

/// Parses ONNX's text format.
LibraryError parseText(const std::string &text, ::onnx::ModelProto &model);

/// Parses a function in ONNX's text format.
LibraryError parseFunction(const std::string &text,
                           ::onnx::FunctionProto &function);

/// Checks that the model obeys the standard.
LibraryError checkModel(const ::onnx::ModelProto &model);

/// Whether the standard defines the operator, at this opset, by a function.
bool hasFunctionBody(const std::string &domain, const std::string &opType,
                     int opset);

/// Whether that function is the same for every type of the inputs.
bool hasPlainFunctionBody(const std::string &domain, const std::string &opType,
                          int opset);

/// Replaces calls of the model's own functions by their bodies.
LibraryError inlineLocalFunctions(::onnx::ModelProto &model);

/// Replaces those of the standard's operators for which `expand` holds by the
/// functions that define them.
LibraryError expandStandardFunctions(
    ::onnx::ModelProto &model, int opset,
    std::function<bool(const std::string &domain, const std::string &opType)>
        expand);

/// Converts the default domain to another opset.
LibraryError convertVersion(::onnx::ModelProto &model, int opset);

/// The library takes an unknown width of values [B, S, width] for 0 and gives
/// it to the Attention's result: makes it unknown there too.
void repairAttentions(::onnx::GraphProto &graph);

/// Infers the type of every value, propagating constants through shapes.
LibraryError inferShapes(::onnx::ModelProto &model);

} // namespace bitnet::import

#endif // BITNET_LIB_IMPORT_ONNXLIBRARY_H
