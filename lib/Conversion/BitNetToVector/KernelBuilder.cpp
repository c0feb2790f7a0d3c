//===- KernelBuilder.cpp - Loops, indices and vectors of a kernel ---------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

std::optional<int64_t> KernelBuilder::constant(Value value) {
  return getConstantIntValue(value);
}

Value KernelBuilder::index(int64_t value) {
  return create<arith::ConstantIndexOp>(value);
}

Value KernelBuilder::i32(int64_t value) {
  return create<arith::ConstantIntOp>(getI32Type(), value);
}

Value KernelBuilder::f32(double value) {
  return create<arith::ConstantOp>(getF32FloatAttr(value));
}

Value KernelBuilder::add(Value lhs, Value rhs) {
  return createOrFold<arith::AddIOp>(lhs, rhs);
}

Value KernelBuilder::sub(Value lhs, Value rhs) {
  return createOrFold<arith::SubIOp>(lhs, rhs);
}

Value KernelBuilder::mul(Value lhs, Value rhs) {
  return createOrFold<arith::MulIOp>(lhs, rhs);
}

Value KernelBuilder::ceilDiv(Value lhs, int64_t rhs) {
  return floorDiv(add(lhs, rhs - 1), rhs);
}

Value KernelBuilder::floorDiv(Value lhs, int64_t rhs) {
  return rhs == 1 ? lhs : createOrFold<arith::DivUIOp>(lhs, index(rhs));
}

Value KernelBuilder::rem(Value lhs, int64_t rhs) {
  return rhs == 1 ? index(0) : createOrFold<arith::RemUIOp>(lhs, index(rhs));
}

Value KernelBuilder::dim(Value memref, int64_t dimension) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dimension))
    return index(type.getDimSize(dimension));
  return create<memref::DimOp>(memref, dimension);
}

Value KernelBuilder::allocaVectors(MemRefType type) {
  return create<memref::AllocaOp>(type, getI64IntegerAttr(64));
}

Value KernelBuilder::load(Value memref, ValueRange indices) {
  return create<memref::LoadOp>(memref, indices);
}

void KernelBuilder::store(Value value, Value memref, ValueRange indices) {
  create<memref::StoreOp>(value, memref, indices);
}

Value KernelBuilder::address(Value memref, ValueRange indices) {
  auto type = cast<MemRefType>(memref.getType());
  Value offset = create<memref::ExtractStridedMetadataOp>(memref).getOffset();
  for (auto [dimension, index] : llvm::enumerate(indices))
    offset = add(offset, mul(index, stride(memref, dimension)));
  Value begin = create<memref::ExtractAlignedPointerAsIndexOp>(memref);
  Value bytes = mul(offset, type.getElementTypeBitWidth() / 8);
  Value place = create<arith::IndexCastOp>(getI64Type(), add(begin, bytes));
  return create<LLVM::IntToPtrOp>(LLVM::LLVMPointerType::get(getContext()),
                                  place);
}

Value KernelBuilder::stride(Value memref, int64_t dimension) {
  int64_t offset;
  SmallVector<int64_t> strides;
  auto type = cast<MemRefType>(memref.getType());
  if (succeeded(type.getStridesAndOffset(strides, offset)) &&
      ShapedType::isStatic(strides[dimension]))
    return index(strides[dimension]);
  return create<memref::ExtractStridedMetadataOp>(memref)
      .getStrides()[dimension];
}

void KernelBuilder::prefetch(Value memref, ValueRange indices, bool nearest) {
  create<memref::PrefetchOp>(memref, indices, /*isWrite=*/false,
                             /*locality=*/nearest ? 3 : 2, /*isData=*/true);
}

void KernelBuilder::prefetchAhead(Value memref, Value offset, bool nearest) {
  Value distance = create<FetchDistanceOp>(getIndexType(),
                                           nearest ? Fetch::Near : Fetch::Far);
  prefetch(memref, add(offset, distance), nearest);
}

void KernelBuilder::prefetchStream(Value memref, ValueRange indices) {
  for (int64_t distance : {farBytes, nearBytes}) {
    SmallVector<Value> ahead(indices);
    ahead.back() = add(ahead.back(), distance);
    prefetch(memref, ahead, /*nearest=*/distance == nearBytes);
  }
}

Value KernelBuilder::maximum(Value value, Value low) {
  Value above = create<arith::CmpFOp>(arith::CmpFPredicate::OGT, value, low);
  return create<arith::SelectOp>(above, value, low);
}

