//===- Norms.cpp - Softmax and normalisations -----------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace bitnet::onnx;

using Elements = ArrayRef<Value>;

template <typename Op> static int64_t axisOf(Op op, Value tensor) {
  return normalizeAxis(op.getAxis(), Emitter::rank(tensor)).value_or(0);
}

//===----------------------------------------------------------------------===//
// Along one axis
//===----------------------------------------------------------------------===//

/// exp(x - max), in the compute type.
static Value shiftedExp(Emitter &e, Value x, int64_t axis) {
  Value max = e.reduce(x, axis, /*keepDims=*/true, Reduction::Max);
  return e.map({x, max}, computeType(Emitter::element(x)),
               [](Scalars &s, Elements v) {
                 return s.apply<math::ExpOp>(s.sub(v[0], v[1]));
               });
}

Value bitnet::onnx::emitSoftmax(Emitter &e, Value x, int64_t axis) {
  Value exps = shiftedExp(e, x, axis);
  Value sum = e.reduce(exps, axis, /*keepDims=*/true, Reduction::Sum);
  return e.map({exps, sum}, Emitter::element(exps),
               [](Scalars &s, Elements v) { return s.div(v[0], v[1]); });
}

static LogicalResult lowerSoftmax(Emitter &e, SoftmaxOp op) {
  Value x = e.get(op.getInput());
  Value y = emitSoftmax(e, x, axisOf(op, x));
  e.set(op.getOutput(), e.castElements(y, Emitter::element(x)));
  return success();
}

static LogicalResult lowerLogSoftmax(Emitter &e, LogSoftmaxOp op) {
  Value x = e.get(op.getInput());
  int64_t axis = axisOf(op, x);
  Value max = e.reduce(x, axis, /*keepDims=*/true, Reduction::Max);
  Value sum =
      e.reduce(shiftedExp(e, x, axis), axis, /*keepDims=*/true, Reduction::Sum);
  e.set(op.getOutput(),
        e.map({x, max, sum}, Emitter::element(x), [](Scalars &s, Elements v) {
          return s.sub(s.sub(v[0], v[1]), s.apply<math::LogOp>(v[2]));
        }));
  return success();
}

/// 1 where the running count of maxima, in order, is the first.
static LogicalResult lowerHardmax(Emitter &e, HardmaxOp op) {
  Value x = e.get(op.getInput());
  int64_t axis = axisOf(op, x);
  Type i64 = e.b.getI64Type(), type = Emitter::element(x);
  Value max = e.reduce(x, axis, /*keepDims=*/true, Reduction::Max);
  Value where = e.map({x, max}, i64, [&](Scalars &s, Elements v) {
    Value position = s.cast(s.position(axis), i64);
    return s.select(s.compare(Compare::EQ, v[0], v[1]), position,
                    s.highest(i64));
  });
  Value first = e.reduce(where, axis, /*keepDims=*/true, Reduction::Min);
  e.set(op.getOutput(), e.map({x, first}, type, [&](Scalars &s, Elements v) {
    Value position = s.cast(s.position(axis), i64);
    Type wide = v[0].getType();
    return s.select(s.compare(Compare::EQ, position, v[1]), s.constant(wide, 1),
                    s.constant(wide, 0));
  }));
  return success();
}

static LogicalResult lowerLpNormalization(Emitter &e, LpNormalizationOp op) {
  Value x = e.get(op.getInput());
  int64_t axis = axisOf(op, x);
  bool one = op.getP() == 1;
  Value norm = e.reduce(
      x, axis, /*keepDims=*/true, Reduction::Sum, false,
      [&](Scalars &s, Value v) { return one ? s.abs(v) : s.mul(v, v); });
  e.set(op.getOutput(),
        e.map({x, norm}, Emitter::element(x), [&](Scalars &s, Elements v) {
          Value length = one ? v[1] : s.apply<math::SqrtOp>(v[1]);
          Value zero = s.constant(length.getType(), 0);
          Value isZero = s.compare(Compare::EQ, length, zero);
          return s.select(isZero, zero, s.div(v[0], length));
        }));
  return success();
}

//===----------------------------------------------------------------------===//
// Over mean and variance
//===----------------------------------------------------------------------===//

namespace {
struct Moments {
  Value mean;
  Value inverseDeviation;
};
} // namespace

static Value meanOver(Emitter &e, Value x, ArrayRef<int64_t> axes,
                      function_ref<Value(Scalars &, Value)> prepare = {}) {
  Value sum =
      e.reduce(x, axes, /*keepDims=*/true, Reduction::Sum, false, prepare);
  Type type = Emitter::element(sum);
  Value count = e.count(x, axes, type);
  return e.map(sum, type,
               [&](Scalars &s, Elements v) { return s.div(v[0], count); });
}

static Value inverseRoot(Emitter &e, Value x, double epsilon) {
  return e.map(x, Emitter::element(x), [&](Scalars &s, Elements v) {
    Type type = v[0].getType();
    Value root = s.apply<math::SqrtOp>(s.add(v[0], s.constant(type, epsilon)));
    return s.div(s.constant(type, 1), root);
  });
}

static Moments moments(Emitter &e, Value x, ArrayRef<int64_t> axes,
                       double epsilon) {
  Value mean = meanOver(e, x, axes);
  Value centered =
      e.map({x, mean}, Emitter::element(mean),
            [](Scalars &s, Elements v) { return s.sub(v[0], v[1]); });
  Value variance = meanOver(e, centered, axes,
                            [](Scalars &s, Value v) { return s.mul(v, v); });
  return {mean, inverseRoot(e, variance, epsilon)};
}

