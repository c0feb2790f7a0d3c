//===- MathTrigonometric.cpp - Angles and the error function --------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MathFunctions.h"

using namespace mlir;
using namespace bitnet;

static constexpr double pi = 3.14159265358979323846;

//===----------------------------------------------------------------------===//
// Sine, cosine, tangent
//===----------------------------------------------------------------------===//

namespace {
struct Angle {
  /// Sine and cosine of what is left after whole quarter turns.
  Real sine, cosine;
  /// The number of quarter turns, modulo 2^52.
  Bits quarters;
};
} // namespace

static Angle reduceAngle(Real x) {
  const double rounder = 0x1.8p52;
  Real turns = x * (2.0 / pi);
  // Quarter turns up to 2^50 fit the low bits of the rounder; floats far beyond
  // are not resolved by an angle anyway, and give some value in [-1, 1].
  Real bounded = turns.clamp(-0x1p50, 0x1p50);
  Real rounded = bounded + rounder;
  Real count = rounded - rounder;
  // Cody and Waite, pi / 2 in three parts of 30 bits: exact to 2^23 quarters.
  Real rest = multiplyAdd(count, -0x1.921fb544p+0, x);
  rest = multiplyAdd(count, -0x1.0b4611a4p-34, rest);
  rest = multiplyAdd(count, -0x1.13198a2e03707p-65, rest);
  Real coarse = ((bounded - count) * (pi / 2)).clamp(-pi / 4, pi / 4);
  rest = select(x.abs() < 1e9, rest, coarse);
  rest = select(x.abs() < x.infinity(), rest, x.nan());
  // Taylor's series, 5e-17 and 2e-18 at pi / 4.
  SmallVector<double> sine, cosine;
  double factorial = 2.0;
  for (int k = 3; k <= 16; ++k) {
    factorial *= k;
    double term = ((k / 2) % 2 ? -1.0 : 1.0) / factorial;
    (k % 2 ? sine : cosine).push_back(term);
  }
  Real square = rest * rest;
  Real sin = multiplyAdd(rest * square, polynomial(square, sine), rest);
  Real cos = multiplyAdd(square * square, polynomial(square, cosine),
                         multiplyAdd(square, -0.5, 1.0));
  return {sin, cos, rounded.bits()};
}

/// The sine of the angle plus some quarter turns.
static Real pickSine(Angle angle, Bits quarters) {
  Real value = select((quarters & 1) != 0, angle.cosine, angle.sine);
  return select((quarters & 2) != 0, -value, value);
}

Real bitnet::buildSin(Real x) {
  Angle angle = reduceAngle(x);
  return select(x == 0.0, x, pickSine(angle, angle.quarters));
}

Real bitnet::buildCos(Real x) {
  Angle angle = reduceAngle(x);
  return pickSine(angle, angle.quarters + 1);
}

Real bitnet::buildTan(Real x) {
  Angle angle = reduceAngle(x);
  Truth odd = (angle.quarters & 1) != 0;
  Real numerator = select(odd, -angle.cosine, angle.sine);
  Real denominator = select(odd, angle.sine, angle.cosine);
  return select(x == 0.0, x, numerator / denominator);
}

//===----------------------------------------------------------------------===//
// Inverses
//===----------------------------------------------------------------------===//

/// atan of [0, 1].
static Real buildAtanUnit(Real x) {
  // Above tan(pi / 8): pi / 4 + atan((x - 1) / (x + 1)).
  Truth large = x > 0.41421356237309503;
  Real z = select(large, (x - 1.0) / (x + 1.0), x);
  Real square = z * z;
  // Minimax on [0, tan(pi / 8)], 1.3e-18.
  Real p =
      polynomial(square, {-0.33333333333333198694, 0.19999999999953963143,
                          -0.14285714280236468407, 0.11111110785529580035,
                          -0.090908978187442824653, 0.076920613181613192501,
                          -0.066631167121363839955, 0.058479818672483839254,
                          -0.050397221661904415953, 0.038075150796705718082,
                          -0.017918768914025474397});
  Real value = multiplyAdd(z * square, p, z);
  return select(large, value + pi / 4, value);
}

Real bitnet::buildAtan(Real x) {
  Real magnitude = x.abs();
  Truth steep = magnitude > 1.0;
  Real value = buildAtanUnit(select(steep, 1.0 / magnitude, magnitude));
  return select(steep, pi / 2 - value, value).withSign(x);
}

