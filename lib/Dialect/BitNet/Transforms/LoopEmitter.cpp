//===- LoopEmitter.cpp - Loops of one linalg op ---------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopEmitter.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace bitnet;

LoopEmitter::LoopEmitter(linalg::LinalgOp op, ParallelOptions options)
    : op(op), options(options), builder(op), loc(op.getLoc()),
      order(chooseLoopOrder(op)), ranges(op.getStaticLoopRanges()),
      extents(op.getNumLoops()), indices(op.getNumLoops()),
      lower(op.getNumLoops()), upper(op.getNumLoops()),
      loaded(op->getNumOperands()) {
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
    if (!ShapedType::isDynamic(ranges[dim]))
      extents[dim] = constant(ranges[dim]);
  // A dynamic loop has the extent of some operand's dimension.
  for (OpOperand &operand : op->getOpOperands())
    for (auto [i, expr] :
         llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        if (!extents[dim.getPosition()])
          extents[dim.getPosition()] = memref::DimOp::create(
              builder, loc, operand.get(), static_cast<int64_t>(i));
}

Value LoopEmitter::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

int64_t LoopEmitter::assumedExtent(unsigned dim) const {
  return ShapedType::isDynamic(ranges[dim]) ? options.dynamicExtent
                                            : ranges[dim];
}

//===----------------------------------------------------------------------===//
// Parallel loops
//===----------------------------------------------------------------------===//

/// The outer parallel loops where there are any, else the innermost loop.
LoopEmitter::Split LoopEmitter::chooseSplit() {
  unsigned last = order.dims.size();
  if (last == 0)
    return {};
  bool innermostIsParallel =
      linalg::isParallelIterator(op.getIteratorTypesArray()[order.dims.back()]);
  unsigned outer = std::min(order.numParallel, last - innermostIsParallel);
  int64_t rows = 1;
  for (unsigned level = 0; level < outer; ++level)
    rows *= assumedExtent(order.dims[level]);
  if (rows > 1)
    return {0, outer};
  if (innermostIsParallel)
    return {last - 1, last};
  return {};
}

/// Computes, at compile time where shapes are static, how many units of work
/// there are and how many make one grain.
LoopEmitter::Chunks LoopEmitter::emitChunks(Split split) {
  Chunks chunks;
  chunks.count = constant(1);
  Value work = constant(estimateIterationCost(op));
  for (unsigned level = 0; level < order.dims.size(); ++level) {
    unsigned dim = order.dims[level];
    Value &product =
        level >= split.begin && level < split.end ? chunks.count : work;
    product = builder.createOrFold<arith::MulIOp>(loc, product, extents[dim]);
  }
  Value one = constant(1);
  auto ceilDiv = [&](Value a, Value b) {
    Value less = builder.createOrFold<arith::SubIOp>(loc, b, one);
    Value sum = builder.createOrFold<arith::AddIOp>(loc, a, less);
    return builder.createOrFold<arith::DivUIOp>(loc, sum, b);
  };
  // An empty loop must not divide by 0.
  work = builder.createOrFold<arith::MaxUIOp>(loc, work, one);
  chunks.chunk = ceilDiv(constant(options.grain), work);
  chunks.number = ceilDiv(chunks.count, chunks.chunk);
  return chunks;
}

void LoopEmitter::emitParallel(Split split, Chunks chunks) {
  Value zero = constant(0), one = constant(1);
  auto parallel =
      scf::ParallelOp::create(builder, loc, ValueRange{zero},
                              ValueRange{chunks.number}, ValueRange{one});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(parallel.getBody());
  Value begin = builder.createOrFold<arith::MulIOp>(
      loc, parallel.getInductionVars().front(), chunks.chunk);
  if (getConstantIntValue(chunks.chunk) == 1 && split.begin == 0 &&
      split.end < order.dims.size()) {
    emitRows(split, begin);
    return;
  }
  Value end = builder.createOrFold<arith::MinUIOp>(
      loc, builder.createOrFold<arith::AddIOp>(loc, begin, chunks.chunk),
      chunks.count);
  if (split.end == order.dims.size()) {
    unsigned dim = order.dims.back();
    lower[dim] = begin;
    upper[dim] = end;
    emitNest(0, {}, /*carries=*/false);
    return;
  }
  auto rows = scf::ForOp::create(builder, loc, begin, end, one);
  builder.setInsertionPointToStart(rows.getBody());
  emitRows(split, rows.getInductionVar());
}

/// One iteration of the outer loops, which `row` numbers together.
void LoopEmitter::emitRows(Split split, Value row) {
  SmallVector<Value> rowIndices(split.end);
  unsigned first = 0;
  while (first + 1 < split.end && ranges[order.dims[first]] == 1)
    ++first;
  for (unsigned level = split.end; level-- > 0;) {
    unsigned dim = order.dims[level];
    if (ranges[dim] == 1) {
      rowIndices[level] = constant(0);
    } else if (level == first) {
      rowIndices[level] = row;
    } else {
      rowIndices[level] =
          builder.createOrFold<arith::RemUIOp>(loc, row, extents[dim]);
      row = builder.createOrFold<arith::DivUIOp>(loc, row, extents[dim]);
    }
  }
  for (auto [level, index] : llvm::enumerate(rowIndices))
    bind(level, index);
  emitNest(split.end, {}, /*carries=*/false);
}

bool LoopEmitter::emit() {
  loadInputs(-1);
  Split split = chooseSplit();
  if (options.grain > 0 && split.valid() && options.work / 2 >= options.grain) {
    Chunks chunks = emitChunks(split);
    if (getConstantIntValue(chunks.number).value_or(2) > 1) {
      emitParallel(split, chunks);
      return true;
    }
  }
  emitNest(0, {}, /*carries=*/false);
  return false;
}

//===----------------------------------------------------------------------===//
// Sequential loops
//===----------------------------------------------------------------------===//

/// Sums stay in registers if all reduction loops are innermost and no output is
/// indexed by them.
bool LoopEmitter::carriesSums() {
  if (!order.reducesInnermost || order.numParallel == order.dims.size())
    return false;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  for (AffineMap map : ArrayRef(maps).take_back(op.getNumDpsInits()))
    for (unsigned dim : ArrayRef(order.dims).drop_front(order.numParallel))
      if (map.isFunctionOfDim(dim))
        return false;
  return true;
}

SmallVector<Value> LoopEmitter::emitNest(unsigned level, ValueRange sums,
                                         bool carries) {
  if (!carries && level == order.numParallel && carriesSums()) {
    SmallVector<Value> initial;
    for (OpOperand &init : op.getDpsInitsMutable())
      initial.push_back(load(init));
    SmallVector<Value> final = emitNest(level, initial, /*carries=*/true);
    for (auto [value, init] : llvm::zip_equal(final, op.getDpsInitsMutable()))
      store(value, init);
    return {};
  }
  if (level == order.dims.size())
    return emitBody(sums, carries);
  if (ranges[order.dims[level]] == 1) {
    bind(level, constant(0));
    return emitNest(level + 1, sums, carries);
  }
  return emitLoop(level, sums, carries);
}

SmallVector<Value> LoopEmitter::emitLoop(unsigned level, ValueRange sums,
                                         bool carries) {
  unsigned dim = order.dims[level];
  Value begin = lower[dim] ? lower[dim] : constant(0);
  Value end = upper[dim] ? upper[dim] : extents[dim];
  auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1), sums);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  bind(level, loop.getInductionVar());
  SmallVector<Value> next =
      emitNest(level + 1, loop.getRegionIterArgs(), carries);
  if (carries)
    scf::YieldOp::create(builder, loc, next);
  return llvm::to_vector_of<Value>(loop.getResults());
}

