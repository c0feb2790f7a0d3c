//===- MatmulEpilogue.h - From integer sums to outputs ----------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOGPU_MATMULEPILOGUE_H
#define BITNET_LIB_CONVERSION_BITNETTOGPU_MATMULEPILOGUE_H

#include "Lowerings.h"

namespace bitnet {

/// What follows the sums of a low-bit matmul: offset of the codes, scales,
/// bias, activation function. The same for every way to sum.
class MatmulEpilogue {
public:
  MatmulEpilogue(LaunchBuilder &b, const LowBitMatmul &op);

  /// Bits of a code: 2 for ternary, 1 for binary weights.
  int64_t getCodeBits() const { return codeBits; }

  /// Whether the sums of activations that offset codes need are not known
  /// beforehand, so that the kernel adds them up.
  bool needsOwnSums() const;
  /// Sums of code times activation to sums of weight times activation, by those
  /// of the activations where they are bytes.
  Value removeOffset(Value codeSum, Value activationSum);
  Value toFloat(Value sum);
  /// Writes an output, of which `total` is the sum of codes (one scale a row),
  /// or the one scaled along K already. `own` is the kernel's sum of
  /// activations, if it needs one.
  void store(Value total, Value own, Value token, Value output);

private:
  Value loadOutput(Value memref, Value output);
  Value activate(Value value);

  LaunchBuilder &b;
  const LowBitMatmul &op;
  mlir::Type element; // of the activations
  int64_t codeBits;
  bool isGrouped; // scales change along K
};

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOGPU_MATMULEPILOGUE_H
