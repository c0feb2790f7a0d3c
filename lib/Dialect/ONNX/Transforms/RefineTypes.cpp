//===- RefineTypes.cpp - Extents that folding made known ------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "bitnet/Dialect/ONNX/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Traits.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numeric>

using namespace mlir;

namespace bitnet::onnx {
#define GEN_PASS_DEF_REFINETYPES
#include "bitnet/Dialect/ONNX/Transforms/Passes.h.inc"

namespace {

using Shape = SmallVector<int64_t>;

/// An element of a shape: a constant, an extent of a tensor, or unknown.
struct Extent {
  int64_t constant = ShapedType::kDynamic;
  Value source = nullptr;
  int64_t dim = 0;
};

struct RefineTypes : impl::RefineTypesBase<RefineTypes> {
  void runOnOperation() override;

private:
  void refine(Operation *op);
};

} // namespace

static RankedTensorType getType(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

//===----------------------------------------------------------------------===//
// Shapes as values
//===----------------------------------------------------------------------===//

/// Extents of a tensor that Shape reads.
static SmallVector<Extent> getExtentsOf(ShapeOp op) {
  RankedTensorType type = getType(op.getData());
  int64_t rank = type.getRank();
  auto bound = [&](int64_t i) {
    return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank);
  };
  SmallVector<Extent> extents;
  int64_t end = op.getEnd() ? bound(*op.getEnd()) : rank;
  for (int64_t i = bound(op.getStart()); i < end; ++i)
    extents.push_back({type.getDimSize(i), op.getData(), i});
  return extents;
}

static std::optional<SmallVector<Extent>> getExtents(Value shape, int depth);

static std::optional<SmallVector<Extent>> getSliced(SliceOp op, int depth) {
  auto all = getExtents(op.getData(), depth);
  auto starts = getConstantInts(op.getStarts());
  auto ends = getConstantInts(op.getEnds());
  auto steps = getConstantInts(op.getSteps());
  if (!all || !starts || !ends || starts->size() != 1 || ends->size() != 1 ||
      (!isAbsent(op.getSteps()) && (!steps || steps->front() != 1)))
    return std::nullopt;
  int64_t size = all->size();
  auto bound = [&](int64_t i) {
    return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size);
  };
  int64_t begin = bound(starts->front());
  int64_t end = std::max(begin, bound(ends->front()));
  return SmallVector<Extent>(all->begin() + begin, all->begin() + end);
}

/// Whether two elements are equal, where that is known.
static std::optional<bool> areEqual(const Extent &a, const Extent &b) {
  bool knowsA = !ShapedType::isDynamic(a.constant);
  bool knowsB = !ShapedType::isDynamic(b.constant);
  if (knowsA && knowsB)
    return a.constant == b.constant;
  // No extent is negative.
  if ((knowsA && a.constant < 0 && b.source) ||
      (knowsB && b.constant < 0 && a.source))
    return false;
  return std::nullopt;
}

/// Elements that Where selects by an Equal: exporters replace -1 by 1.
static std::optional<SmallVector<Extent>> getSelected(WhereOp op, int depth) {
  auto equal = op.getCondition().getDefiningOp<EqualOp>();
  if (!equal)
    return std::nullopt;
  Value values[] = {equal->getOperand(0), equal->getOperand(1), op.getX(),
                    op.getY()};
  SmallVector<Extent> lists[4];
  size_t size = 1;
  for (auto [list, value] : llvm::zip(lists, values)) {
    auto extents = getExtents(value, depth);
    if (!extents)
      return std::nullopt;
    list = *extents;
    size = std::max(size, list.size());
  }
  SmallVector<Extent> result;
  for (size_t i = 0; i < size; ++i) {
    auto at = [&](const SmallVector<Extent> &list) {
      return list.size() == 1 ? list[0] : i < list.size() ? list[i] : Extent();
    };
    auto same = areEqual(at(lists[0]), at(lists[1]));
    result.push_back(same ? at(lists[*same ? 2 : 3]) : Extent());
  }
  return result;
}

