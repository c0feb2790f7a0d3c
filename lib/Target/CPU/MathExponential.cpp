//===- MathExponential.cpp - Exponentials, logarithms and powers ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Polynomials named minimax were fitted by iteratively reweighted least squares
// on Chebyshev nodes; the error stated is the largest one against 50-digit
// arithmetic.
//
//===----------------------------------------------------------------------===//

#include "MathFunctions.h"

using namespace mlir;
using namespace bitnet;

static constexpr double ln2 = 0.69314718055994530942;
static constexpr double log2e = 1.44269504088896340736;

//===----------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------===//

namespace {
/// x = n * ln 2 + rest, with n next to x / ln 2.
struct Reduced {
  Real count, rest;
};
} // namespace

/// Adding this number rounds to an integer, which is then in the lowest bits.
static double getRounder(Real x) { return x.isDouble() ? 0x1.8p52 : 0x1.8p23; }

/// Cody and Waite: n times the high part of ln 2 is exact.
static Reduced reduceByLn2(Real x) {
  double rounder = getRounder(x);
  Real count = multiplyAdd(x, log2e, rounder) - rounder;
  double high = x.isDouble() ? 0x1.62e42feep-1 : 0x1.62e4p-1;
  double low = x.isDouble() ? 0x1.a39ef35793c76p-33 : ln2 - 0x1.62e4p-1;
  Real rest = multiplyAdd(count, -high, x);
  return {count, multiplyAdd(count, -low, rest)};
}

/// 2^n for an integer n within the exponents of normal floats.
static Real buildPowerOfTwo(Real n) {
  int64_t mantissa = n.isDouble() ? 52 : 23;
  int64_t one = n.isDouble() ? 0x3ff0000000000000 : 0x3f800000;
  Bits number = (n + getRounder(n)).bits();
  return Real::fromBits(n, (number << mantissa) + one);
}

/// value * 2^n in two steps, so that results may be subnormal or overflow.
static Real scale(Real value, Real n) {
  double rounder = getRounder(n);
  Real half = multiplyAdd(n, 0.5, rounder) - rounder;
  return value * buildPowerOfTwo(half) * buildPowerOfTwo(n - half);
}

/// exp(r) - 1 for |r| <= ln(2) / 2: r + r^2 p(r).
static Real buildExpm1Core(Real r) {
  SmallVector<double> p;
  if (r.isDouble()) {
    // Taylor's 1 / k!: 4e-18.
    double factorial = 1.0;
    for (int k = 2; k <= 13; ++k)
      p.push_back(1.0 / (factorial *= k));
  } else {
    // Minimax, 4.8e-11.
    p = {0.500000007911,   0.166666668237,   0.0416662669534,
         0.00833327245894, 0.00139462469105, 0.000199141313298};
  }
  return multiplyAdd(r * r, polynomial(r, p), r);
}

Real bitnet::buildExp(Real x) {
  // Beyond these bounds the result is 0 or infinity.
  Real bounded = x.isDouble() ? x.clamp(-746.0, 710.0) : x.clamp(-104.0, 89.0);
  Reduced reduced = reduceByLn2(bounded);
  return scale(buildExpm1Core(reduced.rest) + 1.0, reduced.count);
}

Real bitnet::buildExp2(Real x) {
  Real bounded =
      x.isDouble() ? x.clamp(-1076.0, 1024.0) : x.clamp(-151.0, 128.0);
  double rounder = getRounder(x);
  Real count = (bounded + rounder) - rounder;
  return scale(buildExpm1Core((bounded - count) * ln2) + 1.0, count);
}

Real bitnet::buildExpm1(Real x) {
  Reduced reduced = reduceByLn2(x.clamp(-50.0, 40.0));
  Real power = buildPowerOfTwo(reduced.count);
  Real small = multiplyAdd(buildExpm1Core(reduced.rest), power, power - 1.0);
  // So that -0 stays -0.
  small = select(x == 0.0, x, small);
  return select(x > 40.0, buildExp(x), small);
}

