//===- Casts.cpp - Conversions and copies of elements ---------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet::onnx;

static LogicalResult lowerConversion(Emitter &e, Operation *op) {
  Type from = Emitter::element(op->getOperand(0));
  Type to = Emitter::element(op->getResult(0));
  auto isNumber = [](Type type) { return isa<IntegerType, FloatType>(type); };
  if (!isNumber(from) || !isNumber(to))
    return e.unsupported(op, "it converts other things than numbers");
  auto isTiny = [](Type type) {
    return isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 16;
  };
  if (isTiny(from) || isTiny(to))
    return e.unsupported(op, "floats of 8 bits and fewer are supported in "
                             "constants only, not computed");
  if (from == to) {
    e.set(op->getResult(0), e.get(op->getOperand(0)));
    return success();
  }
  auto body = [&](Scalars &s, ArrayRef<Value> x) {
    return s.cast(x[0], toSignless(to), from.isUnsignedInteger(),
                  to.isUnsignedInteger());
  };
  return lowerElementwise(e, op, op->getOperands().take_front(), body, false);
}

static LogicalResult lowerIdentity(Emitter &e, IdentityOp op) {
  e.set(op.getOutput(), e.get(op.getInput()));
  return success();
}

static LogicalResult lowerDropout(Emitter &e, DropoutOp op) {
  if (op.getTrainingMode() && !isAbsent(op.getTrainingMode())) {
    std::optional<Values> training = e.scalars(op.getTrainingMode());
    if (!training || training->size() != 1 ||
        getConstantIntValue((*training)[0]) != 0)
      return e.unsupported(op, "training_mode is not the constant false");
  }
  Value data = e.get(op.getData());
  e.set(op.getOutput(), data);
  if (!isAbsent(op.getMask())) {
    Value yes = Scalars(e.b, e.loc).integer(e.b.getI1Type(), 1);
    e.set(op.getMask(), e.filled(e.sizes(data), yes));
  }
  return success();
}

void bitnet::onnx::addCastLowerings(LoweringTable &table) {
  table.add(CastOp::getOperationName(), lowerConversion);
  table.add(CastLikeOp::getOperationName(), lowerConversion);
  table.add(lowerIdentity);
  table.add(lowerDropout);
}