/// The elements of a scalar or vector of integers, if their number is known.
static std::optional<SmallVector<Extent>> getExtents(Value shape, int depth) {
  constexpr int kMaxDepth = 16;
  RankedTensorType type = getType(shape);
  if (!type || type.getRank() > 1 || !type.hasStaticShape())
    return std::nullopt;
  SmallVector<Extent> unknown(type.getNumElements());
  std::optional<SmallVector<Extent>> result;
  if (auto constant = getConstantInts(shape)) {
    result.emplace();
    for (int64_t value : *constant)
      result->push_back({value});
  } else if (depth < kMaxDepth) {
    if (auto op = shape.getDefiningOp<ShapeOp>()) {
      result = getExtentsOf(op);
    } else if (auto op = shape.getDefiningOp<ConcatOp>()) {
      result.emplace();
      for (Value input : op.getInputs())
        if (auto part = getExtents(input, depth + 1))
          llvm::append_range(*result, *part);
    } else if (auto op = shape.getDefiningOp<SliceOp>()) {
      result = getSliced(op, depth + 1);
    } else if (auto op = shape.getDefiningOp<WhereOp>()) {
      result = getSelected(op, depth + 1);
    } else if (auto op = shape.getDefiningOp<GatherOp>()) {
      auto all = getExtents(op.getData(), depth + 1);
      auto indices = getConstantInts(op.getIndices());
      if (all && indices && indices->size() == 1) {
        int64_t size = all->size(), index = indices->front();
        index = index < 0 ? index + size : index;
        if (index >= 0 && index < size)
          result = {{(*all)[index]}};
      }
    } else if (isa_and_nonnull<UnsqueezeOp, SqueezeOp, ReshapeOp, IdentityOp>(
                   shape.getDefiningOp())) {
      result = getExtents(shape.getDefiningOp()->getOperand(0), depth + 1);
    }
  }
  return result && result->size() == unknown.size() ? *result : unknown;
}

//===----------------------------------------------------------------------===//
// Shapes of results
//===----------------------------------------------------------------------===//

static Shape broadcast(ArrayRef<Shape> shapes) {
  size_t rank = 0;
  for (const Shape &shape : shapes)
    rank = std::max(rank, shape.size());
  Shape result(rank, 1);
  for (const Shape &shape : shapes)
    for (auto [extent, sum] :
         llvm::zip(llvm::reverse(shape), llvm::reverse(result)))
      // What is known not to be 1 decides.
      if (extent != 1 && (sum == 1 || ShapedType::isDynamic(sum)))
        sum = extent;
  return result;
}

static Shape getShape(Value value) { return Shape(getType(value).getShape()); }

static std::optional<Shape> inferReshape(ReshapeOp op) {
  auto extents = getExtents(op.getShape(), 0);
  if (!extents || op.getAllowzero() != 0)
    return std::nullopt;
  RankedTensorType type = getType(op.getData());
  Shape rest = Shape(type.getShape()), result;
  std::optional<size_t> open;
  int64_t divisor = 1;
  bool known = true;
  for (auto [i, extent] : llvm::enumerate(*extents)) {
    int64_t value = extent.constant;
    // 0 copies the input's extent.
    bool copies = value == 0 && static_cast<int64_t>(i) < type.getRank();
    if (copies)
      value = type.getDimSize(i);
    if (value == -1) {
      open = i;
      result.push_back(ShapedType::kDynamic);
      continue;
    }
    result.push_back(value);
    if (!ShapedType::isDynamic(value)) {
      divisor *= value;
      continue;
    }
    // A dynamic extent of the input, which cancels out.
    int64_t dim = copies ? static_cast<int64_t>(i) : extent.dim;
    if ((copies || extent.source == op.getData()) &&
        ShapedType::isDynamic(rest[dim]))
      rest[dim] = 1;
    else
      known = false;
  }
  if (!open || !known || divisor <= 0 ||
      llvm::is_contained(rest, ShapedType::kDynamic))
    return result;
  int64_t product = std::accumulate(rest.begin(), rest.end(), int64_t(1),
                                    std::multiplies<int64_t>());
  if (product > 0 && product % divisor == 0)
    result[*open] = product / divisor;
  return result;
}