Value KernelBuilder::minimum(Value value, Value high) {
  Value below = create<arith::CmpFOp>(arith::CmpFPredicate::OLT, value, high);
  return create<arith::SelectOp>(below, value, high);
}

Value KernelBuilder::reduceAdd(Value lhs, Value rhs) {
  return create<arith::AddFOp>(lhs, rhs, arith::FastMathFlags::reassoc);
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

void KernelBuilder::loop(Value low, Value high, int64_t step, Body body) {
  (void)reduce(low, high, step, {}, [&](Value i, ValueRange) {
    body(i);
    return SmallVector<Value>();
  });
}

void KernelBuilder::groups(Value low, int64_t count, int64_t most,
                           function_ref<void(Value, int64_t)> body) {
  if (count <= 0)
    return;
  int64_t groups = llvm::divideCeil(count, most);
  int64_t size = count / groups, longer = count % groups;
  Value middle = add(low, longer * (size + 1));
  loop(low, middle, size + 1, [&](Value i) { body(i, size + 1); });
  loop(middle, add(low, count), size, [&](Value i) { body(i, size); });
}

SmallVector<Value> KernelBuilder::reduce(Value low, Value high, int64_t step,
                                         ValueRange initial, ReduceBody body) {
  std::optional<int64_t> first = constant(low), last = constant(high);
  if (first && last && *first >= *last)
    return llvm::to_vector(initial);
  if (first && last && *first + step >= *last)
    return body(low, initial);
  auto loop = create<scf::ForOp>(low, high, index(step), initial);
  OpBuilder::InsertionGuard guard(*this);
  // A loop without iteration arguments is built with its terminator.
  setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!initial.empty())
    create<scf::YieldOp>(next);
  return llvm::to_vector(ValueRange(loop.getResults()));
}

void KernelBuilder::conditional(Value condition,
                                llvm::function_ref<void()> then,
                                llvm::function_ref<void()> otherwise) {
  auto branch = create<scf::IfOp>(condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  then();
  setInsertionPointToStart(branch.elseBlock());
  otherwise();
}

KernelBuilder::Values
KernelBuilder::choose(Value condition, llvm::function_ref<Values()> then,
                      llvm::function_ref<Values()> otherwise) {
  auto yield = [&](llvm::function_ref<Values()> body) {
    return [this, body](OpBuilder &builder, Location) {
      OpBuilder::InsertionGuard guard(*this);
      setInsertionPoint(builder.getInsertionBlock(),
                        builder.getInsertionPoint());
      create<scf::YieldOp>(body());
    };
  };
  return Values(create<scf::IfOp>(condition, yield(then), yield(otherwise))
                    ->getResults());
}

void KernelBuilder::parallel(Value count, Body body) {
  if (constant(count) == 1)
    return body(index(0));
  auto loop = create<scf::ParallelOp>(ValueRange{index(0)}, ValueRange{count},
                                      ValueRange{index(1)});
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVars().front());
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

Value KernelBuilder::scale(int64_t lanes) {
  return scalable ? mul(create<vector::VectorScaleOp>(), lanes) : index(lanes);
}

VectorType KernelBuilder::vectorType(int64_t lanes, Type element) {
  return VectorType::get({lanes}, element, {scalable});
}

Value KernelBuilder::splat(Value scalar, int64_t lanes) {
  return create<vector::BroadcastOp>(vectorType(lanes, scalar.getType()),
                                     scalar);
}

Value KernelBuilder::zeroVector(int64_t lanes, Type element) {
  return create<arith::ConstantOp>(getZeroAttr(vectorType(lanes, element)));
}

Value KernelBuilder::constantVector(int64_t lanes, Type element,
                                    int64_t value) {
  return create<arith::ConstantOp>(DenseElementsAttr::get(
      vectorType(lanes, element), getIntegerAttr(element, value)));
}

Value KernelBuilder::loadVector(Value memref, ValueRange indices,
                                int64_t lanes) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (isInnermostContiguous(memref))
    return create<vector::LoadOp>(vectorType(lanes, element), memref, indices);
  SmallVector<Value> elements, at(indices);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    at.back() = add(indices.back(), lane);
    elements.push_back(load(memref, at));
  }
  return create<vector::FromElementsOp>(vectorType(lanes, element), elements);
}