//===----------------------------------------------------------------------===//
// Hyperbolic functions
//===----------------------------------------------------------------------===//

Real bitnet::buildTanh(Real x) {
  Real magnitude = x.abs();
  if (x.isDouble()) {
    Real e = buildExpm1(magnitude.clamp(0.0, 20.0) * 2.0);
    return (e / (e + 2.0)).withSign(x);
  }
  // 1 - 2 / (exp(2x) + 1), but x + x^3 p(x^2) near zero, where that cancels.
  Real square = x * x;
  // Minimax on [0, 0.625], 1.5e-10.
  Real p = polynomial(square,
                      {-0.333333309006, 0.133332095296, -0.0539471744420,
                       0.0217028012394, -0.00818225628872, 0.00214714722725});
  Real small = multiplyAdd(square * x, p, x);
  Real e = buildExp(magnitude.clamp(0.0, 10.0) * 2.0);
  Real large = 1.0 - 2.0 / (e + 1.0);
  return select(magnitude < 0.625, small, large).withSign(x);
}

Real bitnet::buildSinh(Real x) {
  Real magnitude = x.abs();
  Real e = buildExpm1(magnitude.clamp(0.0, 30.0));
  Real small = (e + e / (e + 1.0)) * 0.5;
  Real half = buildExp(magnitude * 0.5);
  return select(magnitude > 22.0, half * 0.5 * half, small).withSign(x);
}

Real bitnet::buildCosh(Real x) {
  Real magnitude = x.abs();
  Real e = buildExp(magnitude.clamp(0.0, 30.0));
  Real half = buildExp(magnitude * 0.5);
  return select(magnitude > 22.0, half * 0.5 * half, (e + 1.0 / e) * 0.5);
}

Real bitnet::buildAsinh(Real x) {
  Real magnitude = x.abs();
  Real square = magnitude * magnitude;
  Real small = buildLog1p(magnitude + square / ((square + 1.0).sqrt() + 1.0));
  Real large = buildLog(magnitude) + ln2;
  return select(magnitude > 1e9, large, small).withSign(x);
}

Real bitnet::buildAcosh(Real x) {
  Real t = x - 1.0;
  Real small = buildLog1p(t + (multiplyAdd(t, t, t * 2.0)).sqrt());
  Real value = select(x > 1e9, buildLog(x) + ln2, small);
  return select(x < 1.0, x.nan(), value);
}

Real bitnet::buildAtanh(Real x) {
  Real magnitude = x.abs();
  Real value = buildLog1p(magnitude * 2.0 / (1.0 - magnitude)) * 0.5;
  return value.withSign(x);
}

//===----------------------------------------------------------------------===//
// Logarithms
//===----------------------------------------------------------------------===//

namespace {
/// log(x) = exponent * ln 2 + logarithm, for positive and finite x.
struct SplitLog {
  Real exponent, logarithm;
};
} // namespace

static SplitLog splitLog(Real x) {
  // Subnormal numbers are scaled to normal ones.
  Truth tiny = x < 0x1p-1022;
  Real normal = select(tiny, x * 0x1p54, x);
  // x = 2^e m with m in [sqrt(1/2), sqrt(2)): shift the interval's lower end to
  // a power of two, so that the exponent field counts e.
  const int64_t lowest = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000;
  Bits shifted = normal.bits() + (one - lowest);
  Bits mantissa = (shifted & 0x000fffffffffffff) + lowest;
  // An integer in the low bits of 2^52 is that float plus the integer.
  Real field = Real::fromBits(x, (shifted >> 52) | 0x4330000000000000);
  Real exponent = field - (0x1p52 + 1023.0);
  exponent = select(tiny, exponent - 54.0, exponent);
  // log(m) = 2 artanh(s), s = (m - 1) / (m + 1): Taylor's series, 2e-17.
  Real f = Real::fromBits(x, mantissa) - 1.0;
  Real s = f / (f + 2.0);
  SmallVector<double> p;
  for (int k = 1; k <= 10; ++k)
    p.push_back(2.0 / (2 * k + 1));
  Real square = s * s;
  return {exponent, multiplyAdd(s * square, polynomial(square, p), s * 2.0)};
}

