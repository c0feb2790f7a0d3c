//===- ExpandMath.cpp - Replacing math functions by arithmetic ------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MathFunctions.h"
#include "bitnet/Dialect/BitNet/IR/BitNetDialect.h"
#include "bitnet/Target/CPU/CPUTarget.h"
#include "bitnet/Target/CPU/Passes.h"
#include "bitnet/Target/GPU/DeviceTarget.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bitnet {
#define GEN_PASS_DEF_EXPANDMATH
#include "bitnet/Target/CPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Functions by name
//===----------------------------------------------------------------------===//

namespace {
enum class Width {
  Own,    // f32 and f64 each in their own arithmetic
  Double, // f32 in f64, rounded at the end
};

struct UnaryFunction {
  llvm::StringLiteral name;
  Real (*build)(Real);
  Width width;
};
} // namespace

static Real buildRsqrt(Real x) { return 1.0 / x.sqrt(); }
static Real buildFloor(Real x) { return x.floor(); }
static Real buildCeil(Real x) { return x.ceil(); }
static Real buildTrunc(Real x) { return x.trunc(); }
static Real buildRound(Real x) { return x.round(); }
static Real buildRoundEven(Real x) { return x.roundEven(); }

static constexpr UnaryFunction unaryFunctions[] = {
    {"math.acos", buildAcos, Width::Double},
    {"math.acosh", buildAcosh, Width::Double},
    {"math.asin", buildAsin, Width::Double},
    {"math.asinh", buildAsinh, Width::Double},
    {"math.atan", buildAtan, Width::Double},
    {"math.atanh", buildAtanh, Width::Double},
    {"math.cbrt", buildCbrt, Width::Double},
    {"math.ceil", buildCeil, Width::Own},
    {"math.cos", buildCos, Width::Double},
    {"math.cosh", buildCosh, Width::Double},
    {"math.erf", buildErf, Width::Own},
    {"math.erfc", buildErfc, Width::Double},
    {"math.exp", buildExp, Width::Own},
    {"math.exp2", buildExp2, Width::Own},
    {"math.expm1", buildExpm1, Width::Double},
    {"math.floor", buildFloor, Width::Own},
    {"math.log", buildLog, Width::Double},
    {"math.log10", buildLog10, Width::Double},
    {"math.log1p", buildLog1p, Width::Double},
    {"math.log2", buildLog2, Width::Double},
    {"math.round", buildRound, Width::Own},
    {"math.roundeven", buildRoundEven, Width::Own},
    {"math.rsqrt", buildRsqrt, Width::Own},
    {"math.sin", buildSin, Width::Double},
    {"math.sinh", buildSinh, Width::Double},
    {"math.tan", buildTan, Width::Double},
    {"math.tanh", buildTanh, Width::Own},
    {"math.trunc", buildTrunc, Width::Own},
};

//===----------------------------------------------------------------------===//
// Expansions
//===----------------------------------------------------------------------===//

/// Computes a function of floats in f64.
static Value inDouble(RealContext &context, ValueRange operands,
                      llvm::function_ref<Real(ArrayRef<Real>)> build) {
  SmallVector<Real> reals;
  for (Value operand : operands) {
    Real real(context, operand);
    reals.push_back(real.isDouble() ? real : real.extend());
  }
  Real result = build(reals);
  if (result.getValue().getType() == operands[0].getType())
    return result.getValue();
  return result.truncateTo(operands[0].getType()).getValue();
}

static Value expandUnary(RealContext &context, const UnaryFunction &function,
                         Value operand) {
  if (function.width == Width::Double)
    return inDouble(context, operand,
                    [&](ArrayRef<Real> x) { return function.build(x[0]); });
  return function.build(Real(context, operand)).getValue();
}

static Value expandPowF(RealContext &context, math::PowFOp op) {
  Real base(context, op.getLhs());
  APFloat constant(0.0);
  if (matchPattern(op.getRhs(), m_ConstantFloat(&constant))) {
    if (constant.isExactlyValue(1.0))
      return base.getValue();
    if (constant.isExactlyValue(2.0))
      return (base * base).getValue();
    if (constant.isExactlyValue(3.0))
      return (base * base * base).getValue();
    if (constant.isExactlyValue(-1.0))
      return (1.0 / base).getValue();
  }
  return inDouble(context, op->getOperands(),
                  [](ArrayRef<Real> x) { return buildPow(x[0], x[1]); });
}

static Value expandFPowI(RealContext &context, math::FPowIOp op) {
  Type doubles =
      withElementType(op.getRhs().getType(), context.builder.getF64Type());
  Real exponent(context,
                context.builder.create<arith::SIToFPOp>(doubles, op.getRhs()));
  return inDouble(context, op.getLhs(),
                  [&](ArrayRef<Real> x) { return buildPow(x[0], exponent); });
}

