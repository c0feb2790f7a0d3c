//===- Shapes.cpp - Constants, shapes and views ---------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace bitnet::onnx;

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

static LogicalResult lowerConstant(Emitter &e, ConstantOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  auto signless = cast<RankedTensorType>(toSignless(type));
  auto value = cast<TypedAttr>(op.getValue());
  if (type != signless) {
    if (auto dense = dyn_cast<DenseElementsAttr>(op.getValue()))
      value = dense.bitcast(signless.getElementType());
    else if (auto blob = dyn_cast<DenseResourceElementsAttr>(op.getValue()))
      value = DenseResourceElementsAttr::get(signless, blob.getRawHandle());
    else
      return e.unsupported(op, "its elements are of no known form");
  }
  e.set(op.getOutput(), arith::ConstantOp::create(e.b, e.loc, signless, value));
  return success();
}

static LogicalResult lowerConstantOfShape(Emitter &e, ConstantOfShapeOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Type element = toSignless(type.getElementType());
  std::optional<Sizes> sizes = e.ints(op.getInput(), type.getRank());
  if (!sizes || static_cast<int64_t>(sizes->size()) != type.getRank())
    return e.unsupported(op, "its shape's length is not known");
  Value value = Scalars(e.b, e.loc).constant(element, 0);
  if (auto given = dyn_cast_or_null<DenseElementsAttr>(op.getValueAttr()))
    value = arith::ConstantOp::create(
        e.b, e.loc,
        cast<TypedAttr>(
            *given.bitcast(element).getValues<Attribute>().begin()));
  else if (op.getValueAttr())
    return e.unsupported(op, "its value is of no known form");
  std::optional<int64_t> length = type.getRank() == 1
                                      ? getConstantIntValue((*sizes)[0])
                                      : std::optional<int64_t>();
  if (isa<IntegerType>(element) && length && *length <= Emitter::maxScalars)
    e.setScalars(op.getOutput(), Values(*length, value));
  else
    e.set(op.getOutput(), e.filled(*sizes, value));
  return success();
}

/// The number of elements of a Range: ceil((limit - start) / delta), at least
/// 0.
static Value rangeLength(Scalars &s, Value start, Value limit, Value delta) {
  Value span = s.sub(limit, start), zero = s.index(0);
  if (isa<FloatType>(span.getType()))
    return s.max(s.toIndex(s.apply<math::CeilOp>(s.div(span, delta))), zero);
  // In index arithmetic, so that spans of sizes fold.
  Value step = s.toIndex(delta), distance = s.toIndex(span);
  std::optional<int64_t> known = getConstantIntValue(step);
  if (known == 1)
    return s.max(distance, zero);
  Value isNegative = s.compare(Compare::LT, step, zero);
  distance = s.select(isNegative, s.neg(distance), distance);
  Value size = s.abs(step);
  return s.max(s.div(s.sub(s.add(distance, size), s.index(1)), size), zero);
}

static LogicalResult lowerRange(Emitter &e, RangeOp op) {
  Type element = Emitter::element(e.get(op.getStart()));
  Type wide = computeType(element);
  Scalars s(e.b, e.loc);
  Value start = s.cast(e.scalar(op.getStart()), wide);
  Value limit = s.cast(e.scalar(op.getLimit()), wide);
  Value delta = s.cast(e.scalar(op.getDelta()), wide);
  if (!matchPattern(delta, m_Constant()))
    e.require(s.compare(Compare::NE, delta, s.constant(wide, 0)));
  OpFoldResult length = e.asSize(rangeLength(s, start, limit, delta));
  auto type = cast<RankedTensorType>(op.getType());
  if (!type.isDynamicDim(0))
    length = e.asSize(type.getDimSize(0));
  auto at = [&](Scalars &s, Value position) {
    return s.add(start, s.mul(s.cast(position, wide), delta));
  };
  std::optional<int64_t> known = getConstantIntValue(length);
  if (isa<IntegerType>(element) && known && *known <= Emitter::maxScalars) {
    Values elements;
    for (int64_t i = 0; i < *known; ++i)
      elements.push_back(at(s, s.index(i)));
    e.setScalars(op.getOutput(), elements);
    return success();
  }
  e.set(op.getOutput(),
        e.generate(length, element, [&](Scalars &s, Values &positions) {
          return at(s, positions[0]);
        }));
  return success();
}

