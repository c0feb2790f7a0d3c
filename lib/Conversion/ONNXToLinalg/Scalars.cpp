//===- Scalars.cpp - Arithmetic on elements -------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Scalars.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace bitnet::onnx;

Type bitnet::onnx::computeType(Type type) {
  auto floatType = dyn_cast<FloatType>(type);
  if (floatType && floatType.getWidth() < 32)
    return Float32Type::get(type.getContext());
  return type;
}

Type bitnet::onnx::toSignless(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return tensor.clone(toSignless(tensor.getElementType()));
  if (auto integer = dyn_cast<IntegerType>(type))
    return IntegerType::get(type.getContext(), integer.getWidth());
  return type;
}

static bool isFloat(Value x) { return isa<FloatType>(x.getType()); }

static arith::FastMathFlags flags(bool reassociate) {
  return reassociate ? arith::FastMathFlags::reassoc
                     : arith::FastMathFlags::none;
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Value Scalars::constant(Type type, double value) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, value));
  return integer(type, static_cast<int64_t>(value));
}

Value Scalars::integer(Type type, int64_t value) {
  if (isa<FloatType>(type))
    return constant(type, static_cast<double>(value));
  unsigned width = isa<IndexType>(type) ? 64 : type.getIntOrFloatBitWidth();
  APInt bits(width, static_cast<uint64_t>(value), /*isSigned=*/true,
             /*implicitTrunc=*/true);
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, bits));
}

Value Scalars::position(int64_t dim) {
  return linalg::IndexOp::create(b, loc, dim);
}

Value Scalars::lowest(Type type) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(
        b, loc,
        b.getFloatAttr(type, APFloat::getInf(floatType.getFloatSemantics(),
                                             /*Negative=*/true)));
  unsigned width = type.getIntOrFloatBitWidth();
  APInt bits = isUnsigned || width == 1 ? APInt::getMinValue(width)
                                        : APInt::getSignedMinValue(width);
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, bits));
}

Value Scalars::highest(Type type) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(
        b, loc,
        b.getFloatAttr(type, APFloat::getInf(floatType.getFloatSemantics())));
  unsigned width = type.getIntOrFloatBitWidth();
  APInt bits = isUnsigned || width == 1 ? APInt::getMaxValue(width)
                                        : APInt::getSignedMaxValue(width);
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, bits));
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value Scalars::add(Value x, Value y, bool reassociate) {
  if (isFloat(x))
    return b.createOrFold<arith::AddFOp>(loc, x, y, flags(reassociate));
  return b.createOrFold<arith::AddIOp>(loc, x, y);
}

Value Scalars::sub(Value x, Value y) {
  if (isFloat(x))
    return b.createOrFold<arith::SubFOp>(loc, x, y);
  return b.createOrFold<arith::SubIOp>(loc, x, y);
}

Value Scalars::mul(Value x, Value y, bool reassociate) {
  if (isFloat(x))
    return b.createOrFold<arith::MulFOp>(loc, x, y, flags(reassociate));
  return b.createOrFold<arith::MulIOp>(loc, x, y);
}

Value Scalars::safeDivisor(Value y) {
  Value zero = integer(y.getType(), 0);
  return select(compare(Compare::EQ, y, zero), integer(y.getType(), 1), y);
}

Value Scalars::div(Value x, Value y) {
  if (isFloat(x))
    return b.createOrFold<arith::DivFOp>(loc, x, y);
  if (isUnsigned)
    return b.createOrFold<arith::DivUIOp>(loc, x, safeDivisor(y));
  // The least value over -1 traps as well: negate instead.
  Value minusOne = integer(y.getType(), -1);
  Value isMinusOne = compare(Compare::EQ, y, minusOne);
  Value divisor = select(isMinusOne, integer(y.getType(), 1), safeDivisor(y));
  Value quotient = b.createOrFold<arith::DivSIOp>(loc, x, divisor);
  return select(isMinusOne, neg(x), quotient);
}

