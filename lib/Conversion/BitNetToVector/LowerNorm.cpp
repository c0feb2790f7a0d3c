//===- LowerNorm.cpp - Loops of bitnet.norm -------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NormArithmetic.h"

using namespace mlir;
using namespace bitnet;

LogicalResult bitnet::lowerNorm(KernelBuilder &b, NormOp op) {
  NormArithmetic norm(b, op);
  b.parallel(b.dim(op.getInput(), 0), [&](Value m) {
    norm.start(m);
    b.loop(b.index(0), b.dim(op.getInput(), 1), 1,
           [&](Value k) { b.store(norm.at(k), op.getOutput(), {m, k}); });
  });
  return success();
}