static LogicalResult lowerEyeLike(Emitter &e, EyeLikeOp op) {
  Value input = e.get(op.getInput());
  Type type = toSignless(Emitter::element(op.getOutput()));
  if (Emitter::rank(input) != 2)
    return e.unsupported(op, "its input is no matrix");
  e.set(op.getOutput(),
        e.generate(e.sizes(input), type, [&](Scalars &s, Values &positions) {
          Value diagonal =
              s.add(positions[0], s.index(static_cast<int64_t>(op.getK())));
          return s.select(s.compare(Compare::EQ, diagonal, positions[1]),
                          s.constant(type, 1), s.constant(type, 0));
        }));
  return success();
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

static LogicalResult lowerShape(Emitter &e, ShapeOp op) {
  Sizes sizes = e.sizes(e.get(op.getData()));
  int64_t rank = sizes.size();
  auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  int64_t start = clamp(op.getStart());
  int64_t end = op.getEnd() ? clamp(*op.getEnd()) : rank;
  Values elements;
  Scalars s(e.b, e.loc);
  for (int64_t dim = start; dim < end; ++dim)
    elements.push_back(s.cast(e.asValue(sizes[dim]), e.b.getI64Type()));
  e.setScalars(op.getShape(), elements);
  return success();
}

static LogicalResult lowerSize(Emitter &e, SizeOp op) {
  Value total = e.asValue(e.product(e.sizes(e.get(op.getData()))));
  e.setScalars(op.getSize(), Scalars(e.b, e.loc).cast(total, e.b.getI64Type()));
  return success();
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

/// A view of `data` in the sizes `target`: of its elements, where they are
/// known.
static void setView(Emitter &e, Value result, Value data, Sizes target) {
  std::optional<Values> list;
  if (Emitter::rank(result) <= 1)
    list = e.scalars(data);
  if (list)
    e.setScalars(result, *list);
  else
    e.set(result, e.reshape(e.get(data), std::move(target)));
}

/// Refines what follows from the input's sizes by the result's static ones.
static void refine(Emitter &e, Sizes &sizes, Value result) {
  auto type = cast<RankedTensorType>(result.getType());
  for (auto [size, known] : llvm::zip(sizes, type.getShape()))
    if (!ShapedType::isDynamic(known))
      size = e.asSize(known);
}

/// What -1 stands for: all elements over those of the other dimensions. Common
/// factors are cancelled, so that a size that is carried over stays the same.
static OpFoldResult remaining(Emitter &e, const Sizes &from,
                              const Sizes &given) {
  Sizes all, others;
  for (OpFoldResult size : from)
    llvm::append_range(all, Emitter::factors(size));
  for (OpFoldResult size : given)
    llvm::append_range(others, Emitter::factors(size));
  for (auto *it = others.begin(); it != others.end();) {
    auto *match = llvm::find_if(
        all, [&](OpFoldResult s) { return Emitter::areEqual(s, *it); });
    if (match == all.end()) {
      ++it;
      continue;
    }
    all.erase(match);
    it = others.erase(it);
  }
  OpFoldResult total = e.product(all), part = e.product(others);
  if (isConstantIntValue(part, 1))
    return total;
  Scalars s(e.b, e.loc);
  // A constant factor cancels though the others stay.
  int64_t constant = 1;
  Sizes dynamic;
  for (OpFoldResult size : all) {
    if (auto known = getConstantIntValue(size))
      constant *= *known;
    else
      dynamic.push_back(size);
  }
  auto divisor = getConstantIntValue(part);
  if (divisor && *divisor != 0 && constant % *divisor == 0) {
    dynamic.push_back(e.asSize(constant / *divisor));
    return e.product(dynamic);
  }
  return e.asSize(s.div(e.asValue(total), e.asValue(part)));
}

/// Resolves 0 and -1 in a target shape whose values are computed.
static void resolveAtRunTime(Emitter &e, Sizes &target, const Sizes &from,
                             RankedTensorType type, bool allowZero) {
  Scalars s(e.b, e.loc);
  SmallVector<size_t> unknown;
  for (auto [dim, size] : llvm::enumerate(target)) {
    bool carried = llvm::any_of(from, [size = size](OpFoldResult other) {
      return Emitter::areEqual(size, other);
    });
    if (isa<Value>(size) && type.isDynamicDim(dim) && !carried)
      unknown.push_back(dim);
  }
  if (unknown.size() == 1) {
    // It is what remains, in whichever way it is spelled.
    Sizes others = target;
    others.erase(others.begin() + unknown[0]);
    target[unknown[0]] = remaining(e, from, others);
    return;
  }
  Value one = s.index(1), minusOne = s.index(-1);
  for (size_t dim : unknown) {
    if (dim >= from.size() || allowZero)
      continue;
    Value value = e.asValue(target[dim]);
    target[dim] = e.asSize(s.select(s.compare(Compare::EQ, value, s.index(0)),
                                    e.asValue(from[dim]), value));
  }
  Sizes given;
  for (auto [dim, size] : llvm::enumerate(target)) {
    Value value = e.asValue(size);
    given.push_back(
        llvm::is_contained(unknown, dim)
            ? e.asSize(
                  s.select(s.compare(Compare::EQ, value, minusOne), one, value))
            : size);
  }
  if (unknown.empty())
    return;
  Value rest = s.div(e.asValue(e.product(from)), e.asValue(e.product(given)));
  for (size_t dim : unknown) {
    Value value = e.asValue(target[dim]);
    target[dim] = e.asSize(
        s.select(s.compare(Compare::EQ, value, minusOne), rest, value));
  }
}

static LogicalResult lowerReshape(Emitter &e, ReshapeOp op) {
  Value data = e.get(op.getData());
  Sizes from = e.sizes(data);
  auto type = cast<RankedTensorType>(op.getType());
  std::optional<Sizes> target = e.ints(op.getShape(), type.getRank());
  if (!target || static_cast<int64_t>(target->size()) != type.getRank())
    return e.unsupported(op, "its shape's length is not known");
  std::optional<size_t> inferred;
  Sizes known;
  for (auto [dim, size] : llvm::enumerate(*target)) {
    if (isConstantIntValue(size, 0) && !op.getAllowzero()) {
      if (dim >= from.size())
        return e.unsupported(op, "it copies a dimension that is not there");
      size = from[dim];
    }
    if (isConstantIntValue(size, -1))
      inferred = dim;
    else
      known.push_back(size);
  }
  if (inferred) {
    (*target)[*inferred] = remaining(e, from, known);
  } else {
    resolveAtRunTime(e, *target, from, type, op.getAllowzero());
  }
  refine(e, *target, op.getReshaped());
  setView(e, op.getReshaped(), op.getData(), std::move(*target));
  return success();
}

static LogicalResult lowerFlatten(Emitter &e, FlattenOp op) {
  Value input = e.get(op.getInput());
  Sizes from = e.sizes(input);
  int64_t rank = from.size(), axis = op.getAxis();
  axis = axis < 0 ? axis + rank : axis;
  Sizes target = {e.product(ArrayRef(from).take_front(axis)),
                  e.product(ArrayRef(from).drop_front(axis))};
  setView(e, op.getOutput(), op.getInput(), target);
  return success();
}

/// Constant axes in [0, rank), in order.
static std::optional<Ints> constantAxes(Emitter &e, Value axes, int64_t rank) {
  std::optional<Sizes> given = e.ints(axes);
  if (!given)
    return std::nullopt;
  Ints result;
  for (OpFoldResult axis : *given) {
    auto known = getConstantIntValue(axis);
    auto valid = known ? normalizeAxis(*known, rank) : std::nullopt;
    if (!valid)
      return std::nullopt;
    result.push_back(*valid);
  }
  llvm::sort(result);
  return result;
}

static LogicalResult lowerSqueeze(Emitter &e, SqueezeOp op) {
  Value data = e.get(op.getData());
  int64_t rank = Emitter::rank(data);
  Ints axes;
  if (op.getAxes() && !isAbsent(op.getAxes())) {
    std::optional<Ints> given = constantAxes(e, op.getAxes(), rank);
    if (!given)
      return e.unsupported(op, "its axes are known at run time only");
    axes = *given;
  } else {
    for (auto [dim, size] : llvm::enumerate(e.sizes(data)))
      if (isConstantIntValue(size, 1))
        axes.push_back(dim);
  }
  if (rank - static_cast<int64_t>(axes.size()) !=
      Emitter::rank(op.getSqueezed()))
    return e.unsupported(op, "the dimensions to drop are not known");
  if (std::optional<Values> list = e.scalars(op.getData());
      list && Emitter::rank(op.getSqueezed()) <= 1 && list->size() >= 1)
    e.setScalars(op.getSqueezed(), *list);
  else
    e.set(op.getSqueezed(), e.dropUnits(data, axes));
  return success();
}

static LogicalResult lowerUnsqueeze(Emitter &e, UnsqueezeOp op) {
  std::optional<Ints> axes =
      constantAxes(e, op.getAxes(), Emitter::rank(op.getExpanded()));
  if (!axes)
    return e.unsupported(op, "its axes are known at run time only");
  if (std::optional<Values> list = e.scalars(op.getData());
      list && Emitter::rank(op.getExpanded()) <= 1)
    e.setScalars(op.getExpanded(), *list);
  else
    e.set(op.getExpanded(), e.insertUnits(e.get(op.getData()), *axes));
  return success();
}

static LogicalResult lowerExpand(Emitter &e, ExpandOp op) {
  Value input = e.get(op.getInput());
  int64_t rank = Emitter::rank(op.getOutput());
  std::optional<Sizes> shape =
      e.ints(op.getShape(), Emitter::rank(input) < rank ? rank : -1);
  if (!shape)
    return e.unsupported(op, "its shape's length is not known");
  Sizes target = e.broadcastSizes({e.sizes(input), *shape}, op.getOutput());
  for (auto [i, size] : llvm::enumerate(*shape))
    e.requireBroadcast(size, target[i + target.size() - shape->size()]);
  auto list = e.scalars(op.getInput());
  auto length =
      rank == 1 ? getConstantIntValue(target[0]) : std::optional<int64_t>();
  if (list && list->size() == 1 && length && *length <= Emitter::maxScalars)
    e.setScalars(op.getOutput(), Values(*length, list->front()));
  else
    e.set(op.getOutput(), e.broadcastTo(input, target));
  return success();
}

void bitnet::onnx::addShapeLowerings(LoweringTable &table) {
  table.add(lowerConstant);
  table.add(lowerConstantOfShape);
  table.add(lowerRange);
  table.add(lowerEyeLike);
  table.add(lowerShape);
  table.add(lowerSize);
  table.add(lowerReshape);
  table.add(lowerFlatten);
  table.add(lowerSqueeze);
  table.add(lowerUnsqueeze);
  table.add(lowerExpand);
}