Value Scalars::rem(Value x, Value y) {
  if (isFloat(x))
    return remFloat(x, y);
  if (isUnsigned)
    return b.createOrFold<arith::RemUIOp>(loc, x, safeDivisor(y));
  Value minusOne = integer(y.getType(), -1);
  Value isMinusOne = compare(Compare::EQ, y, minusOne);
  Value divisor = select(isMinusOne, integer(y.getType(), 1), safeDivisor(y));
  return b.createOrFold<arith::RemSIOp>(loc, x, divisor);
}

/// fmod without the C library: long division with quotients of 28 bits, whose
/// products with a float32 divisor are exact in float64.
Value Scalars::remFloat(Value x, Value y) {
  Type wide = b.getF64Type(), bits = b.getI64Type();
  Value ax = abs(cast(x, wide)), ay = abs(cast(y, wide));
  Value zero = constant(wide, 0.0);
  Value defined = logicalAnd(compare(Compare::GT, ay, zero),
                             compare(Compare::LT, ax, highest(wide)));
  auto loop = scf::WhileOp::create(
      b, loc, TypeRange{wide}, ValueRange{ax},
      [&](OpBuilder &nested, Location at, ValueRange args) {
        Scalars s(nested, at);
        Value again =
            s.logicalAnd(defined, s.compare(Compare::GE, args[0], ay));
        scf::ConditionOp::create(nested, at, again, args);
      },
      [&](OpBuilder &nested, Location at, ValueRange args) {
        Scalars s(nested, at);
        Value quotient = s.div(args[0], ay);
        Value mask = s.integer(bits, ~((int64_t(1) << 25) - 1));
        Value raw = arith::BitcastOp::create(nested, at, bits, quotient);
        Value cut = arith::AndIOp::create(nested, at, raw, mask);
        // Below 2^28 the fraction is cut as well.
        Value head = s.apply<math::FloorOp>(
            arith::BitcastOp::create(nested, at, wide, cut));
        head = s.max(head, s.constant(wide, 1.0));
        Value rest = s.sub(args[0], s.mul(head, ay));
        Value below = s.compare(Compare::LT, rest, s.constant(wide, 0.0));
        rest = s.select(below, s.add(rest, ay), rest);
        scf::YieldOp::create(nested, at, rest);
      });
  Value rest = loop.getResult(0);
  Value nan = b.createOrFold<arith::DivFOp>(loc, zero, zero);
  rest = select(logicalOr(defined, compare(Compare::LT, ax, zero)), rest, nan);
  Value isNegative = compare(Compare::LT, x, constant(x.getType(), 0.0));
  return cast(select(isNegative, neg(rest), rest), x.getType());
}

Value Scalars::max(Value x, Value y) {
  if (isFloat(x))
    return b.createOrFold<arith::MaximumFOp>(loc, x, y);
  if (isUnsigned || x.getType().isInteger(1))
    return b.createOrFold<arith::MaxUIOp>(loc, x, y);
  return b.createOrFold<arith::MaxSIOp>(loc, x, y);
}

Value Scalars::min(Value x, Value y) {
  if (isFloat(x))
    return b.createOrFold<arith::MinimumFOp>(loc, x, y);
  if (isUnsigned || x.getType().isInteger(1))
    return b.createOrFold<arith::MinUIOp>(loc, x, y);
  return b.createOrFold<arith::MinSIOp>(loc, x, y);
}

Value Scalars::neg(Value x) {
  if (isFloat(x))
    return b.createOrFold<arith::NegFOp>(loc, x);
  return sub(integer(x.getType(), 0), x);
}

Value Scalars::abs(Value x) {
  if (isFloat(x))
    return b.createOrFold<math::AbsFOp>(loc, x);
  return isUnsigned ? x : max(x, neg(x));
}

