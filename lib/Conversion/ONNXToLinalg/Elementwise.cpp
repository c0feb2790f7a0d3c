//===- Elementwise.cpp - Ops on single elements ---------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An elementwise op is a line of a table: its name and what it does to
// elements.
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace bitnet::onnx;

using Elements = ArrayRef<Value>;

LogicalResult bitnet::onnx::lowerElementwise(Emitter &e, Operation *op,
                                             ValueRange operands,
                                             ElementFn body, bool isUnsigned) {
  Value result = op->getResult(0);
  Type type = toSignless(Emitter::element(result));
  // Shape arithmetic: element by element, outside of any tensor.
  SmallVector<Values> lists;
  size_t length = 1;
  auto resultType = cast<RankedTensorType>(result.getType());
  bool small = resultType.getRank() <= 1;
  bool empty = false;
  for (Value operand : operands) {
    std::optional<Values> list;
    if (small)
      list = e.scalars(operand);
    if (!list) {
      small = false;
      break;
    }
    empty |= list->empty();
    length = std::max(length, list->size());
    lists.push_back(std::move(*list));
  }
  if (small) {
    Values results;
    Scalars s(e.b, e.loc, isUnsigned);
    for (size_t i = 0; i < length && !empty; ++i) {
      Values args;
      for (const Values &list : lists) {
        Value x = list[list.size() == 1 ? 0 : i];
        args.push_back(isa<FloatType>(x.getType())
                           ? s.cast(x, computeType(x.getType()))
                           : x);
      }
      Value y = body(s, args);
      results.push_back(isa<FloatType>(type) ? s.cast(y, type) : y);
    }
    e.setScalars(result, results);
    return success();
  }

  Values inputs;
  SmallVector<Sizes> shapes;
  for (Value operand : operands) {
    inputs.push_back(e.get(operand));
    shapes.push_back(e.sizes(inputs.back()));
  }
  Sizes sizes = e.broadcastSizes(shapes, result);
  for (const Sizes &shape : shapes)
    for (auto [dim, size] : llvm::enumerate(shape)) {
      auto known = getConstantIntValue(size);
      auto out = getConstantIntValue(sizes[dim + sizes.size() - shape.size()]);
      if (known && out && *known != 1 && *known != *out)
        return e.unsupported(op, "sizes " + Twine(*known) + " and " +
                                     Twine(*out) + " do not broadcast");
    }
  e.set(result, e.map(inputs, type, body, isUnsigned, std::move(sizes)));
  return success();
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

static Value number(Scalars &s, Value like, double value) {
  return s.constant(like.getType(), value);
}
static double attribute(Operation *op, StringRef name) {
  return op->getAttrOfType<FloatAttr>(name).getValueAsDouble();
}
static Value isNegative(Scalars &s, Value x) {
  return s.compare(Compare::LT, x, number(s, x, 0));
}
static Value sigmoid(Scalars &s, Value x) {
  Value one = number(s, x, 1);
  return s.div(one, s.add(one, s.apply<math::ExpOp>(s.neg(x))));
}
/// log(1 + exp(x)) without overflow.
static Value softplus(Scalars &s, Value x) {
  Value tail = s.apply<math::ExpOp>(s.neg(s.abs(x)));
  return s.add(s.max(x, number(s, x, 0)), s.apply<math::Log1pOp>(tail));
}
static Value expMinusOne(Scalars &s, Value x) {
  return s.apply<math::ExpM1Op>(x);
}
static Value limit(Scalars &s, Value x, double low, double high) {
  return s.min(s.max(x, number(s, x, low)), number(s, x, high));
}

static Value sign(Scalars &s, Value x) {
  Value zero = number(s, x, 0);
  Value positive =
      s.select(s.compare(Compare::GT, x, zero), number(s, x, 1), zero);
  if (s.isUnsigned)
    return positive;
  Value result = s.select(isNegative(s, x), number(s, x, -1), positive);
  return isa<FloatType>(x.getType()) ? s.select(s.isNaN(x), x, result) : result;
}

static Value gelu(Scalars &s, Operation *op, Elements x) {
  Value v = x[0], half = number(s, v, 0.5), one = number(s, v, 1), inner;
  if (cast<GeluOp>(op).getApproximate() == "tanh") {
    Value cube = s.mul(s.mul(v, v), v);
    Value sum = s.add(v, s.mul(number(s, v, 0.044715), cube));
    inner =
        s.apply<math::TanhOp>(s.mul(number(s, v, 0.79788456080286535588), sum));
  } else {
    inner =
        s.apply<math::ErfOp>(s.mul(v, number(s, v, 0.70710678118654752440)));
  }
  return s.mul(s.mul(half, v), s.add(one, inner));
}

static Value modulo(Scalars &s, Operation *op, Elements x) {
  Value rest = s.rem(x[0], x[1]);
  if (cast<ModOp>(op).getFmod() || s.isUnsigned)
    return rest;
  // The divisor's sign.
  Value differs =
      s.compare(Compare::NE, isNegative(s, rest), isNegative(s, x[1]));
  Value isZero = s.compare(Compare::EQ, rest, number(s, rest, 0));
  Value adjust = s.logicalAnd(differs, s.logicalNot(isZero));
  return s.select(adjust, s.add(rest, x[1]), rest);
}

static Value shift(Scalars &s, Operation *op, Elements x) {
  Type type = x[0].getType();
  bool left = cast<BitShiftOp>(op).getDirection() == "LEFT";
  Value result = left ? s.b.createOrFold<arith::ShLIOp>(s.loc, x[0], x[1])
                      : s.b.createOrFold<arith::ShRUIOp>(s.loc, x[0], x[1]);
  Value width = s.integer(type, type.getIntOrFloatBitWidth());
  Value defined = s.b.createOrFold<arith::CmpIOp>(
      s.loc, arith::CmpIPredicate::ult, x[1], width);
  return s.select(defined, result, s.integer(type, 0));
}

static Value isInfinite(Scalars &s, Operation *op, Elements x) {
  auto test = cast<IsInfOp>(op);
  Value result = s.integer(s.b.getI1Type(), 0);
  if (test.getDetectPositive())
    result = s.logicalOr(
        result, s.compare(Compare::EQ, x[0], s.highest(x[0].getType())));
  if (test.getDetectNegative())
    result = s.logicalOr(
        result, s.compare(Compare::EQ, x[0], s.lowest(x[0].getType())));
  return result;
}

/// x, or something else where x is negative.
static Value negativePart(Scalars &s, Value x, Value other) {
  return s.select(isNegative(s, x), other, x);
}

static Value celu(Scalars &s, Operation *op, Elements x) {
  Value alpha = number(s, x[0], attribute(op, "alpha"));
  return negativePart(s, x[0],
                      s.mul(alpha, expMinusOne(s, s.div(x[0], alpha))));
}
static Value selu(Scalars &s, Operation *op, Elements x) {
  Value alpha = number(s, x[0], attribute(op, "alpha"));
  Value curve = s.mul(alpha, expMinusOne(s, x[0]));
  return s.mul(number(s, x[0], attribute(op, "gamma")),
               negativePart(s, x[0], curve));
}
static Value hardSigmoid(Scalars &s, double alpha, double beta, Value x) {
  Value line = s.add(s.mul(number(s, x, alpha), x), number(s, x, beta));
  return limit(s, line, 0, 1);
}
static Value pRelu(Scalars &s, Operation *, Elements x) {
  return negativePart(s, x[0], s.mul(x[1], x[0]));
}
static Value swish(Scalars &s, Operation *op, Elements x) {
  Value scaled = s.mul(number(s, x[0], attribute(op, "alpha")), x[0]);
  return s.mul(x[0], sigmoid(s, scaled));
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

namespace {
using Body = Value (*)(Scalars &, Operation *, Elements);
using Pairwise = Value (*)(Scalars &, Value, Value);
} // namespace

template <typename Op> static void add(LoweringTable &table, Body body) {
  table.add(Op::getOperationName(), [body](Emitter &e, Operation *op) {
    return lowerElementwise(
        e, op, op->getOperands(),
        [&](Scalars &s, Elements x) { return body(s, op, x); },
        Emitter::isUnsigned(op->getOperand(0)));
  });
}

/// An op of the math dialect on floats.
template <typename Op, typename MathOp>
static void addMath(LoweringTable &table) {
  add<Op>(table, [](Scalars &s, Operation *, Elements x) {
    return s.apply<MathOp>(x[0]);
  });
}

template <typename Op, Compare predicate>
static void addCompare(LoweringTable &table) {
  add<Op>(table, [](Scalars &s, Operation *, Elements x) {
    return s.compare(predicate, x[0], x[1]);
  });
}

/// An op on integers or booleans.
template <typename Op, typename ArithOp>
static void addBitwise(LoweringTable &table) {
  add<Op>(table, [](Scalars &s, Operation *, Elements x) -> Value {
    return s.b.createOrFold<ArithOp>(s.loc, x[0], x[1]);
  });
}

#define ELEMENTWISE(OP, EXPR)                                                  \
  add<OP>(table,                                                               \
          [](Scalars &s, Operation *op, Elements x) -> Value { return EXPR; })

static void addMathOps(LoweringTable &table) {
  addMath<AcosOp, math::AcosOp>(table);
  addMath<AcoshOp, math::AcoshOp>(table);
  addMath<AsinOp, math::AsinOp>(table);
  addMath<AsinhOp, math::AsinhOp>(table);
  addMath<AtanOp, math::AtanOp>(table);
  addMath<AtanhOp, math::AtanhOp>(table);
  addMath<CeilOp, math::CeilOp>(table);
  addMath<CosOp, math::CosOp>(table);
  addMath<CoshOp, math::CoshOp>(table);
  addMath<ErfOp, math::ErfOp>(table);
  addMath<ExpOp, math::ExpOp>(table);
  addMath<FloorOp, math::FloorOp>(table);
  addMath<LogOp, math::LogOp>(table);
  addMath<RoundOp, math::RoundEvenOp>(table);
  addMath<SinOp, math::SinOp>(table);
  addMath<SinhOp, math::SinhOp>(table);
  addMath<SqrtOp, math::SqrtOp>(table);
  addMath<TanOp, math::TanOp>(table);
  addMath<TanhOp, math::TanhOp>(table);
}

static void addUnaryOps(LoweringTable &table) {
  ELEMENTWISE(AbsOp, s.abs(x[0]));
  ELEMENTWISE(NegOp, s.neg(x[0]));
  ELEMENTWISE(SignOp, sign(s, x[0]));
  ELEMENTWISE(ReluOp, s.max(x[0], number(s, x[0], 0)));
  ELEMENTWISE(NotOp, s.logicalNot(x[0]));
  ELEMENTWISE(BitwiseNotOp, s.logicalNot(x[0]));
  ELEMENTWISE(IsNaNOp, s.isNaN(x[0]));
  ELEMENTWISE(ReciprocalOp, s.div(number(s, x[0], 1), x[0]));
  ELEMENTWISE(SigmoidOp, sigmoid(s, x[0]));
  ELEMENTWISE(SoftplusOp, softplus(s, x[0]));
  ELEMENTWISE(SoftsignOp, s.div(x[0], s.add(number(s, x[0], 1), s.abs(x[0]))));
  ELEMENTWISE(MishOp, s.mul(x[0], s.apply<math::TanhOp>(softplus(s, x[0]))));
  ELEMENTWISE(HardSwishOp, s.mul(x[0], hardSigmoid(s, 1.0 / 6, 0.5, x[0])));
  ELEMENTWISE(HardSigmoidOp, hardSigmoid(s, attribute(op, "alpha"),
                                         attribute(op, "beta"), x[0]));
  ELEMENTWISE(EluOp, negativePart(s, x[0],
                                  s.mul(number(s, x[0], attribute(op, "alpha")),
                                        expMinusOne(s, x[0]))));
  ELEMENTWISE(
      LeakyReluOp,
      negativePart(s, x[0],
                   s.mul(number(s, x[0], attribute(op, "alpha")), x[0])));
  ELEMENTWISE(ThresholdedReluOp,
              s.select(s.compare(Compare::GT, x[0],
                                 number(s, x[0], attribute(op, "alpha"))),
                       x[0], number(s, x[0], 0)));
  add<CeluOp>(table, celu);
  add<SeluOp>(table, selu);
  add<GeluOp>(table, gelu);
  add<SwishOp>(table, swish);
  add<IsInfOp>(table, isInfinite);
}

static void addBinaryOps(LoweringTable &table) {
  ELEMENTWISE(AddOp, s.add(x[0], x[1]));
  ELEMENTWISE(SubOp, s.sub(x[0], x[1]));
  ELEMENTWISE(MulOp, s.mul(x[0], x[1]));
  ELEMENTWISE(DivOp, s.div(x[0], x[1]));
  ELEMENTWISE(WhereOp, s.select(x[0], x[1], x[2]));
  add<ModOp>(table, modulo);
  add<PReluOp>(table, pRelu);
  add<BitShiftOp>(table, shift);
  addBitwise<AndOp, arith::AndIOp>(table);
  addBitwise<OrOp, arith::OrIOp>(table);
  addBitwise<XorOp, arith::XOrIOp>(table);
  addBitwise<BitwiseAndOp, arith::AndIOp>(table);
  addBitwise<BitwiseOrOp, arith::OrIOp>(table);
  addBitwise<BitwiseXorOp, arith::XOrIOp>(table);
  addCompare<EqualOp, Compare::EQ>(table);
  addCompare<GreaterOp, Compare::GT>(table);
  addCompare<GreaterOrEqualOp, Compare::GE>(table);
  addCompare<LessOp, Compare::LT>(table);
  addCompare<LessOrEqualOp, Compare::LE>(table);
}
#undef ELEMENTWISE

//===----------------------------------------------------------------------===//
// Ops with operands of their own kind
//===----------------------------------------------------------------------===//

static LogicalResult lowerPow(Emitter &e, PowOp op) {
  bool isUnsigned = Emitter::isUnsigned(op.getBase());
  bool unsignedExponent = Emitter::isUnsigned(op.getExponent());
  auto body = [&](Scalars &s, Elements x) {
    // The exponent in a type that keeps its sign.
    Value exponent = x[1];
    if (isa<IntegerType>(exponent.getType()))
      exponent = s.cast(exponent, s.b.getI64Type(), unsignedExponent, false);
    if (isa<FloatType>(x[0].getType()))
      exponent = Scalars(s.b, s.loc).cast(exponent, x[0].getType());
    return s.pow(x[0], exponent);
  };
  return lowerElementwise(e, op, op->getOperands(), body, isUnsigned);
}

static LogicalResult lowerClip(Emitter &e, ClipOp op) {
  Values operands = {op.getInput()};
  bool hasMin = op.getMin() && !isAbsent(op.getMin());
  bool hasMax = op.getMax() && !isAbsent(op.getMax());
  if (hasMin)
    operands.push_back(op.getMin());
  if (hasMax)
    operands.push_back(op.getMax());
  auto body = [&](Scalars &s, Elements x) {
    Value y = x[0];
    if (hasMin)
      y = s.max(y, x[1]);
    if (hasMax)
      y = s.min(y, x.back());
    return y;
  };
  return lowerElementwise(e, op, operands, body,
                          Emitter::isUnsigned(op.getInput()));
}

/// Max, Min, Sum and Mean of any number of inputs.
template <typename Op>
static void addNary(LoweringTable &table, Pairwise combine, bool mean = false) {
  table.add(Op::getOperationName(), [=](Emitter &e, Operation *op) {
    auto body = [&](Scalars &s, Elements x) {
      Value y = x[0];
      for (Value other : x.drop_front())
        y = combine(s, y, other);
      return mean ? s.div(y, number(s, y, x.size())) : y;
    };
    return lowerElementwise(e, op, op->getOperands(), body,
                            Emitter::isUnsigned(op->getOperand(0)));
  });
}

void bitnet::onnx::addElementwiseLowerings(LoweringTable &table) {
  addMathOps(table);
  addUnaryOps(table);
  addBinaryOps(table);
  table.add(lowerPow);
  table.add(lowerClip);
  auto add = [](Scalars &s, Value x, Value y) { return s.add(x, y); };
  addNary<SumOp>(table, add);
  addNary<MeanOp>(table, add, /*mean=*/true);
  addNary<MaxOp>(table,
                 [](Scalars &s, Value x, Value y) { return s.max(x, y); });
  addNary<MinOp>(table,
                 [](Scalars &s, Value x, Value y) { return s.min(x, y); });
}
