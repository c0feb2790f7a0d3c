//===- Quantize.cpp - Quantisation and its inverse ------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "bitnet/Support/RawElements.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cmath>

using namespace mlir;
using namespace bitnet::onnx;

/// Brings scales (or zero points) to the data's positions: one for all, one per
/// index of the axis, or one per block along it.
static FailureOr<AffineMap> scaleMap(Emitter &e, Value data, Value scale,
                                     int64_t axis, int64_t block) {
  int64_t rank = Emitter::rank(data), scaleRank = Emitter::rank(scale);
  MLIRContext *context = e.b.getContext();
  auto normalized = normalizeAxis(axis, std::max<int64_t>(rank, 1));
  Sizes sizes = e.sizes(scale);
  bool single = llvm::all_of(
      sizes, [](OpFoldResult s) { return isConstantIntValue(s, 1); });
  if (single && block == 0 && scaleRank <= 1)
    return AffineMap::get(
        rank, 0,
        SmallVector<AffineExpr>(scaleRank, getAffineConstantExpr(0, context)),
        context);
  if (!normalized)
    return failure();
  if (block == 0 && scaleRank == 1)
    return AffineMap::get(rank, 0, getAffineDimExpr(*normalized, context));
  if (block == 0 || scaleRank != rank)
    return failure();
  SmallVector<AffineExpr> exprs;
  for (int64_t dim = 0; dim < rank; ++dim) {
    AffineExpr expr = getAffineDimExpr(dim, context);
    exprs.push_back(dim == *normalized ? expr.floorDiv(block) : expr);
  }
  return AffineMap::get(rank, 0, exprs, context);
}

namespace {
/// The range of an integer type.
struct IntRange {
  double low, high;
  static IntRange of(IntegerType type) {
    double span = std::ldexp(1.0, type.getWidth());
    if (type.isUnsigned())
      return {0, span - 1};
    return {-span / 2, span / 2 - 1};
  }
};
} // namespace

namespace {
/// The data of a (de)quantisation, its scale and, where given, its zero point,
/// each with how it meets the data's positions.
struct QuantizationInputs {
  Values values;
  SmallVector<AffineMap> maps;
};
} // namespace

/// Integers below a byte as bytes; null where they cannot be read.
static ElementsAttr widenToBytes(ElementsAttr value, RankedTensorType bytes) {
  if (!isa<DenseResourceElementsAttr>(value)) {
    auto view = ElementsView<int64_t>::get(value);
    return view ? makeElements(bytes, view->values(), "bytes") : ElementsAttr();
  }
  ArrayRef<char> data = bitnet::getRawBytes(value);
  if (int64_t(data.size()) < getStorageBytes(value.getShapedType()))
    return {};
  auto type = cast<IntegerType>(value.getElementType());
  int width = type.getWidth(), perByte = 8 / width;
  // Shifted up, then down with the sign or without it.
  int unused = 8 - width;
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
      bytes.getNumElements(), /*align=*/64, /*dataIsMutable=*/true);
  MutableArrayRef<char> out = blob.getMutableData();
  for (size_t i = 0; i < out.size(); ++i) {
    auto high = static_cast<uint8_t>(uint8_t(data[i / perByte]) >>
                                     (i % perByte * width) << unused);
    out[i] = static_cast<char>(type.isUnsigned() ? high >> unused
                                                 : int8_t(high) >> unused);
  }
  return makeElements(bytes, std::move(blob), "bytes");
}

/// A value; constants of integers below a byte with a byte for each, which is
/// how MLIR's buffers hold them.
static Value getBytes(Emitter &e, Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  auto type = dyn_cast<IntegerType>(Emitter::element(value));
  if (!constant || !type || type.getWidth() == 1 || type.getWidth() >= 8)
    return e.get(value);
  auto shape = cast<ShapedType>(value.getType()).getShape();
  auto bytes = RankedTensorType::get(shape, e.b.getI8Type());
  ElementsAttr wide = widenToBytes(constant.getValue(), bytes);
  if (!wide)
    return e.get(value);
  return arith::ConstantOp::create(e.b, e.loc, bytes, cast<TypedAttr>(wide));
}

template <typename OpTy>
static FailureOr<QuantizationInputs> getInputs(Emitter &e, OpTy op, Value data,
                                               Value scale, Value zeroPoint) {
  QuantizationInputs inputs{{getBytes(e, data), e.get(scale)}, {}};
  if (zeroPoint && !isAbsent(zeroPoint))
    inputs.values.push_back(getBytes(e, zeroPoint));
  Value x = inputs.values.front();
  inputs.maps.push_back(e.b.getMultiDimIdentityMap(Emitter::rank(x)));
  for (Value input : ArrayRef(inputs.values).drop_front()) {
    auto map = scaleMap(e, x, input, op.getAxis(), op.getBlockSize());
    if (failed(map))
      return e.unsupported(op, "its scale is not per tensor, axis or block");
    inputs.maps.push_back(*map);
  }
  return inputs;
}