Value Scalars::pow(Value x, Value y) {
  Type type = x.getType();
  if (!isFloat(x) && !isFloat(y))
    return powInt(x, y);
  if (!isFloat(x)) {
    Type wide = b.getF64Type();
    return cast(pow(cast(x, wide), cast(y, wide)), type);
  }
  FloatAttr constantExponent;
  Value exponent = cast(y, type);
  if (matchPattern(exponent, m_Constant(&constantExponent))) {
    double value = constantExponent.getValueAsDouble();
    if (value == 1.0)
      return x;
    if (value == 2.0)
      return mul(x, x);
    if (value == 3.0)
      return mul(mul(x, x), x);
    if (value == -1.0)
      return div(constant(type, 1.0), x);
    if (value == 0.5)
      return apply<math::SqrtOp>(x);
  }
  return b.createOrFold<math::PowFOp>(loc, x, exponent);
}

/// By squaring; negative exponents give the reciprocal, cut to an integer.
Value Scalars::powInt(Value x, Value y) {
  Type type = x.getType();
  Value exponent = cast(y, b.getI64Type());
  Value one = integer(type, 1), zero = integer(b.getI64Type(), 0);
  auto loop = scf::WhileOp::create(
      b, loc, TypeRange{b.getI64Type(), type, type},
      ValueRange{exponent, x, one},
      [&](OpBuilder &nested, Location at, ValueRange args) {
        Scalars s(nested, at);
        Value again = s.compare(Compare::GT, args[0], zero);
        scf::ConditionOp::create(nested, at, again, args);
      },
      [&](OpBuilder &nested, Location at, ValueRange args) {
        Scalars s(nested, at);
        Value unit = s.integer(b.getI64Type(), 1);
        Value bit = arith::AndIOp::create(nested, at, args[0], unit);
        Value isOdd = s.compare(Compare::NE, bit, zero);
        Value product = s.select(isOdd, s.mul(args[2], args[1]), args[2]);
        Value rest = arith::ShRUIOp::create(nested, at, args[0], unit);
        scf::YieldOp::create(
            nested, at, ValueRange{rest, s.mul(args[1], args[1]), product});
      });
  Value result = loop.getResult(2);
  if (isUnsigned)
    return result;
  Value minusOne = integer(type, -1);
  Value odd = compare(
      Compare::NE,
      arith::AndIOp::create(b, loc, exponent, integer(b.getI64Type(), 1)),
      zero);
  Value small = select(compare(Compare::EQ, x, minusOne),
                       select(odd, minusOne, one), integer(type, 0));
  small = select(compare(Compare::EQ, x, one), one, small);
  return select(compare(Compare::LT, exponent, zero), small, result);
}

//===----------------------------------------------------------------------===//
// Comparisons and logic
//===----------------------------------------------------------------------===//

Value Scalars::compare(Compare predicate, Value x, Value y) {
  if (isFloat(x)) {
    using P = arith::CmpFPredicate;
    static constexpr P predicates[] = {P::OEQ, P::UNE, P::OLT,
                                       P::OLE, P::OGT, P::OGE};
    return b.createOrFold<arith::CmpFOp>(
        loc, predicates[static_cast<int>(predicate)], x, y);
  }
  using P = arith::CmpIPredicate;
  static constexpr P signedOnes[] = {P::eq,  P::ne,  P::slt,
                                     P::sle, P::sgt, P::sge};
  static constexpr P unsignedOnes[] = {P::eq,  P::ne,  P::ult,
                                       P::ule, P::ugt, P::uge};
  bool useUnsigned = isUnsigned || x.getType().isInteger(1);
  int which = static_cast<int>(predicate);
  return b.createOrFold<arith::CmpIOp>(
      loc, useUnsigned ? unsignedOnes[which] : signedOnes[which], x, y);
}

Value Scalars::isNaN(Value x) {
  if (!isFloat(x))
    return integer(b.getI1Type(), 0);
  return b.createOrFold<arith::CmpFOp>(loc, arith::CmpFPredicate::UNO, x, x);
}

