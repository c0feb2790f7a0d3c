//===- Views.cpp - Reshapes, slices and permutations ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace bitnet::onnx;

namespace {

/// A product of sizes: a constant, and values that are not known.
struct Product {
  int64_t constant = 1;
  SmallVector<Value> values;

  void multiply(OpFoldResult size) {
    for (OpFoldResult factor : Emitter::factors(size)) {
      if (std::optional<int64_t> known = getConstantIntValue(factor))
        constant *= *known;
      else
        values.push_back(cast<Value>(factor));
    }
  }
  /// Takes common factors out of both.
  static void cancel(Product &x, Product &y) {
    for (auto *it = x.values.begin(); it != x.values.end();) {
      auto *match = llvm::find(y.values, *it);
      if (match == y.values.end()) {
        ++it;
        continue;
      }
      y.values.erase(match);
      it = x.values.erase(it);
    }
    if (x.constant != 0 && y.constant != 0) {
      int64_t common = std::gcd(x.constant, y.constant);
      x.constant /= common;
      y.constant /= common;
    }
  }
  bool isOne() const { return constant == 1 && values.empty(); }
};

/// Dimensions of the source and of the target with one number of elements.
struct Group {
  SmallVector<int64_t> from, to;
};

} // namespace

/// Pairs runs of dimensions of equal products; nothing if that is unknown.
static std::optional<SmallVector<Group>> pairDims(const Sizes &from,
                                                  const Sizes &to) {
  SmallVector<Group> groups;
  size_t i = 0, j = 0;
  while (i < from.size() && j < to.size()) {
    Group group;
    Product left, right;
    auto takeLeft = [&] {
      left.multiply(from[i]);
      group.from.push_back(i++);
    };
    auto takeRight = [&] {
      right.multiply(to[j]);
      group.to.push_back(j++);
    };
    takeLeft();
    takeRight();
    Product::cancel(left, right);
    while (!left.isOne() || !right.isOne()) {
      // The side that lacks a factor grows.
      bool growLeft =
          left.isOne() || (left.values.empty() && !right.values.empty());
      if (left.values.empty() == right.values.empty())
        growLeft = left.constant < right.constant;
      if (growLeft && i < from.size())
        takeLeft();
      else if (!growLeft && j < to.size())
        takeRight();
      else
        return std::nullopt;
      Product::cancel(left, right);
    }
    groups.push_back(std::move(group));
  }
  // What is left must be units, which join the last group.
  for (; i < from.size(); ++i) {
    if (groups.empty() || !isConstantIntValue(from[i], 1))
      return std::nullopt;
    groups.back().from.push_back(i);
  }
  for (; j < to.size(); ++j) {
    if (groups.empty() || !isConstantIntValue(to[j], 1))
      return std::nullopt;
    groups.back().to.push_back(j);
  }
  return groups;
}

static bool isUnits(const Sizes &sizes) {
  return llvm::all_of(sizes,
                      [](OpFoldResult s) { return isConstantIntValue(s, 1); });
}

/// The type of a tensor of `sizes`.
static RankedTensorType typeOf(const Sizes &sizes, Type element) {
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, element);
}

Value Emitter::reshape(Value tensor, Sizes target) {
  Sizes from = sizes(tensor);
  if (llvm::equal(from, target, areEqual))
    return tensor;
  Type type = element(tensor);
  auto isZero = [](OpFoldResult s) { return isConstantIntValue(s, 0); };
  if (llvm::any_of(target, isZero))
    return empty(target, type);
  // Views go by static types: they must show what the sizes say.
  tensor = matchType(tensor, typeOf(from, type));

  std::optional<SmallVector<Group>> groups;
  if ((from.empty() || target.empty()) && isUnits(from) && isUnits(target))
    groups.emplace();
  else
    groups = pairDims(from, target);
  // Upstream's expand-strided-metadata crashes on an expansion with two dynamic
  // sizes in one group.
  if (groups && llvm::any_of(*groups, [&](const Group &group) {
        return group.to.size() > 1 &&
               llvm::count_if(group.to, [&](int64_t dim) {
                 return isa<Value>(target[dim]);
               }) > 1;
      }))
    groups.reset();
  Value result;
  if (groups) {
    SmallVector<ReassociationIndices> collapse, expand;
    Sizes middle;
    for (const Group &group : *groups) {
      collapse.emplace_back(group.from.begin(), group.from.end());
      expand.emplace_back(group.to.begin(), group.to.end());
      Sizes factors;
      const Sizes &fewer = group.to.size() == 1 ? target : from;
      for (int64_t dim : group.to.size() == 1 ? group.to : group.from)
        factors.push_back(fewer[dim]);
      middle.push_back(product(factors));
    }
    result = tensor;
    if (middle.size() != from.size()) {
      auto op = tensor::CollapseShapeOp::create(b, loc, typeOf(middle, type),
                                                result, collapse);
      result = op;
    }
    if (middle.size() != target.size())
      result = tensor::ExpandShapeOp::create(b, loc, typeOf(target, type),
                                             result, expand, target);
  } else {
    requireEqual(product(from), product(target));
    Values elements;
    for (OpFoldResult size : target)
      elements.push_back(asValue(size));
    Value shape =
        elements.empty()
            ? Value(tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{0},
                                            b.getIndexType()))
            : fromElements(elements, {static_cast<int64_t>(elements.size())});
    result =
        tensor::ReshapeOp::create(b, loc, typeOf(target, type), tensor, shape);
  }
  knownSizes[result] = std::move(target);
  return result;
}

