//===- GraphBuilder.h - Functions of onnx ops from graphs --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_IMPORT_GRAPHBUILDER_H
#define BITNET_LIB_IMPORT_GRAPHBUILDER_H

#include "DecoderSignature.h"
#include "Tensors.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bitnet::import {

/// Constants by the names of their values.
using ConstantMap = llvm::StringMap<mlir::ElementsAttr>;

struct EntryOptions {
  llvm::StringRef name, kind;
  /// The decoder's roles, or null.
  const DecoderSignature *signature = nullptr;
};

/// Builds functions of graphs whose types are inferred. It knows no operator:
/// ODS says which inputs and attributes an op has.
class GraphBuilder {
public:
  GraphBuilder(mlir::ModuleOp module, mlir::Location file, TensorReader &reader,
               ConstantMap &constants)
      : module(module), file(file), reader(reader), constants(constants),
        builder(module.getContext()) {}

  /// Appends the graph to the module. Inputs that are in the constant map are
  /// constants.
  llvm::LogicalResult build(::onnx::GraphProto &graph,
                            const EntryOptions &entry);

private:
  mlir::RankedTensorType convertType(const ::onnx::TypeProto &type,
                                     const llvm::Twine &what,
                                     mlir::Location loc);
  llvm::LogicalResult collectTypes(const ::onnx::GraphProto &graph);
  llvm::LogicalResult createFunction(const ::onnx::GraphProto &graph,
                                     const EntryOptions &entry);
  mlir::DictionaryAttr describeValue(const ::onnx::ValueInfoProto &value,
                                     const llvm::StringMap<std::string> *roles,
                                     const llvm::StringMap<int64_t> *states);
  llvm::LogicalResult buildNode(::onnx::NodeProto &node);
  llvm::LogicalResult buildConstant(::onnx::NodeProto &node);
  llvm::LogicalResult addOperands(const ::onnx::NodeProto &node,
                                  mlir::OperationState &state);
  llvm::LogicalResult addResults(const ::onnx::NodeProto &node,
                                 mlir::OperationState &state);
  llvm::LogicalResult addAttributes(::onnx::NodeProto &node,
                                    mlir::OperationState &state);
  mlir::Attribute convertAttribute(const ::onnx::NodeProto &node,
                                   ::onnx::AttributeProto &attribute);
  mlir::ArrayAttr getDimNames(const ::onnx::TypeProto &type);
  mlir::Value getValue(llvm::StringRef name);

  mlir::ModuleOp module;
  mlir::Location file;
  TensorReader &reader;
  ConstantMap &constants;
  mlir::OpBuilder builder;
  mlir::Value noValue;
  mlir::func::FuncOp function;
  llvm::StringMap<mlir::Value> values;
  llvm::StringMap<const ::onnx::TypeProto *> types;
};

} // namespace bitnet::import

#endif // BITNET_LIB_IMPORT_GRAPHBUILDER_H