Real bitnet::buildAtan2(Real y, Real x) {
  Real rise = y.abs(), run = x.abs();
  Truth steep = rise > run;
  Real low = select(steep, run, rise), high = select(steep, rise, run);
  Real ratio = low / high;
  ratio = select(high == 0.0, 0.0, ratio);
  ratio = select(low == x.infinity(), 1.0, ratio);
  Real value = buildAtanUnit(ratio);
  value = select(steep, pi / 2 - value, value);
  value = select((x.bits() >> 63) != 0, pi - value, value);
  value = value.withSign(y);
  return select(x.isNaN() | y.isNaN(), x.nan(), value);
}

Real bitnet::buildAsin(Real x) {
  return buildAtan2(x, ((1.0 - x) * (x + 1.0)).sqrt());
}

Real bitnet::buildAcos(Real x) {
  return buildAtan2((1.0 - x).sqrt(), (x + 1.0).sqrt()) * 2.0;
}

//===----------------------------------------------------------------------===//
// The error function
//===----------------------------------------------------------------------===//

/// x p(x^2) for |x| <= 1.
static Real buildErfSmall(Real x) {
  SmallVector<double> p;
  if (x.isDouble())
    // Minimax, 1.2e-19.
    p = {1.1283791670955125738,     -0.37612638903183748173,
         0.11283791670954884242,    -0.026866170645077833121,
         0.0052239776248280336790,  -0.00085483269814033680243,
         0.00012055331132169227839, -0.000014925595753784163160,
         1.6461008190394404278e-6,  -1.6350393253674350858e-7,
         1.4660309250271450281e-8,  -1.1374882308875291443e-9,
         5.9605641051290397797e-11};
  else
    // Minimax, 1.2e-9.
    p = {1.12837916591,     -0.376126271332,  0.112836001433,
         -0.0268544431805,  0.00518953260660, -0.000802081691319,
         0.0000788903810425};
  // x + x (p - 1): the larger part is exact.
  p[0] -= 1.0;
  return multiplyAdd(x, polynomial(x * x, p), x);
}

/// erfc of [1, 28], f64: exp(-x^2) / (1 + 2x) q(t), t = (x - 3.75) / (x
/// + 3.75).
static Real buildErfcLarge(Real x) {
  // Minimax, 1.3e-16.
  Real q = polynomial((x - 3.75) / (x + 3.75),
                      {1.2375126308378275095, -0.14024059858555015250,
                       0.0035854154854928622164, 0.082276738490562896551,
                       -0.10880393014371615126, 0.092304321144591763310,
                       -0.058693398535436528512, 0.028362277684396690276,
                       -0.0097465803284886886964, 0.0017556235108943388615,
                       0.00029371997863771587001, -0.00029014256075731532472,
                       0.000051617946666904784100, 0.000022353183175683594332,
                       -0.000011351735463425902741, -9.3420838990446948192e-7,
                       1.5951208950347788603e-6, -6.3637251143521553232e-8,
                       -1.2690230041554020259e-7});
  return buildExp(-(x * x)) * q / multiplyAdd(x, 2.0, 1.0);
}

Real bitnet::buildErf(Real x) {
  Real magnitude = x.abs();
  Real large = x;
  if (x.isDouble()) {
    large = 1.0 - buildErfcLarge(magnitude.clamp(1.0, 28.0));
  } else {
    // -log(erfc(x)) is smooth: minimax on [1, 4.1], 2.1e-11 of erf.
    Real p = polynomial(magnitude.clamp(1.0, 4.1),
                        {-0.000188626675965, 1.12958107199, 0.633214867996,
                         0.108423771353, -0.0252114129649, 0.00420568898715,
                         -0.000441555327211, 0.0000217046944002});
    large = 1.0 - buildExp(-p);
  }
  return select(magnitude > 1.0, large.withSign(x), buildErfSmall(x));
}

Real bitnet::buildErfc(Real x) {
  Real magnitude = x.abs();
  Real tail = buildErfcLarge(magnitude.clamp(1.0, 28.0));
  Real large = select(x < 0.0, 2.0 - tail, tail);
  return select(magnitude > 1.0, large, 1.0 - buildErfSmall(x));
}