static LogicalResult lowerQuantize(Emitter &e, QuantizeLinearOp op) {
  auto type = dyn_cast<IntegerType>(Emitter::element(op.getY()));
  if (!type)
    return e.unsupported(op, "it quantises to floats");
  auto inputs = getInputs(e, op, op.getX(), op.getYScale(), op.getYZeroPoint());
  if (failed(inputs))
    return failure();
  IntRange range = IntRange::of(type);
  auto body = [&](Scalars &s, ArrayRef<Value> v) {
    Type wide = s.b.getF32Type();
    if (v[0].getType().isF64())
      wide = v[0].getType();
    Value scaled = s.div(s.cast(v[0], wide, false, false), s.cast(v[1], wide));
    Value y = s.apply<math::RoundEvenOp>(scaled);
    if (v.size() > 2)
      y = s.add(y, s.cast(v[2], wide, type.isUnsigned(), false));
    y = s.min(s.max(y, s.constant(wide, range.low)),
              s.constant(wide, range.high));
    return s.cast(y, toSignless(type), false, type.isUnsigned());
  };
  e.set(op.getY(), e.generate(e.sizes(inputs->values[0]), toSignless(type),
                              inputs->values, inputs->maps, body));
  return success();
}

static LogicalResult lowerDequantize(Emitter &e, DequantizeLinearOp op) {
  bool isUnsigned = Emitter::isUnsigned(op.getX());
  if (!isa<IntegerType>(Emitter::element(op.getX())))
    return e.unsupported(op, "its input is of floats");
  auto inputs = getInputs(e, op, op.getX(), op.getXScale(), op.getXZeroPoint());
  if (failed(inputs))
    return failure();
  auto body = [&](Scalars &s, ArrayRef<Value> v) {
    Type i32 = s.b.getI32Type();
    Value q = s.cast(v[0], i32, isUnsigned, false);
    if (v.size() > 2)
      q = s.sub(q, s.cast(v[2], i32, isUnsigned, false));
    return s.mul(s.cast(q, v[1].getType(), false, false), v[1]);
  };
  e.set(op.getY(),
        e.generate(e.sizes(inputs->values[0]), Emitter::element(op.getY()),
                   inputs->values, inputs->maps, body));
  return success();
}

/// The range of x, with 0 in it, becomes [0, 255].
static LogicalResult lowerDynamicQuantize(Emitter &e,
                                          DynamicQuantizeLinearOp op) {
  Value x = e.get(op.getX());
  Type f32 = e.b.getF32Type(), i8 = e.b.getI8Type();
  Ints axes = dimsBetween(0, Emitter::rank(x));
  auto extreme = [&](Reduction kind) {
    return axes.empty() ? x : e.reduce(x, axes, false, kind);
  };
  Value min = extreme(Reduction::Min), max = extreme(Reduction::Max);
  Value scale = e.map({min, max}, f32, [&](Scalars &s, ArrayRef<Value> v) {
    Value zero = s.constant(f32, 0);
    Value span = s.sub(s.max(v[1], zero), s.min(v[0], zero));
    return s.div(span, s.constant(f32, 255));
  });
  auto limit = [&](Scalars &s, Value v) {
    return s.min(s.max(v, s.constant(f32, 0)), s.constant(f32, 255));
  };
  Value zeroPoint = e.map({min, scale}, i8, [&](Scalars &s, ArrayRef<Value> v) {
    Value low = s.min(v[0], s.constant(f32, 0));
    Value point = s.div(s.neg(low), v[1]);
    // Zeros only: any scale will do.
    point = s.select(s.isNaN(point), s.constant(f32, 0), point);
    return s.cast(s.apply<math::RoundEvenOp>(limit(s, point)), i8, false, true);
  });
  Value y =
      e.map({x, scale, zeroPoint}, i8, [&](Scalars &s, ArrayRef<Value> v) {
        Value scaled = s.div(v[0], v[1]);
        scaled = s.select(s.isNaN(scaled), s.constant(f32, 0), scaled);
        Value q = s.add(s.apply<math::RoundEvenOp>(scaled),
                        s.cast(v[2], f32, true, false));
        return s.cast(limit(s, q), i8, false, true);
      });
  e.set(op.getY(), y);
  e.set(op.getYScale(), scale);
  e.set(op.getYZeroPoint(), zeroPoint);
  return success();
}

void bitnet::onnx::addQuantizeLowerings(LoweringTable &table) {
  table.add(lowerQuantize);
  table.add(lowerDequantize);
  table.add(lowerDynamicQuantize);
}
