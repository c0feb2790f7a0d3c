//===- NormArithmetic.h - A norm's operations -------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOVECTOR_NORMARITHMETIC_H
#define BITNET_LIB_CONVERSION_BITNETTOVECTOR_NORMARITHMETIC_H

#include "Lowerings.h"

namespace bitnet {

/// The norm of a row, on any target: of a bitnet.norm, or of a bitnet.quantize
/// that has one.
class NormArithmetic {
public:
  /// Adds up a term of the row's columns.
  using SumOverRow =
      llvm::function_ref<Value(llvm::function_ref<Value(Value)>)>;

  NormArithmetic(KernelBuilder &b, NormOp op)
      : NormArithmetic(b, op.getInput(), op.getWeight(), op.getBias(),
                       op.getKind(), op.getEpsilon()) {}
  NormArithmetic(KernelBuilder &b, QuantizeOp op)
      : NormArithmetic(b, op.getInput(), op.getWeight(), op.getBias(),
                       *op.getNorm(), *op.getNormEpsilon()) {}

  /// Goes to row `m`, which has `count` columns (f32).
  void start(Value m, Value count, SumOverRow sum);
  /// The same where one thread has the row.
  void start(Value m);
  /// Column `k` of the row's norm.
  Value at(Value k);

private:
  NormArithmetic(KernelBuilder &b, Value input, Value weight, Value bias,
                 NormKind kind, llvm::APFloat epsilon)
      : b(b), input(input), weight(weight), bias(bias), kind(kind),
        epsilon(epsilon) {}
  Value centred(Value k);

  KernelBuilder &b;
  Value input, weight, bias;
  NormKind kind;
  llvm::APFloat epsilon;
  // Of the row.
  Value row, mean, inverse;
};

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOVECTOR_NORMARITHMETIC_H
