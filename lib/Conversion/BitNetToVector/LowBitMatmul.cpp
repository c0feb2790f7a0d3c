//===- LowBitMatmul.cpp - Which lowering a low-bit matmul gets ------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

LowBitMatmul::LowBitMatmul(LinearOp op)
    : op(op), lhs(op.getLhs()), weight(op.getWeight()),
      prepared(op.getPrepared()), scale(op.getScale()), step(op.getStep()),
      sum(op.getSum()), bias(op.getBias()), output(op.getOutput()),
      activation(op.getActivation()), packing(op.getPacking()),
      lowering(op.getLowering()), magnitude(op.getMagnitude()), n(op.getN()),
      k(op.getK()) {}

LowBitMatmul::LowBitMatmul(MatmulOp op)
    : op(op), lhs(op.getLhs()), weight(op.getWeight()),
      prepared(op.getPrepared()), output(op.getOutput()),
      packing(op.getPacking()), lowering(op.getLowering()),
      magnitude(op.getMagnitude()), n(op.getN()), k(op.getK()) {}

/// Whether the lowering that a matmul asks for can compute it on the target.
static bool serves(const LowBitMatmul &matmul, const VectorTarget &target) {
  switch (matmul.lowering) {
  case Lowering::Auto:
    return false;
  case Lowering::Dot:
    return target.hasDot();
  case Lowering::LUT:
    // Lookups take four vectors of outputs at a time.
    return target.getLookupKind() != LookupKind::None &&
           matmul.packing->getRows() % (4 * target.getLanes(32)) == 0;
  case Lowering::AddSub:
    return true;
  case Lowering::Popcount:
    return matmul.magnitude == 1;
  }
  llvm_unreachable("unknown lowering");
}

Lowering bitnet::settleLowering(const LowBitMatmul &matmul,
                                const VectorTarget &target) {
  if (matmul.getLhsElement().isInteger(8) && serves(matmul, target))
    return matmul.lowering;
  return target.hasDot() ? Lowering::Dot : Lowering::AddSub;
}
