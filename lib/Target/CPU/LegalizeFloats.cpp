//===- LegalizeFloats.cpp - Small floats without library calls ------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Real.h"
#include "bitnet/Dialect/BitNet/IR/BitNetDialect.h"
#include "bitnet/Target/CPU/CPUTarget.h"
#include "bitnet/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"

namespace bitnet {
#define GEN_PASS_DEF_LEGALIZEFLOATS
#include "bitnet/Target/CPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Conversions as integer operations
//===----------------------------------------------------------------------===//

static Value convertInteger(ImplicitLocOpBuilder &b, Value value,
                            unsigned width) {
  Type type = withElementType(value.getType(), b.getIntegerType(width));
  if (type == value.getType())
    return value;
  if (getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth() < width)
    return b.create<arith::ExtUIOp>(type, value);
  return b.create<arith::TruncIOp>(type, value);
}

static Bits getBits(RealContext &context, Value value, unsigned width) {
  return Bits(context,
              convertInteger(context.builder,
                             Real(context, value).bits().getValue(), width));
}

static Value makeFloat(ImplicitLocOpBuilder &b, Bits bits, Type element) {
  Value value = bits.getValue();
  unsigned width = element.getIntOrFloatBitWidth();
  if (getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth() != width)
    value = convertInteger(b, value, width);
  return b.create<arith::BitcastOp>(withElementType(value.getType(), element),
                                    value);
}

static Bits pick(RealContext &context, Truth truth, Bits x, Bits y) {
  return Bits(context, context.builder.create<arith::SelectOp>(
                           truth.value, x.getValue(), y.getValue()));
}

static Value extendBF16(RealContext &context, Value value) {
  Bits bits = getBits(context, value, 32) << 16;
  return makeFloat(context.builder, bits, context.builder.getF32Type());
}

static Value truncateToBF16(RealContext &context, Value value) {
  Bits bits = getBits(context, value, 32);
  // Half a unit of the last place, less one where that place is even.
  Bits rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  Bits quiet = (bits >> 16) | 0x40;
  Truth nan = (bits & 0x7fffffff).unsignedGreater(0x7f800000);
  return makeFloat(context.builder, pick(context, nan, quiet, rounded),
                   context.builder.getBF16Type());
}

static Value extendF16(RealContext &context, Value value) {
  ImplicitLocOpBuilder &b = context.builder;
  Bits bits = getBits(context, value, 32);
  Bits sign = (bits & 0x8000) << 16;
  Bits magnitude = (bits & 0x7fff) << 13;
  // Multiplying by 2^112 moves the exponent's bias and makes subnormals normal.
  Real scaled =
      Real(context, makeFloat(b, magnitude, b.getF32Type())) * 0x1p112;
  // Infinities and NaNs have every bit of the exponent set.
  Truth special = (magnitude & 0x0f800000).unsignedGreater(0x0f7fffff);
  Bits result = pick(context, special, magnitude | 0x7f800000, scaled.bits());
  return makeFloat(b, result | sign, b.getF32Type());
}

static Value truncateToF16(RealContext &context, Value value) {
  ImplicitLocOpBuilder &b = context.builder;
  Bits bits = getBits(context, value, 32);
  Bits sign = (bits >> 16) & 0x8000;
  Bits magnitude = bits & 0x7fffffff;
  // Normal results: move the bias, round the 13 lowest bits to even. A carry
  // runs into the exponent, up to infinity.
  Bits normal =
      (magnitude - 0x38000000 + 0x0fff + ((magnitude >> 13) & 1)) >> 13;
  // Subnormal ones: adding 0.5 makes the last place that of 2^-24.
  Real shifted = Real(context, makeFloat(b, magnitude, b.getF32Type())) + 0.5;
  Bits subnormal = shifted.bits() - 0x3f000000;
  Bits result =
      pick(context, magnitude.unsignedGreater(0x387fffff), normal, subnormal);
  Truth large = magnitude.unsignedGreater(0x477fefff);
  result = pick(context, large, magnitude.constant(0x7c00), result);
  Truth nan = magnitude.unsignedGreater(0x7f800000);
  result = pick(context, nan, magnitude.constant(0x7e00), result);
  return makeFloat(b, result | sign, b.getF16Type());
}

/// f64 to f32 rounded to odd, so that rounding again gives the right result.
static Value truncateToOdd(RealContext &context, Value value) {
  Real wide(context, value);
  Type type = withElementType(value.getType(), context.builder.getF32Type());
  Real narrow = wide.truncateTo(type);
  Real back = narrow.extend();
  Bits bits = narrow.bits();
  // Towards zero, then the last bit stands for what was cut off.
  Bits lower = pick(context, back.abs() > wide.abs(), bits - 1, bits) | 1;
  Truth inexact = (back < wide) | (back > wide);
  return Real::fromBits(narrow, pick(context, inexact, lower, bits)).getValue();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

static bool isHalf(Type type) { return getElementTypeOrSelf(type).isF16(); }
static bool isBF16(Type type) { return getElementTypeOrSelf(type).isBF16(); }

static void legalizeExtension(RealContext &context, arith::ExtFOp op,
                              bool hasHalf) {
  Value value = op.getIn();
  if (isBF16(value.getType()))
    value = extendBF16(context, value);
  else if (isHalf(value.getType()) && !hasHalf)
    value = extendF16(context, value);
  else
    return;
  if (value.getType() != op.getType())
    value = context.builder.create<arith::ExtFOp>(op.getType(), value);
  op.getResult().replaceAllUsesWith(value);
  op.erase();
}

static void legalizeTruncation(RealContext &context, arith::TruncFOp op,
                               bool hasHalf) {
  if (!isBF16(op.getType()) && !isHalf(op.getType()))
    return;
  Value value = op.getIn();
  if (getElementTypeOrSelf(value.getType()).isF64())
    value = truncateToOdd(context, value);
  if (isBF16(op.getType()))
    value = truncateToBF16(context, value);
  else if (!hasHalf)
    value = truncateToF16(context, value);
  else if (value != op.getIn())
    value = context.builder.create<arith::TruncFOp>(op.getType(), value);
  else
    return;
  op.getResult().replaceAllUsesWith(value);
  op.erase();
}

/// Conversions between integers and small floats go through f32 or, for wide
/// integers, through f64.
static void legalizeIntegerConversion(Operation *op) {
  OpBuilder builder(op);
  Value operand = op->getOperand(0);
  Type type = op->getResult(0).getType();
  bool toFloat = isa<FloatType>(getElementTypeOrSelf(type));
  Type small = toFloat ? type : operand.getType();
  if (!isHalf(small) && !isBF16(small))
    return;
  Type integer = getElementTypeOrSelf(toFloat ? operand.getType() : type);
  Type element = integer.getIntOrFloatBitWidth() > 24 && toFloat
                     ? Type(builder.getF64Type())
                     : Type(builder.getF32Type());
  if (toFloat) {
    op->getResult(0).setType(withElementType(type, element));
    builder.setInsertionPointAfter(op);
    auto narrow =
        arith::TruncFOp::create(builder, op->getLoc(), type, op->getResult(0));
    op->getResult(0).replaceAllUsesExcept(narrow, narrow);
  } else {
    op->setOperand(
        0, arith::ExtFOp::create(builder, op->getLoc(),
                                 withElementType(operand.getType(), element),
                                 operand));
  }
}

namespace {
struct LegalizeFloats : bitnet::impl::LegalizeFloatsBase<LegalizeFloats> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    module->walk([](Operation *op) {
      if (isa<arith::SIToFPOp, arith::UIToFPOp, arith::FPToSIOp,
              arith::FPToUIOp>(op))
        legalizeIntegerConversion(op);
    });

    OpPassManager emulate(ModuleOp::getOperationName());
    arith::ArithEmulateUnsupportedFloatsOptions options;
    options.sourceTypeStrs = {"bf16", "f16"};
    options.targetTypeStr = "f32";
    emulate.addPass(arith::createArithEmulateUnsupportedFloats(options));
    if (failed(runPipeline(emulate, module)))
      return signalPassFailure();

    CPUTarget target = CPUTarget::get(module);
    bool hasHalf = target.has("f16c") ||
                   llvm::Triple(target.getAttribute().getTriple()).isAArch64();
    SmallVector<Operation *> conversions;
    module->walk([&](Operation *op) {
      if (isa<arith::ExtFOp, arith::TruncFOp>(op))
        conversions.push_back(op);
    });
    for (Operation *op : conversions) {
      ImplicitLocOpBuilder builder(op->getLoc(), op);
      RealContext context{builder, false, false};
      if (auto extension = dyn_cast<arith::ExtFOp>(op))
        legalizeExtension(context, extension, hasHalf);
      else
        legalizeTruncation(context, cast<arith::TruncFOp>(op), hasHalf);
    }
  }
};
} // namespace
