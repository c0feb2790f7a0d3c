//===- Products.cpp - Matrix products -------------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace bitnet::onnx;

//===----------------------------------------------------------------------===//
// numpy's matmul
//===----------------------------------------------------------------------===//

static PermutedView complete(PermutedView view) {
  if (view.perm.empty())
    view.perm = dimsBetween(0, Emitter::rank(view.tensor));
  return view;
}

static Sizes sizesOf(Emitter &e, const PermutedView &view) {
  Sizes source = e.sizes(view.tensor), result;
  for (int64_t dim : view.perm)
    result.push_back(source[dim]);
  return result;
}

static bool isOne(OpFoldResult size) { return isConstantIntValue(size, 1); }

/// Has the view's batch dimensions be those of `batch` or 1, by a copy where
/// one of them may be 1 at run time.
static PermutedView unifyBatch(Emitter &e, PermutedView view,
                               const Sizes &batch) {
  Sizes sizes = sizesOf(e, view);
  size_t own = sizes.size() - 2;
  bool unclear = false;
  for (size_t dim = 0; dim < own; ++dim) {
    OpFoldResult out = batch[dim + batch.size() - own];
    if (isOne(sizes[dim]) || Emitter::areEqual(sizes[dim], out))
      continue;
    sizes[dim] = out;
    unclear = true;
  }
  if (!unclear)
    return view;
  Sizes target(sizes.size());
  for (auto [to, from] : llvm::enumerate(view.perm))
    target[from] = sizes[to];
  view.tensor = e.broadcastTo(view.tensor, target);
  return view;
}

/// Drops the view's batch dimensions of size 1 and maps the others to the loops
/// `batchLoops` (-1 where the result's size is 1), the last two to `row`,
/// `col`.
static AffineMap dropUnitBatch(Emitter &e, PermutedView &view,
                               ArrayRef<int64_t> batchLoops, unsigned numLoops,
                               unsigned row, unsigned col) {
  Sizes sizes = sizesOf(e, view);
  size_t own = sizes.size() - 2;
  SmallVector<AffineExpr> bySource(sizes.size());
  Ints dropped;
  for (auto [dim, source] : llvm::enumerate(view.perm)) {
    if (dim >= own)
      bySource[source] = e.b.getAffineDimExpr(dim == own ? row : col);
    else if (isOne(sizes[dim]))
      dropped.push_back(source);
    else
      bySource[source] =
          e.b.getAffineDimExpr(batchLoops[dim + batchLoops.size() - own]);
  }
  SmallVector<AffineExpr> exprs;
  for (AffineExpr expr : bySource)
    if (expr)
      exprs.push_back(expr);
  if (!dropped.empty())
    view.tensor = e.dropUnits(view.tensor, dropped);
  return AffineMap::get(numLoops, 0, exprs, e.b.getContext());
}

/// The product of tensors of rank 2 at least.
static Value emitBatched(Emitter &e, PermutedView a, PermutedView b,
                         Type type) {
  Sizes sizesA = sizesOf(e, a), sizesB = sizesOf(e, b);
  Sizes batch = e.broadcastSizes({Sizes(ArrayRef(sizesA).drop_back(2)),
                                  Sizes(ArrayRef(sizesB).drop_back(2))});
  a = unifyBatch(e, a, batch);
  b = unifyBatch(e, b, batch);
  Sizes loops;
  Ints batchLoops;
  for (OpFoldResult size : batch) {
    batchLoops.push_back(isOne(size) ? -1 : static_cast<int64_t>(loops.size()));
    if (!isOne(size))
      loops.push_back(size);
  }
  unsigned m = loops.size(), n = m + 1, k = m + 2;
  OpFoldResult rows = sizesA[sizesA.size() - 2], cols = sizesB.back();
  llvm::append_range(loops, Sizes{rows, cols, sizesA.back()});
  AffineMap mapA = dropUnitBatch(e, a, batchLoops, k + 1, m, k);
  AffineMap mapB = dropUnitBatch(e, b, batchLoops, k + 1, k, n);
  Value product = e.contract(a.tensor, mapA, b.tensor, mapB, loops, k, type);
  llvm::append_range(batch, Sizes{rows, cols});
  return e.reshape(product, batch);
}

Value bitnet::onnx::emitMatMul(Emitter &e, PermutedView a, PermutedView b,
                               Type type) {
  bool vectorA = Emitter::rank(a.tensor) == 1;
  bool vectorB = Emitter::rank(b.tensor) == 1;
  if (vectorA)
    a = {e.insertUnits(a.tensor, 0), {}};
  if (vectorB)
    b = {e.insertUnits(b.tensor, 1), {}};
  a = complete(a);
  b = complete(b);
  // Leading dimensions are rows where the weight has none.
  Sizes leading;
  bool collapse =
      a.perm.size() > 2 && b.perm.size() == 2 && llvm::is_sorted(a.perm);
  if (collapse) {
    leading = e.sizes(a.tensor);
    OpFoldResult depth = leading.pop_back_val();
    a.tensor = e.reshape(a.tensor, {e.product(leading), depth});
    a.perm = {0, 1};
  }
  Value result = emitBatched(e, a, b, type);
  if (collapse) {
    leading.push_back(e.sizes(result)[1]);
    result = e.reshape(result, leading);
  }
  int64_t rank = Emitter::rank(result);
  if (vectorB)
    result = e.dropUnits(result, rank - 1);
  if (vectorA)
    result = e.dropUnits(result, rank - (vectorB ? 1 : 2) - (vectorB ? 1 : 0));
  return result;
}