/// Zero, infinity, negative numbers and NaN.
static Real fixLog(Real x, Real logarithm) {
  Real result = select(x == 0.0, -x.infinity(), logarithm);
  result = select(x == x.infinity(), x, result);
  return select((x < 0.0) | x.isNaN(), x.nan(), result);
}

Real bitnet::buildLog(Real x) {
  SplitLog log = splitLog(x);
  return fixLog(x, multiplyAdd(log.exponent, ln2, log.logarithm));
}

Real bitnet::buildLog2(Real x) {
  SplitLog log = splitLog(x);
  return fixLog(x, multiplyAdd(log.logarithm, log2e, log.exponent));
}

Real bitnet::buildLog10(Real x) {
  SplitLog log = splitLog(x);
  Real high = log.exponent * 0.30102999566398119521;
  return fixLog(x, multiplyAdd(log.logarithm, 0.43429448190325182765, high));
}

Real bitnet::buildLog1p(Real x) {
  // Kahan: the rounding error of 1 + x is the same in log(u) and u - 1.
  Real u = x + 1.0;
  Real difference = u - 1.0;
  Real corrected = buildLog(u) * (x / difference);
  Real result = select(difference == 0.0, x, corrected);
  return select((x == x.infinity()) | (u == 0.0), buildLog(u), result);
}

//===----------------------------------------------------------------------===//
// Powers
//===----------------------------------------------------------------------===//

Real bitnet::buildPow(Real base, Real exponent) {
  Real magnitude = base.abs();
  Real result = buildExp2(exponent * buildLog2(magnitude));
  // 0 * infinity and the like.
  result = select(magnitude == 1.0, 1.0, result);
  result = select(exponent == 2.0, base * base, result);
  // Negative bases: integers only, odd ones give a negative result.
  Real half = exponent * 0.5;
  Truth whole = exponent.trunc() == exponent;
  Truth odd = whole & !(half.trunc() == half);
  Truth negative = (base.bits() >> 63) != 0;
  Real sign = select(negative & odd, -1.0, base.constant(1.0));
  result = result * sign;
  result = select((base < 0.0) & !whole & !(base == -base.infinity()),
                  base.nan(), result);
  result = select(base.isNaN() | exponent.isNaN(), base.nan(), result);
  return select((base == 1.0) | (exponent == 0.0), 1.0, result);
}

Real bitnet::buildCbrt(Real x) {
  Real magnitude = x.abs();
  Real guess = buildExp2(buildLog2(magnitude) * (1.0 / 3.0));
  // One step of Newton.
  Real square = guess * guess;
  Real root = guess - (guess - magnitude / square) * (1.0 / 3.0);
  root =
      select((magnitude == 0.0) | (magnitude == x.infinity()), magnitude, root);
  return root.withSign(x);
}

Real bitnet::buildRemainder(Real x, Real y) {
  Real rest = x.abs();
  Real divisor = y.abs();
  // f32 numbers: quotients reach 2^277. Each step takes off a multiple of the
  // divisor whose factor has 29 bits, so that product and difference are exact.
  for (int step = 0; step < 11; ++step) {
    Bits quotient = (rest / divisor).trunc().bits();
    Real factor = Real::fromBits(x, quotient & ~int64_t(0xffffff));
    rest = rest - factor * divisor;
  }
  // A quotient may have been rounded up.
  rest = select(rest < 0.0, rest + divisor, rest);
  rest = select((divisor == x.infinity()) & (x.abs() < x.infinity()), x.abs(),
                rest);
  rest = select((divisor == 0.0) | (x.abs() == x.infinity()), x.nan(), rest);
  return rest.withSign(x);
}
