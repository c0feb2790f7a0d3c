//===- Real.cpp - Formulas over floats and vectors of floats --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Real.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace bitnet;

Type bitnet::withElementType(Type type, Type element) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    return shaped.clone(element);
  return element;
}

static Value makeConstant(OpBuilder &builder, Location loc, Type type,
                          Attribute element) {
  auto attr = cast<TypedAttr>(element);
  if (auto shaped = dyn_cast<ShapedType>(type))
    attr = DenseElementsAttr::get(shaped, element);
  return arith::ConstantOp::create(builder, loc, attr);
}

//===----------------------------------------------------------------------===//
// Truth
//===----------------------------------------------------------------------===//

Truth Truth::operator&(Truth other) const {
  return {builder,
          arith::AndIOp::create(builder, value.getLoc(), value, other.value)};
}

Truth Truth::operator|(Truth other) const {
  return {builder,
          arith::OrIOp::create(builder, value.getLoc(), value, other.value)};
}

Truth Truth::operator!() const {
  Value ones = makeConstant(builder, value.getLoc(), value.getType(),
                            builder.getBoolAttr(true));
  return {builder, arith::XOrIOp::create(builder, value.getLoc(), value, ones)};
}

//===----------------------------------------------------------------------===//
// Bits
//===----------------------------------------------------------------------===//

Bits Bits::constant(int64_t number) const {
  Type element = getElementTypeOrSelf(value.getType());
  return Bits(
      *context,
      makeConstant(
          context->builder, context->builder.getLoc(), value.getType(),
          IntegerAttr::get(element, APInt(element.getIntOrFloatBitWidth(),
                                          number, /*isSigned=*/true,
                                          /*implicitTrunc=*/true))));
}

Bits Bits::operator+(Bits other) const {
  return Bits(*context,
              context->builder.create<arith::AddIOp>(value, other.value));
}
Bits Bits::operator-(Bits other) const {
  return Bits(*context,
              context->builder.create<arith::SubIOp>(value, other.value));
}
Bits Bits::operator&(Bits other) const {
  return Bits(*context,
              context->builder.create<arith::AndIOp>(value, other.value));
}
Bits Bits::operator|(Bits other) const {
  return Bits(*context,
              context->builder.create<arith::OrIOp>(value, other.value));
}
Bits Bits::operator^(Bits other) const {
  return Bits(*context,
              context->builder.create<arith::XOrIOp>(value, other.value));
}
Bits Bits::operator<<(int64_t count) const {
  return Bits(*context, context->builder.create<arith::ShLIOp>(
                            value, constant(count).value));
}
Bits Bits::operator>>(int64_t count) const {
  return Bits(*context, context->builder.create<arith::ShRUIOp>(
                            value, constant(count).value));
}
Truth Bits::operator!=(int64_t other) const {
  return {context->builder,
          context->builder.create<arith::CmpIOp>(arith::CmpIPredicate::ne,
                                                 value, constant(other).value)};
}
Truth Bits::unsignedGreater(int64_t other) const {
  return {context->builder,
          context->builder.create<arith::CmpIOp>(arith::CmpIPredicate::ugt,
                                                 value, constant(other).value)};
}

//===----------------------------------------------------------------------===//
// Real
//===----------------------------------------------------------------------===//

FloatType Real::getElementType() const {
  return cast<FloatType>(getElementTypeOrSelf(value.getType()));
}

Real Real::constant(double number) const {
  return Real(*context, makeConstant(context->builder,
                                     context->builder.getLoc(), value.getType(),
                                     FloatAttr::get(getElementType(), number)));
}

static Real makeSpecial(Real like, const APFloat &number) {
  RealContext &context = like.getContext();
  return Real(context,
              makeConstant(context.builder, context.builder.getLoc(),
                           like.getValue().getType(),
                           FloatAttr::get(like.getElementType(), number)));
}

Real Real::infinity() const {
  return makeSpecial(*this,
                     APFloat::getInf(getElementType().getFloatSemantics()));
}

Real Real::nan() const {
  return makeSpecial(*this,
                     APFloat::getQNaN(getElementType().getFloatSemantics()));
}

Real Real::operator+(Real other) const {
  return Real(*context,
              context->builder.create<arith::AddFOp>(value, other.value));
}
Real Real::operator-(Real other) const {
  return Real(*context,
              context->builder.create<arith::SubFOp>(value, other.value));
}
Real Real::operator*(Real other) const {
  return Real(*context,
              context->builder.create<arith::MulFOp>(value, other.value));
}
Real Real::operator/(Real other) const {
  return Real(*context,
              context->builder.create<arith::DivFOp>(value, other.value));
}
Real Real::operator-() const {
  return Real(*context, context->builder.create<arith::NegFOp>(value));
}