void KernelBuilder::storeVector(Value vector, Value memref,
                                ValueRange indices) {
  if (isInnermostContiguous(memref)) {
    create<vector::StoreOp>(vector, memref, indices);
    return;
  }
  SmallVector<Value> at(indices);
  int64_t lanes = cast<VectorType>(vector.getType()).getNumElements();
  for (int64_t lane = 0; lane < lanes; ++lane) {
    at.back() = add(indices.back(), lane);
    store(create<vector::ExtractOp>(vector, lane), memref, at);
  }
}

Value KernelBuilder::loadFixed(Value memref, ValueRange indices,
                               int64_t count) {
  llvm::SaveAndRestore fixed(scalable, false);
  return loadVector(memref, indices, count);
}

Value KernelBuilder::broadcastWord(Value memref, ValueRange indices,
                                   int64_t lanes) {
  Value four = bitcast(loadFixed(memref, indices, 4), getI32Type());
  Value word = create<vector::ExtractOp>(four, 0);
  return bitcast(splat(word, lanes), getI8Type());
}

Value KernelBuilder::bitcast(Value vector, Type element) {
  auto type = cast<VectorType>(vector.getType());
  int64_t bits = type.getNumElements() * type.getElementTypeBitWidth();
  auto result = VectorType::get({bits / element.getIntOrFloatBitWidth()},
                                element, type.getScalableDims());
  return create<vector::BitCastOp>(result, vector);
}

SmallVector<Value> KernelBuilder::transpose(ArrayRef<Value> rows) {
  int64_t lanes = cast<VectorType>(rows[0].getType()).getNumElements();
  int64_t half = rows.size() / 2;
  // Each step interleaves one half of all elements with the other, which
  // rotates the bits of an element's position by one; a row's number has
  // come down to the lowest bits when all of its bits are through.
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < lanes; ++i) {
    low.push_back(i / 2 + i % 2 * lanes);
    high.push_back(low.back() + lanes / 2);
  }
  SmallVector<Value> vectors(rows);
  for (size_t step = 1; step < rows.size(); step *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < half; ++i) {
      Value lhs = vectors[i], rhs = vectors[i + half];
      next.push_back(create<vector::ShuffleOp>(lhs, rhs, low));
      next.push_back(create<vector::ShuffleOp>(lhs, rhs, high));
    }
    vectors = std::move(next);
  }
  return vectors;
}

Value KernelBuilder::toFloat(Value value) {
  Type type = value.getType();
  if (getElementTypeOrSelf(type).isF32())
    return value;
  Type result = getF32Type();
  if (auto vector = dyn_cast<VectorType>(type))
    result = vector.clone(result);
  return create<arith::ExtFOp>(result, value);
}

Value KernelBuilder::fromFloat(Value value, Type element) {
  if (element.isF32())
    return value;
  Type result = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    result = vector.clone(element);
  return create<arith::TruncFOp>(result, value);
}

Value KernelBuilder::sumLanes(Value vector) {
  return create<vector::ReductionOp>(vector::CombiningKind::ADD, vector,
                                     arith::FastMathFlags::reassoc);
}

Value KernelBuilder::foldLanes(Value vector, Combine combine) {
  int64_t lanes = cast<VectorType>(vector.getType()).getNumElements();
  while (lanes > 1) {
    lanes /= 2;
    auto half = [&](int64_t first) {
      return create<vector::ExtractStridedSliceOp>(
          vector, ArrayRef<int64_t>{first}, ArrayRef<int64_t>{lanes},
          ArrayRef<int64_t>{1});
    };
    vector = combine(half(0), half(lanes));
  }
  return create<vector::ExtractOp>(vector, 0);
}

Value KernelBuilder::orderedSumLanes(Value vector) {
  return foldLanes(vector, [&](Value low, Value high) {
    return create<arith::AddFOp>(low, high).getResult();
  });
}

Value KernelBuilder::maximumLane(Value vector) {
  return foldLanes(vector,
                   [&](Value low, Value high) { return maximum(high, low); });
}

Value KernelBuilder::fma(Value lhs, Value rhs, Value addend) {
  // `contract` lets the backend fuse where the machine can, and only there.
  auto flags = arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;
  return create<arith::AddFOp>(create<arith::MulFOp>(lhs, rhs, flags), addend,
                               flags);
}

bool bitnet::isInnermostContiguous(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  return type.getRank() == 0 || type.isLastDimUnitStride();
}
