//===- Scalars.h - Arithmetic on elements --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_ONNXTOLINALG_SCALARS_H
#define BITNET_LIB_CONVERSION_ONNXTOLINALG_SCALARS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace bitnet::onnx {

enum class Compare { EQ, NE, LT, LE, GT, GE };

/// Emits arithmetic on elements: of floats, or of integers by ONNX's rules. It
/// serves the bodies of linalg ops, and shape arithmetic outside of them.
class Scalars {
public:
  Scalars(mlir::OpBuilder &builder, mlir::Location loc, bool isUnsigned = false)
      : b(builder), loc(loc), isUnsigned(isUnsigned) {}

  mlir::OpBuilder &b;
  mlir::Location loc;
  /// How integers are compared, divided, shifted and converted.
  bool isUnsigned;

  mlir::Value constant(mlir::Type type, double value);
  mlir::Value integer(mlir::Type type, int64_t value);
  mlir::Value index(int64_t value) { return integer(b.getIndexType(), value); }
  /// The position in dimension `dim` of the enclosing linalg op.
  mlir::Value position(int64_t dim);

  mlir::Value add(mlir::Value x, mlir::Value y, bool reassociate = false);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y, bool reassociate = false);
  /// Integers round towards 0; a zero divisor counts as 1 (the standard leaves
  /// it undefined, the machine traps).
  mlir::Value div(mlir::Value x, mlir::Value y);
  mlir::Value rem(mlir::Value x, mlir::Value y);
  mlir::Value max(mlir::Value x, mlir::Value y);
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value neg(mlir::Value x);
  mlir::Value abs(mlir::Value x);
  mlir::Value pow(mlir::Value x, mlir::Value y);
  mlir::Value compare(Compare predicate, mlir::Value x, mlir::Value y);
  mlir::Value isNaN(mlir::Value x);
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y);
  mlir::Value logicalAnd(mlir::Value x, mlir::Value y);
  mlir::Value logicalOr(mlir::Value x, mlir::Value y);
  mlir::Value logicalNot(mlir::Value x);

  /// Operations of the math dialect on one float.
  template <typename Op> mlir::Value apply(mlir::Value x) {
    return b.createOrFold<Op>(loc, x);
  }

  /// Converts between any two element types as ONNX's Cast. Signs come with
  /// `fromUnsigned` and `toUnsigned`; booleans are `i1`.
  mlir::Value cast(mlir::Value x, mlir::Type to, bool fromUnsigned,
                   bool toUnsigned);
  /// The same with this builder's sign on both sides.
  mlir::Value cast(mlir::Value x, mlir::Type to) {
    return cast(x, to, isUnsigned, isUnsigned);
  }
  mlir::Value toIndex(mlir::Value x);

  /// The least value of a type, or the greatest (infinities of floats).
  mlir::Value lowest(mlir::Type type);
  mlir::Value highest(mlir::Type type);

private:
  mlir::Value castFloatToInt(mlir::Value x, mlir::IntegerType to,
                             bool toUnsigned);
  mlir::Value powInt(mlir::Value x, mlir::Value y);
  mlir::Value remFloat(mlir::Value x, mlir::Value y);
  mlir::Value safeDivisor(mlir::Value y);
};

/// The type in which arithmetic on elements of `type` is done.
mlir::Type computeType(mlir::Type type);

/// `type` without a sign.
mlir::Type toSignless(mlir::Type type);

} // namespace bitnet::onnx

#endif // BITNET_LIB_CONVERSION_ONNXTOLINALG_SCALARS_H
