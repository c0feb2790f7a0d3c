//===- QuantizerArithmetic.h - A quantiser's operations ---------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOVECTOR_QUANTIZERARITHMETIC_H
#define BITNET_LIB_CONVERSION_BITNETTOVECTOR_QUANTIZERARITHMETIC_H

#include "Lowerings.h"

namespace bitnet {

/// The float operations of a bitnet.quantize, as its `scaling` says: the same
/// on every target, so that integers are equal.
class QuantizerArithmetic {
public:
  QuantizerArithmetic(KernelBuilder &b, QuantizeOp op) : b(b), op(op) {}

  /// The bits of |x|, i32. Magnitudes are compared as integers, in which floats
  /// without a sign have the same order: it vectorises everywhere, and NaN, the
  /// largest, is kept.
  Value magnitude(Value x);
  /// The largest magnitude, f32 and at least epsilon, from its bits.
  Value clamp(Value bits);
  /// What a unit of the integers stands for.
  Value step(Value absmax);
  /// What of the scaling does not depend on the element.
  Value rowFactor(Value absmax);
  /// The integer of an element, i32, within qmin and qmax.
  Value quantize(Value x, Value rowFactor);

private:
  Value bound();
  Value scaled(Value x, Value factor);

  KernelBuilder &b;
  QuantizeOp op;
};

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOVECTOR_QUANTIZERARITHMETIC_H
