//===- Movement.cpp - Permuting, joining and cutting ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <limits>

using namespace mlir;
using namespace bitnet::onnx;

static LogicalResult lowerTranspose(Emitter &e, TransposeOp op) {
  Value data = e.get(op.getData());
  Ints perm;
  if (auto given = op.getPerm())
    perm.assign(given->begin(), given->end());
  else
    for (int64_t dim = Emitter::rank(data); dim-- > 0;)
      perm.push_back(dim);
  if (Emitter::rank(data) <= 1)
    e.set(op.getTransposed(), data);
  else
    e.set(op.getTransposed(), e.transpose(data, perm));
  return success();
}

static LogicalResult lowerConcat(Emitter &e, ConcatOp op) {
  int64_t rank = Emitter::rank(op.getConcatResult());
  int64_t axis = normalizeAxis(op.getAxis(), rank).value_or(0);
  if (rank == 1) {
    Values elements;
    bool small = true;
    for (Value input : op.getInputs()) {
      std::optional<Values> list = small ? e.scalars(input) : std::nullopt;
      small = list.has_value();
      if (small)
        elements.append(*list);
    }
    if (small && elements.size() <= Emitter::maxScalars) {
      e.setScalars(op.getConcatResult(), elements);
      return success();
    }
  }
  Values tensors;
  for (Value input : op.getInputs())
    tensors.push_back(e.get(input));
  e.set(op.getConcatResult(), e.concat(tensors, axis));
  return success();
}