static std::optional<Shape> inferSlice(SliceOp op) {
  Shape shape = getShape(op.getData());
  int64_t rank = shape.size();
  auto starts = getConstantInts(op.getStarts());
  auto ends = getConstantInts(op.getEnds());
  auto axes = getConstantInts(op.getAxes());
  auto steps = getConstantInts(op.getSteps());
  if (isAbsent(op.getAxes()) || !axes)
    return std::nullopt;
  bool stepsKnown = isAbsent(op.getSteps()) || steps;
  for (auto [i, axis] : llvm::enumerate(*axes)) {
    auto dim = normalizeAxis(axis, rank);
    if (!dim)
      return std::nullopt;
    int64_t &extent = shape[*dim];
    bool isKnown = starts && ends && i < starts->size() && i < ends->size() &&
                   stepsKnown && (!steps || (*steps)[i] == 1) &&
                   !ShapedType::isDynamic(extent);
    if (!isKnown) {
      extent = ShapedType::kDynamic;
      continue;
    }
    auto bound = [&](int64_t at) {
      return std::clamp<int64_t>(at < 0 ? at + extent : at, 0, extent);
    };
    extent = std::max<int64_t>(0, bound((*ends)[i]) - bound((*starts)[i]));
  }
  return shape;
}

static std::optional<Shape> inferConcat(ConcatOp op) {
  Shape shape = getShape(op.getInputs().front());
  auto axis = normalizeAxis(op.getAxis(), shape.size());
  if (!axis)
    return std::nullopt;
  for (Value input : op.getInputs().drop_front()) {
    for (auto [i, extents] :
         llvm::enumerate(llvm::zip(shape, getType(input).getShape()))) {
      auto &[sum, extent] = extents;
      if (static_cast<int64_t>(i) != *axis) {
        if (ShapedType::isDynamic(sum))
          sum = extent;
      } else if (ShapedType::isDynamic(sum) || ShapedType::isDynamic(extent)) {
        sum = ShapedType::kDynamic;
      } else {
        sum += extent;
      }
    }
  }
  return shape;
}

static std::optional<Shape> inferTranspose(TransposeOp op) {
  Shape from = getShape(op.getData()), shape;
  if (!op.getPerm()) {
    return Shape(from.rbegin(), from.rend());
  }
  for (int64_t dim : *op.getPerm())
    shape.push_back(from[dim]);
  return shape;
}

static std::optional<Shape> inferUnsqueeze(UnsqueezeOp op) {
  auto axes = getConstantInts(op.getAxes());
  Shape from = getShape(op.getData());
  if (!axes)
    return std::nullopt;
  Shape shape(from.size() + axes->size(), 0);
  for (int64_t axis : *axes) {
    auto dim = normalizeAxis(axis, shape.size());
    if (!dim || shape[*dim] == 1)
      return std::nullopt;
    shape[*dim] = 1;
  }
  auto next = from.begin();
  for (int64_t &extent : shape)
    if (extent != 1)
      extent = *next++;
  return shape;
}

static std::optional<Shape> inferMatMul(MatMulOp op) {
  Shape a = getShape(op.getA()), b = getShape(op.getB());
  if (a.size() < 2 || b.size() < 2)
    return std::nullopt;
  int64_t rows = a[a.size() - 2], columns = b.back();
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  Shape shape = broadcast({a, b});
  shape.append({rows, columns});
  return shape;
}