void LoopEmitter::bind(unsigned level, Value index) {
  indices[order.dims[level]] = index;
  loadInputs(level);
}

/// Reads the inputs whose last index was fixed at `level`; -1 before all loops.
void LoopEmitter::loadInputs(int level) {
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    int deepest = -1;
    for (auto [i, dim] : llvm::enumerate(order.dims))
      if (map.isFunctionOfDim(dim))
        deepest = i;
    if (deepest != level || !op.payloadUsesValueFromOperand(input))
      continue;
    bool isMemRef = isa<MemRefType>(input->get().getType());
    loaded[input->getOperandNumber()] = isMemRef ? load(*input) : input->get();
  }
}

SmallVector<Value> LoopEmitter::emitBody(ValueRange sums, bool carries) {
  Block *body = op.getBlock();
  IRMapping mapping;
  for (OpOperand *input : op.getDpsInputOperands())
    if (Value value = loaded[input->getOperandNumber()])
      mapping.map(op.getMatchingBlockArgument(input), value);
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    BlockArgument argument = op.getMatchingBlockArgument(&init);
    if (carries)
      mapping.map(argument, sums[i]);
    else if (!argument.use_empty())
      mapping.map(argument, load(init));
  }
  for (Operation &bodyOp : body->without_terminator()) {
    Operation *clone = builder.clone(bodyOp, mapping);
    clone->walk([&](linalg::IndexOp index) {
      if (index != clone) {
        index.replaceAllUsesWith(indices[index.getDim()]);
        index.erase();
      }
    });
    if (auto index = dyn_cast<linalg::IndexOp>(clone)) {
      mapping.map(bodyOp.getResult(0), indices[index.getDim()]);
      clone->erase();
    }
  }
  SmallVector<Value> results;
  for (Value result : body->getTerminator()->getOperands())
    results.push_back(mapping.lookupOrDefault(result));
  if (carries)
    return results;
  for (auto [result, init] : llvm::zip_equal(results, op.getDpsInitsMutable()))
    store(result, init);
  return {};
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

SmallVector<Value> LoopEmitter::getIndices(OpOperand &operand) {
  SmallVector<Value> result;
  // Dimensions that are not fixed yet do not occur in the map.
  SmallVector<Value> dims = indices;
  for (Value &dim : dims)
    if (!dim)
      dim = extents.front();
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults())
    result.push_back(
        affine::expandAffineExpr(builder, loc, expr, dims, ValueRange()));
  return result;
}

Value LoopEmitter::load(OpOperand &operand) {
  return memref::LoadOp::create(builder, loc, operand.get(),
                                getIndices(operand));
}

void LoopEmitter::store(Value value, OpOperand &operand) {
  memref::StoreOp::create(builder, loc, value, operand.get(),
                          getIndices(operand));
}
