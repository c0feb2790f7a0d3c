//===- Contractions.h - Products of floats in linalg ------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_BITNET_TRANSFORMS_CONTRACTIONS_H
#define BITNET_DIALECT_BITNET_TRANSFORMS_CONTRACTIONS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace bitnet {

/// Whether the body of an op of two inputs is `out + a * b`, operands extended
/// to wider floats at most.
bool isMultiplyAdd(mlir::linalg::LinalgOp op);

} // namespace bitnet

#endif // BITNET_DIALECT_BITNET_TRANSFORMS_CONTRACTIONS_H