static Truth compare(arith::CmpFPredicate predicate, Real a, Real b) {
  ImplicitLocOpBuilder &builder = a.getContext().builder;
  return {builder,
          builder.create<arith::CmpFOp>(predicate, a.getValue(), b.getValue())};
}

Truth Real::operator<(Real other) const {
  return compare(arith::CmpFPredicate::OLT, *this, other);
}
Truth Real::operator>(Real other) const {
  return compare(arith::CmpFPredicate::OGT, *this, other);
}
Truth Real::operator==(Real other) const {
  return compare(arith::CmpFPredicate::OEQ, *this, other);
}
Truth Real::isNaN() const {
  return compare(arith::CmpFPredicate::UNO, *this, *this);
}

Bits Real::bits() const {
  Type integer = IntegerType::get(value.getContext(),
                                  getElementType().getIntOrFloatBitWidth());
  return Bits(*context, context->builder.create<arith::BitcastOp>(
                            withElementType(value.getType(), integer), value));
}

Real Real::fromBits(Real like, Bits bits) {
  return Real(*like.context, like.context->builder.create<arith::BitcastOp>(
                                 like.value.getType(), bits.getValue()));
}

Real Real::abs() const {
  return Real(*context, context->builder.create<math::AbsFOp>(value));
}

Real Real::sqrt() const {
  return Real(*context, context->builder.create<math::SqrtOp>(value));
}

Real Real::withSign(Real other) const {
  return Real(*context,
              context->builder.create<math::CopySignOp>(value, other.value));
}

Real Real::clamp(double low, double high) const {
  Real bounded = select(*this < low, low, *this);
  return select(bounded > high, high, bounded);
}

Real Real::roundEven() const {
  if (context->hasRound)
    return Real(*context, context->builder.create<math::RoundEvenOp>(value));
  // Adding 2^p, p being the mantissa's width, rounds away the fraction. Floats
  // from there on have none (and NaNs stay what they are).
  double limit = isDouble() ? 0x1p52 : 0x1p23;
  Real magnitude = abs();
  Real rounded = ((magnitude + limit) - limit).withSign(*this);
  return select(magnitude < limit, rounded, *this);
}

Real Real::floor() const {
  if (context->hasRound)
    return Real(*context, context->builder.create<math::FloorOp>(value));
  Real near = roundEven();
  return select(near > *this, near - 1.0, near);
}

Real Real::ceil() const {
  if (context->hasRound)
    return Real(*context, context->builder.create<math::CeilOp>(value));
  Real near = roundEven();
  // -0.5 gives -0.
  return select(near < *this, near + 1.0, near).withSign(*this);
}

Real Real::trunc() const {
  if (context->hasRound)
    return Real(*context, context->builder.create<math::TruncOp>(value));
  return abs().floor().withSign(*this);
}

Real Real::round() const {
  Real magnitude = abs();
  Real whole = magnitude.floor();
  Real up = select(magnitude - whole < 0.5, whole, whole + 1.0);
  // Also keeps infinities, whose fraction is a NaN.
  double limit = isDouble() ? 0x1p52 : 0x1p23;
  return select(magnitude < limit, up.withSign(*this), *this);
}

Real Real::extend() const {
  Type type =
      withElementType(value.getType(), Float64Type::get(value.getContext()));
  return Real(*context, context->builder.create<arith::ExtFOp>(type, value));
}

Real Real::truncateTo(Type type) const {
  return Real(*context, context->builder.create<arith::TruncFOp>(type, value));
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

Real bitnet::multiplyAdd(Real a, Real b, Real c) {
  RealContext &context = a.getContext();
  if (!context.hasFMA)
    return a * b + c;
  return Real(context, context.builder.create<math::FmaOp>(
                           a.getValue(), b.getValue(), c.getValue()));
}

Real bitnet::select(Truth condition, Real a, Real b) {
  return Real(a.getContext(), a.getContext().builder.create<arith::SelectOp>(
                                  condition.value, a.getValue(), b.getValue()));
}

Real bitnet::polynomial(Real x, ArrayRef<double> coefficients) {
  Real sum = x.constant(coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = multiplyAdd(sum, x, x.constant(coefficient));
  return sum;
}
