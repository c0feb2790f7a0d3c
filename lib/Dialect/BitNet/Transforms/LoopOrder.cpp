//===- LoopOrder.cpp - How to nest the loops of a linalg op ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopOrder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

/// Whether `expr` is `dim`, or a sum with it as a term.
static bool advancesByOne(AffineExpr expr, unsigned dim) {
  if (auto dimExpr = dyn_cast<AffineDimExpr>(expr))
    return dimExpr.getPosition() == dim;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  return binary && binary.getKind() == AffineExprKind::Add &&
         (advancesByOne(binary.getLHS(), dim) ||
          advancesByOne(binary.getRHS(), dim));
}

static bool isContiguousInside(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) &&
         (strides.empty() || strides.back() == 1);
}

/// What an operand gains (contiguous) or loses (strided) when `dim` is the
/// innermost loop.
static int64_t scoreOperand(MemRefType type, AffineMap map, unsigned dim,
                            int64_t weight) {
  if (!map.isFunctionOfDim(dim))
    return 0;
  bool onlyLast = advancesByOne(map.getResults().back(), dim);
  for (AffineExpr expr : map.getResults().drop_back())
    onlyLast &= !expr.isFunctionOfDim(dim);
  return onlyLast && isContiguousInside(type) ? weight : -weight;
}

/// Gathers of the body: loads of captured memrefs at loop indices.
static int64_t scoreGathers(linalg::LinalgOp op, unsigned dim, int64_t weight) {
  int64_t score = 0;
  op.getBlock()->walk([&](memref::LoadOp load) {
    for (auto [i, index] : llvm::enumerate(load.getIndices())) {
      auto position = index.getDefiningOp<linalg::IndexOp>();
      if (!position || position.getDim() != dim)
        continue;
      bool last = i + 1 == load.getIndices().size();
      score +=
          last && isContiguousInside(load.getMemRefType()) ? weight : -weight;
    }
  });
  return score;
}

static unsigned chooseInnermost(linalg::LinalgOp op) {
  // Scattered stores cost more than scattered loads.
  constexpr int64_t loadWeight = 2, storeWeight = 3;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  unsigned best = op.getNumLoops() - 1;
  int64_t bestScore = INT64_MIN;
  for (unsigned dim = op.getNumLoops(); dim-- > 0;) {
    if (ranges[dim] == 1)
      continue;
    int64_t score = scoreGathers(op, dim, loadWeight);
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = dyn_cast<MemRefType>(operand.get().getType());
      if (type)
        score +=
            scoreOperand(type, op.getMatchingIndexingMap(&operand), dim,
                         op.isDpsInit(&operand) ? storeWeight : loadWeight);
    }
    if (score > bestScore) {
      bestScore = score;
      best = dim;
    }
  }
  return best;
}

bitnet::LoopOrder bitnet::chooseLoopOrder(linalg::LinalgOp op) {
  LoopOrder order;
  if (op.getNumLoops() == 0)
    return order;
  unsigned innermost = chooseInnermost(op);
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  auto isParallel = [&](unsigned dim) {
    return linalg::isParallelIterator(iterators[dim]);
  };
  // As the output has them, so that it is written forwards.
  SetVector<unsigned> dims;
  for (AffineExpr expr : op.getIndexingMapsArray().back().getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      dims.insert(dim.getPosition());
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
    dims.insert(dim);
  for (unsigned dim : dims)
    if (isParallel(dim) && dim != innermost)
      order.dims.push_back(dim);
  order.numParallel = order.dims.size();
  for (unsigned dim : dims)
    if (!isParallel(dim) && dim != innermost)
      order.dims.push_back(dim);
  bool reductionsOutside = order.dims.size() > order.numParallel;
  order.dims.push_back(innermost);
  if (isParallel(innermost)) {
    order.reducesInnermost = !reductionsOutside;
    order.numParallel += reductionsOutside ? 0 : 1;
  }
  return order;
}

/// Operand `type`, indexed by `map`, holds `dim` and `dim + 1` as one
/// dimension, or neither of them.
static bool canMerge(MemRefType type, AffineMap map, unsigned dim) {
  if (!map.isProjectedPermutation())
    return false;
  std::optional<unsigned> first, second;
  for (auto [i, expr] : llvm::enumerate(map.getResults())) {
    unsigned position = cast<AffineDimExpr>(expr).getPosition();
    if (position == dim)
      first = i;
    if (position == dim + 1)
      second = i;
  }
  if (!first && !second)
    return true;
  if (!first || !second || *second != *first + 1)
    return false;
  if (type.getLayout().isIdentity())
    return true;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return false;
  int64_t outer = strides[*first], inner = strides[*second];
  int64_t extent = type.getDimSize(*second);
  return !ShapedType::isDynamic(outer) && !ShapedType::isDynamic(inner) &&
         !ShapedType::isDynamic(extent) && outer == inner * extent;
}

SmallVector<ReassociationIndices>
bitnet::findMergeableDims(linalg::LinalgOp op) {
  if (op.hasIndexSemantics() || op.getNumLoops() < 2)
    return {};
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  SmallVector<ReassociationIndices> groups = {{0}};
  bool merged = false;
  for (unsigned dim = 0; dim + 1 < op.getNumLoops(); ++dim) {
    bool canAll = iterators[dim] == iterators[dim + 1];
    for (OpOperand &operand : op->getOpOperands())
      if (auto type = dyn_cast<MemRefType>(operand.get().getType()))
        canAll &= canMerge(type, op.getMatchingIndexingMap(&operand), dim);
    if (canAll)
      groups.back().push_back(dim + 1);
    else
      groups.push_back({dim + 1});
    merged |= canAll;
  }
  if (!merged)
    return {};
  return groups;
}

int64_t bitnet::estimateIterationCost(linalg::LinalgOp op) {
  int64_t cost = 1;
  op.getBlock()->walk([&](Operation *nested) {
    if (isa<math::AbsFOp, math::FmaOp, math::FloorOp, math::CeilOp,
            math::RoundEvenOp>(nested))
      cost += 1;
    else if (isa<math::MathDialect>(nested->getDialect()))
      cost += 16;
    else if (isa<arith::DivFOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
                 arith::RemUIOp, memref::LoadOp>(nested))
      cost += 4;
    else if (isa<arith::ArithDialect>(nested->getDialect()) &&
             !isa<arith::ConstantOp>(nested))
      cost += 1;
  });
  return cost;
}

int64_t bitnet::estimateWork(linalg::LinalgOp op, int64_t dynamicExtent) {
  uint64_t work = estimateIterationCost(op);
  for (int64_t range : op.getStaticLoopRanges())
    work = llvm::SaturatingMultiply<uint64_t>(
        work, ShapedType::isDynamic(range) ? dynamicExtent : range);
  return std::min<uint64_t>(work, INT64_MAX);
}