static LogicalResult lowerSplit(Emitter &e, SplitOp op) {
  Value input = e.get(op.getInput());
  int64_t axis = normalizeAxis(op.getAxis(), Emitter::rank(input)).value_or(0);
  OpFoldResult size = e.sizes(input)[axis];
  int64_t count = op.getOutputs().size();
  Sizes parts;
  if (op.getSplit() && !isAbsent(op.getSplit())) {
    std::optional<Sizes> given = e.ints(op.getSplit(), count);
    if (!given || static_cast<int64_t>(given->size()) != count)
      return e.unsupported(op, "the number of its lengths is not known");
    parts = *given;
  } else {
    // Even parts, rounded up; the last takes what is left.
    Scalars s(e.b, e.loc);
    Value total = e.asValue(size);
    Value part = s.div(s.add(total, s.index(count - 1)), s.index(count));
    parts.assign(count - 1, e.asSize(part));
    parts.push_back(e.asSize(s.sub(total, s.mul(part, s.index(count - 1)))));
  }
  OpFoldResult offset = e.asSize(0);
  std::optional<Values> list = e.scalars(op.getInput());
  for (auto [output, part] : llvm::zip(op.getOutputs(), parts)) {
    auto first = getConstantIntValue(offset),
         length = getConstantIntValue(part);
    if (list && first && length)
      e.setScalars(output, ArrayRef(*list).slice(*first, *length));
    else
      e.set(output, e.sliceAxis(input, axis, offset, part));
    offset = e.addSizes(offset, part);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Slice
//===----------------------------------------------------------------------===//

namespace {
/// What a Slice takes of one axis.
struct Window {
  OpFoldResult offset, size;
  int64_t step = 1;
};
} // namespace

/// Counts `bound` from the end if it is negative, and limits it to [low, high].
static OpFoldResult clampBound(Emitter &e, OpFoldResult bound,
                               OpFoldResult size, OpFoldResult low,
                               OpFoldResult high) {
  if (Emitter::areEqual(bound, size) && Emitter::areEqual(high, size))
    return size;
  std::optional<int64_t> known = getConstantIntValue(bound);
  if (known == 0 && isConstantIntValue(low, 0) && Emitter::areEqual(high, size))
    return bound;
  // The standard's ways of saying "to the end".
  if (known && *known >= std::numeric_limits<int32_t>::max())
    return high;
  if (known && *known <= std::numeric_limits<int32_t>::min())
    return low;
  auto value = dyn_cast<Value>(bound);
  bool isSize = value && value.getDefiningOp<tensor::DimOp>();
  if (known ? *known < 0 : !isSize) {
    Scalars s(e.b, e.loc);
    Value index = e.asValue(bound);
    Value isNegative = s.compare(Compare::LT, index, s.index(0));
    bound = e.asSize(
        s.select(isNegative, e.asValue(e.addSizes(bound, size)), index));
  }
  return e.minSizes(e.maxSizes(bound, low), high);
}

static Window sliceWindow(Emitter &e, OpFoldResult start, OpFoldResult end,
                          int64_t step, OpFoldResult size) {
  OpFoldResult zero = e.asSize(0);
  if (step > 0) {
    start = clampBound(e, start, size, zero, size);
    end = clampBound(e, end, size, zero, size);
  } else {
    OpFoldResult last = e.subSizes(size, e.asSize(1));
    start = clampBound(e, start, size, zero, last);
    end = clampBound(e, end, size, e.asSize(-1), last);
    std::swap(start, end);
  }
  // Sizes are not negative: a slice from 0 needs no limit.
  OpFoldResult span = isConstantIntValue(start, 0) && step > 0
                          ? end
                          : e.maxSizes(e.subSizes(end, start), zero);
  OpFoldResult offset = step > 0 ? start : end;
  if (std::abs(step) != 1) {
    Scalars s(e.b, e.loc);
    // A step beyond any size takes one element; sums of it do not overflow.
    int64_t stride = std::min(std::abs(step), int64_t(1) << 40);
    Value padded = s.add(e.asValue(span), s.index(stride - 1));
    span = e.asSize(s.div(padded, s.index(stride)));
  }
  return {offset, span, step};
}

/// Takes the windows of all axes: as a view, unless one runs backwards.
static Value takeWindows(Emitter &e, Value data, ArrayRef<Window> windows) {
  Sizes offsets, sizes, strides;
  bool backwards = false;
  for (const Window &window : windows) {
    offsets.push_back(window.offset);
    sizes.push_back(window.size);
    strides.push_back(e.asSize(window.step));
    backwards |= window.step < 0;
  }
  if (!backwards)
    return e.slice(data, offsets, sizes, strides);
  return e.generate(
      sizes, Emitter::element(data), [&](Scalars &s, Values &positions) {
        for (auto [i, window] : llvm::enumerate(windows)) {
          Value step = s.index(window.step);
          Value base =
              getValueOrCreateConstantIndexOp(s.b, s.loc, window.offset);
          positions[i] = s.add(base, s.mul(positions[i], step));
        }
        return e.extract(s.b, data, positions);
      });
}

static LogicalResult lowerSlice(Emitter &e, SliceOp op) {
  Value data = e.get(op.getData());
  int64_t rank = Emitter::rank(data);
  auto isGiven = [](Value value) { return value && !isAbsent(value); };
  std::optional<Sizes> axes, steps;
  if (isGiven(op.getAxes()))
    axes = e.ints(op.getAxes());
  if (isGiven(op.getSteps()))
    steps = e.ints(op.getSteps());
  std::optional<Sizes> starts = e.ints(op.getStarts(), rank);
  std::optional<Sizes> ends = e.ints(op.getEnds(), rank);
  if (!starts || !ends || (isGiven(op.getAxes()) && !axes) ||
      (isGiven(op.getSteps()) && !steps) || starts->size() != ends->size() ||
      (axes && axes->size() != starts->size()) ||
      (steps && steps->size() != starts->size()))
    return e.unsupported(op, "the number of its axes is not known");
  SmallVector<Window> windows;
  for (OpFoldResult size : e.sizes(data))
    windows.push_back({e.asSize(0), size, 1});
  for (size_t i = 0; i < starts->size(); ++i) {
    auto axis = axes ? getConstantIntValue((*axes)[i]) : int64_t(i);
    auto valid = axis ? normalizeAxis(*axis, rank) : std::nullopt;
    auto step = steps ? getConstantIntValue((*steps)[i]) : int64_t(1);
    if (!valid || !step || *step == 0)
      return e.unsupported(op, "an axis or step is known at run time only");
    windows[*valid] =
        sliceWindow(e, (*starts)[i], (*ends)[i], *step, e.sizes(data)[*valid]);
  }
  if (std::optional<Values> list =
          rank == 1 ? e.scalars(op.getData()) : std::nullopt) {
    auto offset = getConstantIntValue(windows[0].offset);
    auto size = getConstantIntValue(windows[0].size);
    if (offset && size) {
      Values elements;
      for (int64_t i = 0; i < *size; ++i)
        elements.push_back((*list)[*offset + i * windows[0].step]);
      e.setScalars(op.getOutput(), elements);
      return success();
    }
  }
  e.set(op.getOutput(), takeWindows(e, data, windows));
  return success();
}

//===----------------------------------------------------------------------===//
// Tile and Pad
//===----------------------------------------------------------------------===//

static LogicalResult lowerTile(Emitter &e, TileOp op) {
  Value input = e.get(op.getInput());
  Sizes from = e.sizes(input);
  std::optional<Sizes> repeats = e.ints(op.getRepeats(), from.size());
  if (!repeats || repeats->size() != from.size())
    return e.unsupported(op, "the number of its repeats is not known");
  // Each repeated dimension becomes a pair (repeat, size), then their product.
  Sizes spread, target;
  SmallVector<AffineExpr> exprs;
  for (auto [size, repeat] : llvm::zip(from, *repeats)) {
    if (!isConstantIntValue(repeat, 1))
      spread.push_back(repeat);
    exprs.push_back(e.b.getAffineDimExpr(spread.size()));
    spread.push_back(size);
    target.push_back(e.product({repeat, size}));
  }
  AffineMap map = AffineMap::get(spread.size(), 0, exprs, e.b.getContext());
  Value tiled = e.generate(spread, Emitter::element(input), input, map,
                           [](Scalars &, ArrayRef<Value> x) { return x[0]; });
  e.set(op.getOutput(), e.reshape(tiled, target));
  return success();
}

/// The position in the input for one in the padded axis, by the mode.
static Value padPosition(Scalars &s, Value at, Value size, StringRef mode) {
  Value zero = s.index(0), last = s.sub(size, s.index(1));
  if (mode == "wrap") {
    Value rest = s.rem(at, size);
    at = s.select(s.compare(Compare::LT, rest, zero), s.add(rest, size), rest);
  } else if (mode == "reflect") {
    // A period is there and back, without the ends twice.
    Value period = s.max(s.mul(last, s.index(2)), s.index(1));
    Value rest = s.rem(at, period);
    rest =
        s.select(s.compare(Compare::LT, rest, zero), s.add(rest, period), rest);
    at = s.min(rest, s.sub(period, rest));
  }
  return s.max(s.min(at, last), zero);
}

static LogicalResult lowerPad(Emitter &e, PadOp op) {
  Value data = e.get(op.getData());
  int64_t rank = Emitter::rank(data);
  Sizes from = e.sizes(data), low(rank, e.asSize(0)), high(rank, e.asSize(0));
  Ints axes = dimsBetween(0, rank);
  if (op.getAxes() && !isAbsent(op.getAxes())) {
    std::optional<Sizes> given = e.ints(op.getAxes());
    axes.clear();
    for (OpFoldResult axis : given ? *given : Sizes()) {
      auto known = getConstantIntValue(axis);
      auto valid = known ? normalizeAxis(*known, rank) : std::nullopt;
      if (!valid)
        return e.unsupported(op, "its axes are known at run time only");
      axes.push_back(*valid);
    }
  }
  std::optional<Sizes> pads = e.ints(op.getPads(), 2 * axes.size());
  if (!pads || pads->size() != 2 * axes.size())
    return e.unsupported(op, "the number of its pads is not known");
  for (auto [i, axis] : llvm::enumerate(axes)) {
    low[axis] = (*pads)[i];
    high[axis] = (*pads)[i + axes.size()];
  }
  Type type = Emitter::element(data);
  Scalars outer(e.b, e.loc);
  Value fill = op.getConstantValue() && !isAbsent(op.getConstantValue())
                   ? e.scalar(op.getConstantValue())
                   : outer.constant(type, 0);
  Sizes target;
  for (auto [size, before, after] : llvm::zip(from, low, high))
    target.push_back(e.addSizes(size, e.addSizes(before, after)));
  StringRef mode = op.getMode();
  auto body = [&](Scalars &s, Values &positions) {
    Value inside = s.integer(s.b.getI1Type(), 1);
    for (auto [dim, position] : llvm::enumerate(positions)) {
      if (isConstantIntValue(low[dim], 0) && isConstantIntValue(high[dim], 0))
        continue;
      Value size = getValueOrCreateConstantIndexOp(s.b, s.loc, from[dim]);
      Value before = getValueOrCreateConstantIndexOp(s.b, s.loc, low[dim]);
      Value at = s.sub(position, before);
      if (mode == "constant") {
        Value ok = s.logicalAnd(s.compare(Compare::GE, at, s.index(0)),
                                s.compare(Compare::LT, at, size));
        inside = s.logicalAnd(inside, ok);
      }
      position = padPosition(s, at, size, mode);
    }
    Value element = e.extract(s.b, data, positions);
    return mode == "constant" ? s.select(inside, element, fill) : element;
  };
  auto isPositive = [](OpFoldResult pad) {
    return getConstantIntValue(pad).value_or(-1) >= 0;
  };
  if (mode == "constant" && llvm::all_of(low, isPositive) &&
      llvm::all_of(high, isPositive)) {
    auto padded = tensor::PadOp::create(e.b, e.loc, Type(), data, low, high,
                                        fill, /*nofold=*/false);
    e.set(op.getOutput(), padded);
  } else {
    e.set(op.getOutput(), e.generate(target, type, body));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Trilu, OneHot, blocks
//===----------------------------------------------------------------------===//

static LogicalResult lowerTrilu(Emitter &e, TriluOp op) {
  Value input = e.get(op.getInput());
  int64_t rank = Emitter::rank(input);
  Scalars outer(e.b, e.loc);
  Value diagonal = op.getK() && !isAbsent(op.getK())
                       ? outer.toIndex(e.scalar(op.getK()))
                       : outer.index(0);
  Compare kept = op.getUpper() ? Compare::LE : Compare::GE;
  e.set(
      op.getOutput(),
      e.map(input, Emitter::element(input), [&](Scalars &s, ArrayRef<Value> x) {
        Value row = s.add(s.position(rank - 2), diagonal);
        Value keep = s.compare(kept, row, s.position(rank - 1));
        return s.select(keep, x[0], s.constant(x[0].getType(), 0));
      }));
  return success();
}

static LogicalResult lowerOneHot(Emitter &e, OneHotOp op) {
  Value indices = e.get(op.getIndices()), values = e.get(op.getValues());
  int64_t rank = Emitter::rank(op.getOutput());
  std::optional<int64_t> axis = normalizeAxis(op.getAxis(), rank);
  if (!axis)
    return e.unsupported(op, "its axis is out of range");
  Scalars outer(e.b, e.loc, Emitter::isUnsigned(op.getDepth()));
  Value depth = outer.toIndex(e.scalar(op.getDepth()));
  Value off = e.extract(e.b, values, outer.index(0));
  Value on = e.extract(e.b, values, outer.index(1));
  Sizes target = e.sizes(indices);
  target.insert(target.begin() + *axis, e.asSize(depth));
  SmallVector<AffineExpr> exprs;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (dim != *axis)
      exprs.push_back(e.b.getAffineDimExpr(dim));
  AffineMap map = AffineMap::get(rank, 0, exprs, e.b.getContext());
  auto body = [&](Scalars &s, ArrayRef<Value> x) {
    Value index = s.toIndex(x[0]);
    Value isNegative =
        Scalars(s.b, s.loc).compare(Compare::LT, index, s.index(0));
    index = s.select(isNegative, s.add(index, depth), index);
    return s.select(s.compare(Compare::EQ, index, s.position(*axis)), on, off);
  };
  e.set(op.getOutput(),
        e.generate(target, Emitter::element(values), indices, map, body,
                   Emitter::isUnsigned(op.getIndices())));
  return success();
}

/// Between [N, C, H, W] and blocks of pixels: a reshape, a permutation and a
/// reshape.
static LogicalResult lowerDepthToSpace(Emitter &e, DepthToSpaceOp op) {
  Value x = e.get(op.getInput());
  Sizes from = e.sizes(x);
  if (from.size() != 4)
    return e.unsupported(op, "its input is not of rank 4");
  OpFoldResult block = e.asSize(op.getBlocksize());
  Scalars s(e.b, e.loc);
  OpFoldResult channels =
      e.asSize(s.div(e.asValue(from[1]), e.asValue(e.product({block, block}))));
  bool depthFirst = op.getMode() == "DCR";
  Sizes parts = depthFirst
                    ? Sizes{from[0], block, block, channels, from[2], from[3]}
                    : Sizes{from[0], channels, block, block, from[2], from[3]};
  Ints perm = depthFirst ? Ints{0, 3, 4, 1, 5, 2} : Ints{0, 1, 4, 2, 5, 3};
  Value moved = e.transpose(e.reshape(x, parts), perm);
  e.set(op.getOutput(),
        e.reshape(moved, {from[0], channels, e.product({from[2], block}),
                          e.product({from[3], block})}));
  return success();
}

static LogicalResult lowerSpaceToDepth(Emitter &e, SpaceToDepthOp op) {
  Value x = e.get(op.getInput());
  Sizes from = e.sizes(x);
  if (from.size() != 4)
    return e.unsupported(op, "its input is not of rank 4");
  OpFoldResult block = e.asSize(op.getBlocksize());
  Scalars s(e.b, e.loc);
  auto blocks = [&](OpFoldResult size) {
    return e.asSize(s.div(e.asValue(size), e.asValue(block)));
  };
  OpFoldResult rows = blocks(from[2]), cols = blocks(from[3]);
  Value parts = e.reshape(x, {from[0], from[1], rows, block, cols, block});
  Value moved = e.transpose(parts, {0, 3, 5, 1, 2, 4});
  e.set(op.getOutput(),
        e.reshape(moved,
                  {from[0], e.product({block, block, from[1]}), rows, cols}));
  return success();
}

void bitnet::onnx::addMovementLowerings(LoweringTable &table) {
  table.add(lowerTranspose);
  table.add(lowerConcat);
  table.add(lowerSplit);
  table.add(lowerSlice);
  table.add(lowerTile);
  table.add(lowerPad);
  table.add(lowerTrilu);
  table.add(lowerOneHot);
  table.add(lowerDepthToSpace);
  table.add(lowerSpaceToDepth);
}
