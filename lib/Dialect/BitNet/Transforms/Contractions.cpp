//===- Contractions.cpp - Products of floats in linalg --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Contractions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

/// The value that `value` is a float extension of, or the value itself.
static Value stripExtension(Value value) {
  if (auto extension = value.getDefiningOp<arith::ExtFOp>())
    return extension.getIn();
  return value;
}

bool bitnet::isMultiplyAdd(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1)
    return false;
  Block *body = op.getBlock();
  auto yield = cast<linalg::YieldOp>(body->getTerminator());
  auto sum = yield.getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum)
    return false;
  Value product =
      sum.getLhs() == body->getArgument(2) ? sum.getRhs() : sum.getLhs();
  Value addend = product == sum.getRhs() ? sum.getLhs() : sum.getRhs();
  auto multiply = product.getDefiningOp<arith::MulFOp>();
  if (!multiply || addend != body->getArgument(2))
    return false;
  Value lhs = stripExtension(multiply.getLhs()),
        rhs = stripExtension(multiply.getRhs());
  if (lhs == body->getArgument(1))
    std::swap(lhs, rhs);
  return lhs == body->getArgument(0) && rhs == body->getArgument(1);
}
