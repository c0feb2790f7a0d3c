//===- VectorEpilogue.h - From sums to the outputs of a matmul --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOVECTOR_VECTOREPILOGUE_H
#define BITNET_LIB_CONVERSION_BITNETTOVECTOR_VECTOREPILOGUE_H

#include "Lowerings.h"

namespace bitnet {

/// Steps, scales, the bias and the activation function of a low-bit matmul.
class VectorEpilogue {
public:
  VectorEpilogue(KernelBuilder &b, const LowBitMatmul &op, int64_t lanes)
      : b(b), op(op), lanes(lanes) {}

  /// Stores sums of weight times activation, by [token][vector], of tokens from
  /// `token` on and of `vectors` vectors of `laneRows` rows from `row` on.
  void store(llvm::ArrayRef<Value> totals, Value row, Value token,
             int64_t vectors, Value laneRows);
  /// What that reads and writes by token and row.
  llvm::SmallVector<Value> getTouched() const;
  /// Asks for `tokens` tokens of one of these.
  void prefetch(Value memref, Value row, Value token, int64_t tokens,
                int64_t vectors);
  /// A vector of per-output floats (`[N]`, or a row of `[G, N]`), or the one
  /// value that all outputs share.
  Value loadOutputs(Value memref, Value group, Value first, Value mask = {});
  Value toFloat(Value vector);

private:
  void storeColumn(llvm::ArrayRef<Value> column, Value first, Value token,
                   Value mask);
  Value load(Value memref, mlir::ValueRange indices, Value mask);
  Value clampedLeft(Value first);
  Value activate(Value value);

  KernelBuilder &b;
  const LowBitMatmul &op;
  int64_t lanes;
};

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOVECTOR_VECTOREPILOGUE_H