/// Reads through a Transpose, so that none is materialised.
static PermutedView throughTranspose(Emitter &e, Value value) {
  auto transpose = value.getDefiningOp<TransposeOp>();
  if (!transpose)
    return {e.get(value), {}};
  Value source = e.get(transpose.getData());
  int64_t rank = Emitter::rank(source);
  if (rank < 2)
    return {e.get(value), {}};
  Ints perm;
  if (auto given = transpose.getPerm())
    perm.assign(given->begin(), given->end());
  else
    for (int64_t dim = rank; dim-- > 0;)
      perm.push_back(dim);
  return {source, perm};
}

static LogicalResult lowerMatMul(Emitter &e, MatMulOp op) {
  PermutedView b = throughTranspose(e, op.getB());
  bool rowsCollapse =
      Emitter::rank(b.tensor) == 2 && Emitter::rank(e.get(op.getA())) > 2;
  PermutedView a = rowsCollapse ? PermutedView{e.get(op.getA()), {}}
                                : throughTranspose(e, op.getA());
  Type element = Emitter::element(a.tensor);
  Value product = emitMatMul(e, a, b, computeType(element));
  e.set(op.getY(), e.castElements(product, element));
  return success();
}

//===----------------------------------------------------------------------===//
// Gemm and MatMulInteger
//===----------------------------------------------------------------------===//

static LogicalResult lowerGemm(Emitter &e, GemmOp op) {
  auto view = [&](Value value, bool transposed) {
    PermutedView view = complete(throughTranspose(e, value));
    if (transposed)
      std::swap(view.perm[0], view.perm[1]);
    return view;
  };
  PermutedView a = view(op.getA(), op.getTransA());
  PermutedView b = view(op.getB(), op.getTransB());
  Type element = Emitter::element(a.tensor);
  Type type = computeType(element);
  Value product = emitMatMul(e, a, b, type);
  double alpha = op.getAlpha().convertToDouble();
  double beta = op.getBeta().convertToDouble();
  Values inputs = {product};
  bool hasC = op.getC() && !isAbsent(op.getC()) && beta != 0;
  if (hasC)
    inputs.push_back(e.get(op.getC()));
  if (!hasC && alpha == 1) {
    e.set(op.getY(), e.castElements(product, element));
    return success();
  }
  // Factors of integer products are floats all the same.
  auto scale = [&](Scalars &s, Value x, double factor) -> Value {
    if (factor == 1)
      return x;
    Type wide = isa<FloatType>(type) ? type : Type(s.b.getF64Type());
    return s.cast(s.mul(s.cast(x, wide), s.constant(wide, factor)), type);
  };
  auto body = [&](Scalars &s, ArrayRef<Value> x) {
    Value y = scale(s, x[0], alpha);
    return hasC ? s.add(y, scale(s, x[1], beta)) : y;
  };
  e.set(op.getY(), e.map(inputs, element, body, Emitter::isUnsigned(op.getA()),
                         e.sizes(product)));
  return success();
}

/// `value` in i32, less its zero point.
static Value withoutZeroPoint(Emitter &e, Value value, Value zeroPoint,
                              bool perRow) {
  Type i32 = e.b.getI32Type();
  Values inputs = {e.get(value)};
  bool isUnsigned = Emitter::isUnsigned(value);
  if (zeroPoint && !isAbsent(zeroPoint)) {
    Value zero = e.get(zeroPoint);
    // One per row of A, or per column of B.
    if (perRow && Emitter::rank(zero) == 1)
      zero = e.insertUnits(zero, 1);
    inputs.push_back(zero);
  }
  return e.map(inputs, i32, [&](Scalars &s, ArrayRef<Value> x) {
    Value y = s.cast(x[0], i32, isUnsigned, false);
    return x.size() == 1 ? y : s.sub(y, s.cast(x[1], i32, isUnsigned, false));
  });
}

static LogicalResult lowerMatMulInteger(Emitter &e, MatMulIntegerOp op) {
  Value a = withoutZeroPoint(e, op.getA(), op.getAZeroPoint(), true);
  Value b = withoutZeroPoint(e, op.getB(), op.getBZeroPoint(), false);
  e.set(op.getY(), emitMatMul(e, {a, {}}, {b, {}}, e.b.getI32Type()));
  return success();
}

void bitnet::onnx::addProductLowerings(LoweringTable &table) {
  table.add(lowerMatMul);
  table.add(lowerGemm);
  table.add(lowerMatMulInteger);
}