Value Emitter::insertUnits(Value tensor, ArrayRef<int64_t> axes) {
  Sizes from = sizes(tensor), target;
  size_t next = 0, total = from.size() + axes.size();
  for (size_t dim = 0; dim < total; ++dim) {
    bool isUnit = llvm::is_contained(axes, static_cast<int64_t>(dim));
    target.push_back(isUnit ? asSize(1) : from[next++]);
  }
  return reshape(tensor, target);
}

Value Emitter::dropUnits(Value tensor, ArrayRef<int64_t> axes) {
  Sizes from = sizes(tensor), target;
  for (auto [dim, size] : llvm::enumerate(from))
    if (!llvm::is_contained(axes, static_cast<int64_t>(dim)))
      target.push_back(size);
    else {
      requireEqual(size, asSize(1));
      from[dim] = asSize(1);
    }
  // A dropped dimension is 1 though its type may not tell.
  Value narrowed = matchType(tensor, typeOf(from, element(tensor)));
  knownSizes[narrowed] = from;
  return reshape(narrowed, target);
}

Value Emitter::alongAxis(Value vector, int64_t axis, int64_t rank) {
  if (Emitter::rank(vector) == 0)
    return vector;
  Sizes target(rank, asSize(1));
  target[axis] = sizes(vector)[0];
  return reshape(vector, target);
}

Value Emitter::transpose(Value tensor, ArrayRef<int64_t> perm) {
  Sizes from = sizes(tensor), target;
  Ints moved;
  for (int64_t dim : perm) {
    target.push_back(from[dim]);
    if (!isConstantIntValue(from[dim], 1))
      moved.push_back(dim);
  }
  // Moving units only is a reshape.
  if (llvm::is_sorted(moved))
    return reshape(tensor, target);
  SmallVector<AffineExpr> exprs(perm.size());
  for (auto [to, dim] : llvm::enumerate(perm))
    exprs[dim] = b.getAffineDimExpr(to);
  AffineMap map = AffineMap::get(perm.size(), 0, exprs, b.getContext());
  return generate(target, element(tensor), tensor, map,
                  [](Scalars &, ArrayRef<Value> x) { return x[0]; });
}

Value Emitter::slice(Value tensor, ArrayRef<OpFoldResult> offsets,
                     ArrayRef<OpFoldResult> target,
                     ArrayRef<OpFoldResult> strides) {
  Sizes ones(target.size(), asSize(1));
  if (strides.empty())
    strides = ones;
  auto isZero = [](OpFoldResult s) { return isConstantIntValue(s, 0); };
  if (llvm::equal(sizes(tensor), target, areEqual) &&
      llvm::all_of(offsets, isZero))
    return tensor;
  // An empty slice may begin at the end, where a view must not.
  if (llvm::any_of(target, isZero))
    return empty(target, element(tensor));
  Value result =
      tensor::ExtractSliceOp::create(b, loc, tensor, offsets, target, strides);
  knownSizes[result] = Sizes(target);
  return result;
}

Value Emitter::sliceAxis(Value tensor, int64_t axis, OpFoldResult offset,
                         OpFoldResult size) {
  Sizes offsets(rank(tensor), asSize(0)), target = sizes(tensor);
  offsets[axis] = offset;
  target[axis] = size;
  return slice(tensor, offsets, target);
}

Value Emitter::concat(ArrayRef<Value> tensors, int64_t axis) {
  if (tensors.size() == 1)
    return tensors.front();
  Sizes target = sizes(tensors.front());
  for (Value tensor : tensors.drop_front())
    target[axis] = addSizes(target[axis], sizes(tensor)[axis]);
  // Other sizes are equal: take them where they are known.
  for (Value tensor : tensors)
    for (auto [dim, size] : llvm::enumerate(sizes(tensor)))
      if (static_cast<int64_t>(dim) != axis && isa<Attribute>(size))
        target[dim] = size;
  Value result = empty(target, element(tensors.front()));
  Sizes offsets(target.size(), asSize(0)), ones(target.size(), asSize(1));
  for (Value tensor : tensors) {
    Sizes part = target;
    part[axis] = sizes(tensor)[axis];
    // Nothing may be inserted at the end.
    if (llvm::any_of(part,
                     [](OpFoldResult s) { return isConstantIntValue(s, 0); }))
      continue;
    Value matched = matchType(tensor, typeOf(part, element(tensor)));
    result = tensor::InsertSliceOp::create(b, loc, matched, result, offsets,
                                           part, ones);
    offsets[axis] = addSizes(offsets[axis], part[axis]);
  }
  knownSizes[result] = target;
  return result;
}
