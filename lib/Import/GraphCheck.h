//===- GraphCheck.h - Errors of graphs, told by node --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_IMPORT_GRAPHCHECK_H
#define BITNET_LIB_IMPORT_GRAPHCHECK_H

#include "mlir/IR/Diagnostics.h"
#include <onnx/onnx_pb.h>

namespace bitnet::import {

/// Whether a domain, by either of its names, is the standard's own.
bool isDefaultDomain(llvm::StringRef domain);

/// The operator as the onnx dialect and messages name it: its domain, unless
/// the default one, and type.
std::string getOperatorName(const ::onnx::NodeProto &node);

/// The node's name, or its first output's where it has none.
llvm::StringRef getNodeName(const ::onnx::NodeProto &node);

/// An error at the file that starts with the node's name and operator.
mlir::InFlightDiagnostic emitNodeError(const ::onnx::NodeProto &node,
                                       mlir::Location file);

/// Emits an error for values that are defined twice or never, and for cycles.
llvm::LogicalResult checkDataflow(const ::onnx::GraphProto &graph,
                                  mlir::Location file);

/// Emits one error that lists every node that can neither be imported nor
/// expanded by a function of the model or the standard.
llvm::LogicalResult checkSupported(const ::onnx::ModelProto &model, int opset,
                                   mlir::Location file);

} // namespace bitnet::import

#endif // BITNET_LIB_IMPORT_GRAPHCHECK_H
