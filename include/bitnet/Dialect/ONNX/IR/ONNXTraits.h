//===- ONNXTraits.h - What onnx ops have in common --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_ONNX_IR_ONNXTRAITS_H
#define BITNET_DIALECT_ONNX_IR_ONNXTRAITS_H

#include "mlir/IR/OpDefinition.h"

namespace bitnet::onnx {

/// The inputs and outputs that the standard gives an operator.
struct NodeSignature {
  unsigned numInputs;
  unsigned numOutputs;
  /// The last one may repeat.
  bool variadicInputs;
  bool variadicOutputs;
};

namespace OpTrait {
namespace impl {
llvm::LogicalResult verifySameOperandElements(mlir::Operation *op);
llvm::LogicalResult verifyAxisInRange(mlir::Operation *op);
llvm::LogicalResult verifyReduction(mlir::Operation *op);
llvm::LogicalResult verifyKeepsElements(mlir::Operation *op);
llvm::LogicalResult verifySameShapeAsFirst(mlir::Operation *op);
llvm::LogicalResult verifyWindow(mlir::Operation *op);
} // namespace impl

#define BITNET_ONNX_TRAIT(NAME)                                                \
  template <typename ConcreteType>                                             \
  struct NAME : mlir::OpTrait::TraitBase<ConcreteType, NAME> {                 \
    static llvm::LogicalResult verifyTrait(mlir::Operation *op) {              \
      return impl::verify##NAME(op);                                           \
    }                                                                          \
  }

/// Tensor operands have one element type.
BITNET_ONNX_TRAIT(SameOperandElements);
/// `axis` lies within the first operand's rank.
BITNET_ONNX_TRAIT(AxisInRange);
/// The result's rank is that of reducing the first operand.
BITNET_ONNX_TRAIT(Reduction);
/// The first result has the first operand's element type.
BITNET_ONNX_TRAIT(KeepsElements);
/// The first result has the first operand's shape.
BITNET_ONNX_TRAIT(SameShapeAsFirst);
/// A window slides over the trailing dimensions of an N, C, … tensor.
BITNET_ONNX_TRAIT(Window);
#undef BITNET_ONNX_TRAIT

} // namespace OpTrait
} // namespace bitnet::onnx

#endif // BITNET_DIALECT_ONNX_IR_ONNXTRAITS_H