/// (x - mean) * inverse deviation * scale + bias, where given.
static Value normalize(Emitter &e, Value x, const Moments &stats, Value scale,
                       Value bias, Type type) {
  Values inputs = {x, stats.mean, stats.inverseDeviation, scale};
  if (bias)
    inputs.push_back(bias);
  return e.map(inputs, type, [&](Scalars &s, Elements v) {
    Type wide = v[0].getType();
    Value y = s.mul(s.sub(v[0], s.cast(v[1], wide)), s.cast(v[2], wide));
    y = s.mul(y, s.cast(v[3], wide));
    return bias ? s.add(y, s.cast(v[4], wide)) : y;
  });
}

static LogicalResult lowerLayerNorm(Emitter &e, LayerNormalizationOp op) {
  Value x = e.get(op.getX());
  Type type = Emitter::element(x);
  Moments stats = moments(e, x, dimsBetween(axisOf(op, x), Emitter::rank(x)),
                          op.getEpsilon().convertToDouble());
  Value bias = op.getB() && !isAbsent(op.getB()) ? e.get(op.getB()) : Value();
  e.set(op.getY(), normalize(e, x, stats, e.get(op.getScale()), bias, type));
  auto setStatistic = [&](Value result, Value statistic) {
    if (!isAbsent(result))
      e.set(result, e.castElements(statistic, Emitter::element(result)));
  };
  setStatistic(op.getMean(), stats.mean);
  setStatistic(op.getInvStdDev(), stats.inverseDeviation);
  return success();
}

static LogicalResult lowerRMSNorm(Emitter &e, RMSNormalizationOp op) {
  Value x = e.get(op.getX());
  Value square = meanOver(e, x, dimsBetween(axisOf(op, x), Emitter::rank(x)),
                          [](Scalars &s, Value v) { return s.mul(v, v); });
  Value inverse = inverseRoot(e, square, op.getEpsilon().convertToDouble());
  e.set(op.getY(),
        e.map({x, inverse, e.get(op.getScale())}, Emitter::element(op.getY()),
              [](Scalars &s, Elements v) {
                Type wide = v[0].getType();
                return s.mul(s.mul(v[0], v[1]), s.cast(v[2], wide));
              }));
  return success();
}

static LogicalResult lowerInstanceNorm(Emitter &e, InstanceNormalizationOp op) {
  Value x = e.get(op.getInput());
  int64_t rank = Emitter::rank(x);
  Moments stats =
      moments(e, x, dimsBetween(2, rank), op.getEpsilon().convertToDouble());
  Value scale = e.alongAxis(e.get(op.getScale()), 1, rank);
  Value bias = e.alongAxis(e.get(op.getB()), 1, rank);
  e.set(op.getOutput(),
        normalize(e, x, stats, scale, bias, Emitter::element(x)));
  return success();
}

static LogicalResult lowerGroupNorm(Emitter &e, GroupNormalizationOp op) {
  Value x = e.get(op.getX());
  int64_t rank = Emitter::rank(x);
  Sizes sizes = e.sizes(x), grouped = sizes;
  auto channels = getConstantIntValue(sizes[1]);
  int64_t groups = op.getNumGroups();
  if (groups < 1 || (channels && *channels % groups != 0))
    return e.unsupported(op, "its channels do not divide into groups");
  Scalars s(e.b, e.loc);
  grouped[1] = e.asSize(groups);
  grouped.insert(grouped.begin() + 2,
                 e.asSize(s.div(e.asValue(sizes[1]), s.index(groups))));
  Value parts = e.reshape(x, grouped);
  Moments stats = moments(e, parts, dimsBetween(2, rank + 1),
                          op.getEpsilon().convertToDouble());
  Sizes perChannel(rank + 1, e.asSize(1));
  perChannel[1] = grouped[1];
  perChannel[2] = grouped[2];
  Value y = normalize(
      e, parts, stats, e.reshape(e.get(op.getScale()), perChannel),
      e.reshape(e.get(op.getBias()), perChannel), Emitter::element(x));
  e.set(op.getY(), e.reshape(y, sizes));
  return success();
}

static LogicalResult lowerBatchNorm(Emitter &e, BatchNormalizationOp op) {
  if (op.getTrainingMode())
    return e.unsupported(op, "training_mode is set");
  Value x = e.get(op.getX());
  auto channel = [&](Value vector) {
    return e.alongAxis(e.get(vector), 1, Emitter::rank(x));
  };
  double epsilon = op.getEpsilon().convertToDouble();
  Value variance =
      e.castElements(channel(op.getInputVar()),
                     computeType(Emitter::element(op.getInputVar())));
  Moments stats = {channel(op.getInputMean()),
                   inverseRoot(e, variance, epsilon)};
  e.set(op.getY(), normalize(e, x, stats, channel(op.getScale()),
                             channel(op.getB()), Emitter::element(x)));
  return success();
}

void bitnet::onnx::addNormLowerings(LoweringTable &table) {
  table.add(lowerSoftmax);
  table.add(lowerLogSoftmax);
  table.add(lowerHardmax);
  table.add(lowerLpNormalization);
  table.add(lowerLayerNorm);
  table.add(lowerRMSNorm);
  table.add(lowerInstanceNorm);
  table.add(lowerGroupNorm);
  table.add(lowerBatchNorm);
}