/// Squares and multiplies over the bits of the exponent. Of a negative exponent
/// only the powers of 1 and -1 are whole; others give 0.
static Value expandIPowI(RealContext &context, math::IPowIOp op) {
  ImplicitLocOpBuilder &b = context.builder;
  Type type = op.getType();
  unsigned width = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
  Bits base(context, op.getLhs()), exponent(context, op.getRhs());
  Bits one = base.constant(1), zero = base.constant(0);
  auto isNegative = [&](Bits x) { return (x >> (width - 1)) != 0; };
  auto pick = [&](Truth truth, Bits x, Bits y) {
    return Bits(context, b.create<arith::SelectOp>(truth.value, x.getValue(),
                                                   y.getValue()));
  };
  Value low = b.create<arith::ConstantIndexOp>(0);
  Value high = b.create<arith::ConstantIndexOp>(width);
  Value step = b.create<arith::ConstantIndexOp>(1);
  auto loop = b.create<scf::ForOp>(
      low, high, step,
      ValueRange{one.getValue(), base.getValue(), exponent.getValue()},
      [&](OpBuilder &nested, Location loc, Value, ValueRange values) {
        ImplicitLocOpBuilder inner(loc, nested);
        RealContext innerContext{inner, false, false};
        Bits result(innerContext, values[0]), power(innerContext, values[1]),
            rest(innerContext, values[2]);
        Value product =
            inner.create<arith::MulIOp>(result.getValue(), power.getValue());
        Value next = inner.create<arith::SelectOp>(((rest & 1) != 0).value,
                                                   product, result.getValue());
        Value square =
            inner.create<arith::MulIOp>(power.getValue(), power.getValue());
        inner.create<scf::YieldOp>(
            ValueRange{next, square, (rest >> 1).getValue()});
      });
  Bits result(context, loop.getResult(0));
  Truth unit = !((base - 1) != 0) | !((base + 1) != 0);
  return pick(isNegative(exponent) & !unit, zero, result).getValue();
}

static Value expandFma(RealContext &context, Value a, Value b, Value c) {
  Real x(context, a);
  if (x.isDouble())
    return (x * Real(context, b) + Real(context, c)).getValue();
  // The product of f32 numbers is exact in f64.
  return inDouble(context, {a, b, c},
                  [](ArrayRef<Real> r) { return r[0] * r[1] + r[2]; });
}

/// The value that replaces the op, or null where the target does it.
static Value expand(RealContext &context, Operation *op) {
  if (auto fma = dyn_cast<math::FmaOp>(op))
    return context.hasFMA
               ? Value()
               : expandFma(context, fma.getA(), fma.getB(), fma.getC());
  if (auto fma = dyn_cast<vector::FMAOp>(op))
    return context.hasFMA
               ? Value()
               : expandFma(context, fma.getLhs(), fma.getRhs(), fma.getAcc());
  if (isa<math::FloorOp, math::CeilOp, math::TruncOp, math::RoundEvenOp>(op) &&
      context.hasRound)
    return {};
  for (const UnaryFunction &function : unaryFunctions)
    if (op->getName().getStringRef() == function.name)
      return expandUnary(context, function, op->getOperand(0));
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](math::PowFOp pow) { return expandPowF(context, pow); })
      .Case([&](math::FPowIOp pow) { return expandFPowI(context, pow); })
      .Case([&](math::IPowIOp pow) { return expandIPowI(context, pow); })
      .Case([&](math::Atan2Op) {
        return inDouble(context, op->getOperands(), [](ArrayRef<Real> x) {
          return buildAtan2(x[0], x[1]);
        });
      })
      .Case([&](arith::RemFOp) -> Value {
        if (Real(context, op->getOperand(0)).isDouble())
          return {};
        return inDouble(context, op->getOperands(), [](ArrayRef<Real> x) {
          return buildRemainder(x[0], x[1]);
        });
      })
      .Default([](Operation *) { return Value(); });
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

static bool isSmallFloat(Type type) {
  Type element = getElementTypeOrSelf(type);
  return isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32;
}

/// Computes an op on f16 or bf16 in f32.
static Operation *widen(OpBuilder &builder, Operation *op) {
  if (llvm::none_of(op->getOperandTypes(), isSmallFloat))
    return op;
  Location loc = op->getLoc();
  Type f32 = builder.getF32Type();
  IRMapping mapping;
  for (Value operand : op->getOperands())
    if (isSmallFloat(operand.getType()) && !mapping.contains(operand))
      mapping.map(operand,
                  arith::ExtFOp::create(builder, loc,
                                        withElementType(operand.getType(), f32),
                                        operand));
  Operation *wide = builder.clone(*op, mapping);
  for (auto [result, old] : llvm::zip(wide->getResults(), op->getResults())) {
    Value value = result;
    if (isSmallFloat(old.getType())) {
      result.setType(withElementType(old.getType(), f32));
      value = arith::TruncFOp::create(builder, loc, old.getType(), result);
    }
    old.replaceAllUsesWith(value);
  }
  op->erase();
  return wide;
}

/// A pair of functions in place of one op with two results.
static void splitSincos(math::SincosOp op) {
  OpBuilder builder(op);
  Value sin = math::SinOp::create(builder, op.getLoc(), op.getOperand());
  Value cos = math::CosOp::create(builder, op.getLoc(), op.getOperand());
  op->replaceAllUsesWith(ValueRange{sin, cos});
  op->erase();
}

namespace {
struct ExpandMath : bitnet::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    CPUTarget target = CPUTarget::get(getOperation());
    getOperation()->walk([](math::SincosOp op) { splitSincos(op); });
    // Expansions may hold functions that the target has; nothing else.
    SmallVector<Operation *> work;
    getOperation()->walk([&](Operation *op) {
      if (isa_and_present<math::MathDialect>(op->getDialect()) ||
          isa<arith::RemFOp, vector::FMAOp>(op))
        work.push_back(op);
    });
    for (Operation *op : work) {
      ImplicitLocOpBuilder builder(op->getLoc(), op);
      op = widen(builder, op);
      builder.setInsertionPoint(op);
      RealContext context{builder, target.has("fma"),
                          target.has("sse4.1") ||
                              isDevice(target.getAttribute())};
      Value value = expand(context, op);
      if (!value)
        continue;
      ++numExpanded;
      op->getResult(0).replaceAllUsesWith(value);
      op->erase();
    }
  }
};
} // namespace