static std::optional<Shape> inferTile(TileOp op) {
  auto repeats = getConstantInts(op.getRepeats());
  Shape shape = getShape(op.getInput());
  if (!repeats || repeats->size() != shape.size())
    return std::nullopt;
  for (auto [extent, count] : llvm::zip(shape, *repeats))
    if (!ShapedType::isDynamic(extent))
      extent *= count;
  return shape;
}

static std::optional<Shape> inferExpand(ExpandOp op) {
  auto extents = getExtents(op.getShape(), 0);
  if (!extents)
    return std::nullopt;
  Shape target;
  for (const Extent &extent : *extents)
    target.push_back(extent.constant);
  return broadcast({getShape(op.getInput()), target});
}

template <typename ReduceOp>
static std::optional<Shape> inferReduction(ReduceOp op) {
  Shape shape = getShape(op.getData());
  auto axes = getReductionAxes(op.getAxes(), op.getNoopWithEmptyAxes() != 0,
                               shape.size());
  if (!axes || op.getKeepdims() == 0)
    return std::nullopt;
  for (int64_t axis : *axes)
    shape[axis] = 1;
  return shape;
}

/// The shape of an op's first result; dynamic where it is not known.
static std::optional<Shape> inferShape(Operation *op) {
  for (Value operand : op->getOperands())
    if (!isAbsent(operand) && !getType(operand))
      return std::nullopt;
  if (op->hasTrait<OpTrait::SameShapeAsFirst>() ||
      op->hasTrait<mlir::OpTrait::SameOperandsAndResultShape>() ||
      isa<SoftmaxOp, ClipOp>(op))
    return getShape(op->getOperand(0));
  if (op->hasTrait<mlir::OpTrait::ResultsBroadcastableShape>()) {
    SmallVector<Shape> shapes;
    for (Value operand : op->getOperands())
      if (!isAbsent(operand))
        shapes.push_back(getShape(operand));
    return broadcast(shapes);
  }
  return llvm::TypeSwitch<Operation *, std::optional<Shape>>(op)
      .Case<ReshapeOp>(inferReshape)
      .Case<SliceOp>(inferSlice)
      .Case<ConcatOp>(inferConcat)
      .Case<TransposeOp>(inferTranspose)
      .Case<UnsqueezeOp>(inferUnsqueeze)
      .Case<MatMulOp>(inferMatMul)
      .Case<TileOp>(inferTile)
      .Case<ExpandOp>(inferExpand)
      .Case<ReduceMaxOp, ReduceMinOp, ReduceMeanOp, ReduceSumOp>(
          [](auto reduce) { return inferReduction(reduce); })
      .Default(std::nullopt);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

void RefineTypes::refine(Operation *op) {
  if (op->getNumResults() == 0 || op->getNumOperands() == 0)
    return;
  Value result = op->getResult(0);
  RankedTensorType type = getType(result);
  if (!type || type.hasStaticShape())
    return;
  auto inferred = inferShape(op);
  if (!inferred || static_cast<int64_t>(inferred->size()) != type.getRank())
    return;
  Shape shape(type.getShape());
  for (auto [extent, other] : llvm::zip(shape, *inferred))
    if (ShapedType::isDynamic(extent))
      extent = other;
  if (ArrayRef<int64_t>(shape) == type.getShape())
    return;
  result.setType(RankedTensorType::get(shape, type.getElementType()));
  ++numRefined;
}

void RefineTypes::runOnOperation() {
  func::FuncOp function = getOperation();
  if (!function.getBody().hasOneBlock())
    return;
  Block &body = function.getBody().front();
  for (Operation &op : body)
    if (isa_and_nonnull<ONNXDialect>(op.getDialect()))
      refine(&op);
  function.setType(FunctionType::get(&getContext(), body.getArgumentTypes(),
                                     body.getTerminator()->getOperandTypes()));
}

} // namespace bitnet::onnx
