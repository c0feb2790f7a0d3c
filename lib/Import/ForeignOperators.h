//===- ForeignOperators.h - Operators of other domains --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operators that are not ONNX's own become standard ones at import, and so do
// some of ONNX's that only join others. Each has an expansion, which writes the
// body of an ONNX function for one node of the graph; ONNX's library parses and
// inlines it.
//
// Expansions live in Foreign/, a file for each family of operators.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_IMPORT_FOREIGNOPERATORS_H
#define BITNET_LIB_IMPORT_FOREIGNOPERATORS_H

#include "GraphBuilder.h"
#include "Tensors.h"
#include "llvm/ADT/StringMap.h"
#include <string>
#include <vector>

namespace bitnet::import {

/// Tensors that lie in the graph itself, by the names of their values.
using GraphTensors = llvm::StringMap<const ::onnx::TensorProto *>;

/// A node to expand, and what may be known of its inputs.
class NodeContext {
public:
  NodeContext(const ::onnx::NodeProto &node, ::onnx::ModelProto &model,
              const GraphTensors &tensors, ConstantMap &constants,
              TensorReader &reader, mlir::Location file);

  /// Attributes, or what stands for an absent one.
  int64_t getInt(llvm::StringRef name, int64_t absent) const;
  float getFloat(llvm::StringRef name, float absent) const;
  std::string getString(llvm::StringRef name, llvm::StringRef absent) const;
  std::vector<int64_t> getInts(llvm::StringRef name) const;

  /// Whether the node has that input or output, and names it.
  bool hasInput(int index) const;
  bool hasOutput(int index) const;

  /// The value of an input that is a constant (an initializer, or the result of
  /// a Constant); null for others.
  mlir::ElementsAttr getConstant(int index) const;

  /// The type of an input, where the graph says it: of constants, of the
  /// graph's own inputs and of values that the exporter gave a shape (dynamic
  /// extents included); null for others.
  mlir::RankedTensorType getType(int index) const;

  /// Makes a constant; the body may use the name that is returned.
  std::string addConstant(mlir::ElementsAttr value);

  /// Reports what is wrong with the node.
  mlir::InFlightDiagnostic error() const;

  /// The names that addConstant gave, and of the graph's values behind them.
  llvm::ArrayRef<std::pair<std::string, std::string>> getAddedInputs() const {
    return added;
  }

private:
  const ::onnx::AttributeProto *getAttribute(llvm::StringRef name) const;

  const ::onnx::NodeProto &node;
  ::onnx::ModelProto &model;
  const GraphTensors &tensors;
  ConstantMap &constants;
  TensorReader &reader;
  mlir::Location file;
  std::vector<std::pair<std::string, std::string>> added;
};

/// Writes the body of a function for a node, in ONNX's text format and the
/// dialect's opset: statements such as `y = Mul (x, s)`; nothing where the node
/// is to stay as it is. Fails with an error at the node where it has a form
/// that is not supported.
using Expansion = mlir::FailureOr<std::string> (*)(NodeContext &);

struct ForeignOperator {
  /// The names by which the body calls inputs and outputs, optional ones too.
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  Expansion expand;
};

/// Operators by domain and type: "com.microsoft.FusedMatMul"; ONNX's own have
/// no domain.
using ForeignOperators = llvm::StringMap<ForeignOperator>;

const ForeignOperators &getForeignOperators();

/// Families, each in its file of Foreign/.
void addEinsumOperator(ForeignOperators &operators);
void addIntegerMatmulOperators(ForeignOperators &operators);
void addLRNOperator(ForeignOperators &operators);
void addMicrosoftActivationOperators(ForeignOperators &operators);
void addMicrosoftAttentionOperators(ForeignOperators &operators);
void addMicrosoftGroupQueryAttention(ForeignOperators &operators);
void addMicrosoftNormOperators(ForeignOperators &operators);
void addMicrosoftProductOperators(ForeignOperators &operators);
void addMicrosoftQuantizedOperators(ForeignOperators &operators);
void addQONNXOperators(ForeignOperators &operators);
void addStandardAttention(ForeignOperators &operators);

/// Gives foreign operators the domain of their expansions: exporters use
/// several for one, or write them in the default domain. Imports these domains.
void normalizeForeignDomains(::onnx::ModelProto &model);

/// Replaces all foreign operators of a model of the dialect's opset.
llvm::LogicalResult expandForeignOperators(::onnx::ModelProto &model,
                                           ConstantMap &constants,
                                           TensorReader &reader,
                                           mlir::Location file);

/// For bodies: the text of a number, and of a Constant with a scalar or a list.
std::string floatText(double value);
std::string floatConstant(double value);
std::string intsConstant(llvm::ArrayRef<int64_t> values);

} // namespace bitnet::import

#endif // BITNET_LIB_IMPORT_FOREIGNOPERATORS_H
