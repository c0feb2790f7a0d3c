//===- Real.h - Formulas over floats and vectors of floats ------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_TARGET_CPU_REAL_H
#define BITNET_LIB_TARGET_CPU_REAL_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace bitnet {

/// Where a formula is built, and which instructions it may count on.
struct RealContext {
  mlir::ImplicitLocOpBuilder &builder;
  bool hasFMA = false;
  /// Instructions that round to an integer.
  bool hasRound = false;
};

/// A condition per element.
struct Truth {
  mlir::OpBuilder &builder;
  mlir::Value value;

  Truth operator&(Truth other) const;
  Truth operator|(Truth other) const;
  Truth operator!() const;
};

/// The bits of a Real, as integers of its width.
class Bits {
public:
  Bits(RealContext &context, mlir::Value value)
      : context(&context), value(value) {}
  mlir::Value getValue() const { return value; }

  Bits operator+(Bits other) const;
  Bits operator-(Bits other) const;
  Bits operator&(Bits other) const;
  Bits operator|(Bits other) const;
  Bits operator^(Bits other) const;
  Bits operator+(int64_t other) const { return *this + constant(other); }
  Bits operator-(int64_t other) const { return *this - constant(other); }
  Bits operator&(int64_t other) const { return *this & constant(other); }
  Bits operator|(int64_t other) const { return *this | constant(other); }
  Bits operator<<(int64_t count) const;
  /// A logical shift.
  Bits operator>>(int64_t count) const;
  Truth operator!=(int64_t other) const;
  Truth unsignedGreater(int64_t other) const;
  Bits constant(int64_t value) const;

private:
  RealContext *context;
  mlir::Value value;
};

/// A float, or a vector of floats, with the operations of formulas. None of
/// them carries fast-math flags: the formulas depend on the order of
/// operations.
class Real {
public:
  Real(RealContext &context, mlir::Value value)
      : context(&context), value(value) {}

  mlir::Value getValue() const { return value; }
  RealContext &getContext() const { return *context; }
  mlir::FloatType getElementType() const;
  bool isDouble() const { return getElementType().isF64(); }
  Real constant(double value) const;
  Real infinity() const;
  Real nan() const;

  Real operator+(Real other) const;
  Real operator-(Real other) const;
  Real operator*(Real other) const;
  Real operator/(Real other) const;
  Real operator+(double other) const { return *this + constant(other); }
  Real operator-(double other) const { return *this - constant(other); }
  Real operator*(double other) const { return *this * constant(other); }
  Real operator/(double other) const { return *this / constant(other); }
  Real operator-() const;
  friend Real operator+(double a, Real b) { return b.constant(a) + b; }
  friend Real operator-(double a, Real b) { return b.constant(a) - b; }
  friend Real operator*(double a, Real b) { return b.constant(a) * b; }
  friend Real operator/(double a, Real b) { return b.constant(a) / b; }

  /// Ordered comparisons: false where an operand is a NaN.
  Truth operator<(Real other) const;
  Truth operator>(Real other) const;
  Truth operator==(Real other) const;
  Truth operator<(double other) const { return *this < constant(other); }
  Truth operator>(double other) const { return *this > constant(other); }
  Truth operator==(double other) const { return *this == constant(other); }
  Truth isNaN() const;

  Bits bits() const;
  static Real fromBits(Real like, Bits bits);

  Real abs() const;
  Real sqrt() const;
  /// The magnitude of this with the sign of the other.
  Real withSign(Real other) const;
  /// Within the bounds; a NaN stays one.
  Real clamp(double low, double high) const;
  /// To the nearest integer, ties to even.
  Real roundEven() const;
  Real floor() const;
  Real ceil() const;
  Real trunc() const;
  /// Ties away from zero.
  Real round() const;

  Real extend() const; // to f64
  Real truncateTo(mlir::Type type) const;

private:
  RealContext *context;
  mlir::Value value;
};

/// a * b + c, fused where the CPU does it.
Real multiplyAdd(Real a, Real b, Real c);
inline Real multiplyAdd(Real a, double b, Real c) {
  return multiplyAdd(a, c.constant(b), c);
}
inline Real multiplyAdd(Real a, double b, double c) {
  return multiplyAdd(a, a.constant(b), a.constant(c));
}
Real select(Truth condition, Real a, Real b);
inline Real select(Truth condition, Real a, double b) {
  return select(condition, a, a.constant(b));
}
inline Real select(Truth condition, double a, Real b) {
  return select(condition, b.constant(a), b);
}
/// The polynomial with these coefficients, the constant one first.
Real polynomial(Real x, llvm::ArrayRef<double> coefficients);

/// `type` with its element type replaced.
mlir::Type withElementType(mlir::Type type, mlir::Type element);

} // namespace bitnet

#endif // BITNET_LIB_TARGET_CPU_REAL_H