Value Scalars::select(Value condition, Value x, Value y) {
  return b.createOrFold<arith::SelectOp>(loc, condition, x, y);
}
Value Scalars::logicalAnd(Value x, Value y) {
  return b.createOrFold<arith::AndIOp>(loc, x, y);
}
Value Scalars::logicalOr(Value x, Value y) {
  return b.createOrFold<arith::OrIOp>(loc, x, y);
}
Value Scalars::logicalNot(Value x) {
  return b.createOrFold<arith::XOrIOp>(loc, x, integer(x.getType(), -1));
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

/// Out of range, a value is first cut to 32 or 64 bits, as C compilers for x86
/// and so numpy and ONNX Runtime do.
Value Scalars::castFloatToInt(Value x, IntegerType to, bool toUnsigned) {
  if (to.getWidth() == 1)
    return compare(Compare::NE, x, constant(x.getType(), 0.0));
  if (toUnsigned && to.getWidth() == 64)
    return b.createOrFold<arith::FPToUIOp>(loc, to, x);
  unsigned width =
      to.getWidth() > 32 || (toUnsigned && to.getWidth() == 32) ? 64 : 32;
  Type wide = b.getIntegerType(width);
  Value result = b.createOrFold<arith::FPToSIOp>(loc, wide, x);
  return wide == to ? result : b.createOrFold<arith::TruncIOp>(loc, to, result);
}

Value Scalars::cast(Value x, Type to, bool fromUnsigned, bool toUnsigned) {
  Type from = x.getType();
  if (from == to)
    return x;
  if (isa<IndexType>(from) || isa<IndexType>(to)) {
    // A size that was an integer for a while stays the same value.
    if (auto inner = x.getDefiningOp<arith::IndexCastOp>())
      if (inner.getIn().getType() == to && from.isInteger(64))
        return inner.getIn();
    // index <-> integers other than i64 goes through i64.
    Type wide = b.getI64Type();
    if (isa<IndexType>(to) && isa<FloatType>(from))
      return toIndex(cast(x, wide, fromUnsigned, false));
    if (isa<IndexType>(to))
      return b.createOrFold<arith::IndexCastOp>(
          loc, to, cast(x, wide, fromUnsigned, false));
    Value asInt = b.createOrFold<arith::IndexCastOp>(loc, wide, x);
    return cast(asInt, to, false, toUnsigned);
  }
  auto fromFloat = dyn_cast<FloatType>(from), toFloat = dyn_cast<FloatType>(to);
  if (fromFloat && toFloat) {
    if (fromFloat.getWidth() < toFloat.getWidth())
      return b.createOrFold<arith::ExtFOp>(loc, to, x);
    if (fromFloat.getWidth() > toFloat.getWidth())
      return b.createOrFold<arith::TruncFOp>(loc, to, x);
    return cast(b.createOrFold<arith::ExtFOp>(loc, b.getF32Type(), x), to);
  }
  bool extendsZero = fromUnsigned || from.isInteger(1);
  if (fromFloat) {
    // Narrow floats convert by way of f32.
    Value wide = cast(x, computeType(from));
    return castFloatToInt(wide, mlir::cast<IntegerType>(to), toUnsigned);
  }
  if (toFloat) {
    if (computeType(to) != to)
      return cast(cast(x, computeType(to), fromUnsigned, false), to);
    if (extendsZero)
      return b.createOrFold<arith::UIToFPOp>(loc, to, x);
    return b.createOrFold<arith::SIToFPOp>(loc, to, x);
  }
  if (to.isInteger(1))
    return compare(Compare::NE, x, integer(from, 0));
  unsigned fromWidth = from.getIntOrFloatBitWidth();
  unsigned toWidth = to.getIntOrFloatBitWidth();
  if (fromWidth > toWidth)
    return b.createOrFold<arith::TruncIOp>(loc, to, x);
  if (extendsZero)
    return b.createOrFold<arith::ExtUIOp>(loc, to, x);
  return b.createOrFold<arith::ExtSIOp>(loc, to, x);
}

Value Scalars::toIndex(Value x) {
  return cast(x, b.getIndexType(), /*fromUnsigned=*/isUnsigned, false);
}
