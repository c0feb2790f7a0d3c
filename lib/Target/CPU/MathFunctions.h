//===- MathFunctions.h - Formulas of the functions of math ------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_TARGET_CPU_MATHFUNCTIONS_H
#define BITNET_LIB_TARGET_CPU_MATHFUNCTIONS_H

#include "Real.h"

namespace bitnet {

// Of f32 or f64, each in its own arithmetic.
Real buildExp(Real x);
Real buildExp2(Real x);
Real buildTanh(Real x);
Real buildErf(Real x);

// Of f64 only: f32 is computed in f64 and rounded.
Real buildExpm1(Real x);
Real buildErfc(Real x);
Real buildLog(Real x);
Real buildLog2(Real x);
Real buildLog10(Real x);
Real buildLog1p(Real x);
Real buildPow(Real base, Real exponent);
Real buildSin(Real x);
Real buildCos(Real x);
Real buildTan(Real x);
Real buildAtan(Real x);
Real buildAtan2(Real y, Real x);
Real buildAsin(Real x);
Real buildAcos(Real x);
Real buildSinh(Real x);
Real buildCosh(Real x);
Real buildAsinh(Real x);
Real buildAcosh(Real x);
Real buildAtanh(Real x);
Real buildCbrt(Real x);
/// The remainder of f32 numbers given as f64, with the sign of x.
Real buildRemainder(Real x, Real y);

} // namespace bitnet

#endif // BITNET_LIB_TARGET_CPU_MATHFUNCTIONS_H
