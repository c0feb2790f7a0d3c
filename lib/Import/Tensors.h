//===- Tensors.h - ONNX's tensors as MLIR types and constants --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_IMPORT_TENSORS_H
#define BITNET_LIB_IMPORT_TENSORS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <onnx/onnx_pb.h>

namespace bitnet::import {

/// The elements that a tensor can have at most.
constexpr int64_t kMaxElements = int64_t(1) << 48;

/// The standard's name of a data type, or its number.
std::string getDataTypeName(int32_t dataType);

/// The element type of an ONNX data type; null for strings and complex numbers.
mlir::Type getElementType(int32_t dataType, mlir::MLIRContext *context);

/// The ONNX data type of an element type that getElementType gives.
int32_t getDataType(mlir::Type elementType);

/// Adds an input of a constant's type to the graph. ONNX's library copies
/// initializers, and needs the values of small ones only: large ones are inputs
/// until the functions are built.
void addConstantInput(::onnx::GraphProto &graph, llvm::StringRef name,
                      mlir::RankedTensorType type);

/// Makes constants of tensors, mapping each external file once.
class TensorReader {
public:
  /// External files lie in `modelFolder` or below, and are none of `outputs`.
  /// Errors name `file`.
  TensorReader(std::string modelFolder, llvm::ArrayRef<std::string> outputs,
               mlir::Location file)
      : modelFolder(std::move(modelFolder)), outputs(outputs), file(file) {}

  /// A constant of `tensor`, whose raw data moves into it. Emits an error and
  /// returns null if the data does not fit the type.
  mlir::ElementsAttr read(::onnx::TensorProto &tensor);

  /// Moves a small external tensor's data into the tensor itself.
  llvm::LogicalResult load(::onnx::TensorProto &tensor);

  /// The tensor's type, or null, with an error, where it is none of ours.
  mlir::RankedTensorType getType(const ::onnx::TensorProto &tensor);

private:
  /// The external file that a tensor names; null with an error.
  std::shared_ptr<llvm::MemoryBuffer> openExternal(llvm::StringRef location,
                                                   llvm::StringRef tensor);
  /// The bytes of an external tensor, and what keeps them alive.
  std::optional<llvm::ArrayRef<char>>
  getExternal(const ::onnx::TensorProto &tensor, int64_t needed,
              std::shared_ptr<llvm::MemoryBuffer> &owner);
  mlir::InFlightDiagnostic emitError(llvm::StringRef tensor);

  std::string modelFolder;
  llvm::ArrayRef<std::string> outputs;
  mlir::Location file;
  llvm::StringMap<std::shared_ptr<llvm::MemoryBuffer>> externalFiles;
};

} // namespace bitnet::import

#endif // BITNET_LIB_IMPORT_TENSORS_H
