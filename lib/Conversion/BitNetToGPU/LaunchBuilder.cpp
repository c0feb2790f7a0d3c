//===- LaunchBuilder.cpp - Launches, workgroups and their reductions ------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LaunchBuilder.h"

using namespace mlir;
using namespace bitnet;

/// Threads of a group where each has its own element.
static constexpr int64_t elementThreads = 256;
/// Parts that a thread combines alone rather than wait for others.
static constexpr int64_t maxSequential = 8;
/// The workgroups that every device launches along a dimension.
static constexpr int64_t maxGroups = 65535;

gpu::LaunchOp LaunchBuilder::beginLaunch(Value groups, int64_t threads) {
  Value one = index(1);
  auto launch =
      create<gpu::LaunchOp>(groups, one, one, index(threads), one, one);
  setInsertionPointToEnd(&launch.getBody().front());
  auto terminator = create<gpu::TerminatorOp>();
  setInsertionPoint(terminator);
  return launch;
}

Value LaunchBuilder::countGroups(Value count) {
  return createOrFold<arith::MinUIOp>(count, index(maxGroups));
}

SmallVector<Value> LaunchBuilder::dynamicLoop(Value low, Value high,
                                              int64_t step, ValueRange initial,
                                              ReduceBody body) {
  auto loop = create<scf::ForOp>(low, high, index(step), initial);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!initial.empty())
    create<scf::YieldOp>(next);
  return llvm::to_vector(ValueRange(loop.getResults()));
}

void LaunchBuilder::forEach(Value count, Body body) {
  Value groups = countGroups(ceilDiv(count, elementThreads));
  OpBuilder::InsertionGuard guard(*this);
  gpu::LaunchOp launch = beginLaunch(groups, elementThreads);
  Value first =
      add(mul(launch.getBlockIds().x, elementThreads), launch.getThreadIds().x);
  std::optional<int64_t> known = constant(count);
  if (known && *known <= maxGroups * elementThreads) {
    if (*known % elementThreads == 0)
      return body(first);
    return when(less(first, count), [&] { body(first); });
  }
  Value stride = mul(launch.getGridSize().x, elementThreads);
  auto loop = create<scf::ForOp>(first, count, stride);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

void LaunchBuilder::forGroups(Value count, int64_t threads, GroupBody body) {
  Value groups = countGroups(count);
  OpBuilder::InsertionGuard guard(*this);
  gpu::LaunchOp launch = beginLaunch(groups, threads);
  Value group = launch.getBlockIds().x, thread = launch.getThreadIds().x;
  std::optional<int64_t> known = constant(count);
  if (known && *known <= maxGroups)
    return body(group, thread);
  auto loop = create<scf::ForOp>(group, count, launch.getGridSize().x);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar(), thread);
}

Value LaunchBuilder::asWords(Value bytes) {
  auto type = cast<MemRefType>(bytes.getType());
  if (type.getRank() > 1) {
    ReassociationIndices all;
    for (int64_t i = 0; i < type.getRank(); ++i)
      all.push_back(i);
    bytes = create<memref::CollapseShapeOp>(
        bytes, ArrayRef<ReassociationIndices>{all});
    type = cast<MemRefType>(bytes.getType());
  }
  SmallVector<Value> sizes;
  int64_t extent = ShapedType::kDynamic;
  if (type.isDynamicDim(0))
    sizes.push_back(floorDiv(dim(bytes, 0), 4));
  else
    extent = type.getDimSize(0) / 4;
  return create<memref::ViewOp>(MemRefType::get({extent}, getI32Type()), bytes,
                                index(0), sizes);
}

SmallVector<Value> LaunchBuilder::loadWords(Value words, Value at,
                                            int64_t count) {
  SmallVector<Value> result;
  int64_t width = std::gcd(count, device.getLoadWords());
  for (int64_t first = 0; first < count; first += width) {
    Value place = add(at, index(first));
    if (width == 1) {
      result.push_back(load(words, place));
      continue;
    }
    Value vector = create<vector::LoadOp>(
        VectorType::get({width}, getI32Type()), words, place,
        /*nontemporal=*/false, llvm::MaybeAlign(width * 4));
    for (int64_t i = 0; i < width; ++i)
      result.push_back(create<vector::ExtractOp>(vector, i));
  }
  return result;
}

Value LaunchBuilder::allocShared(int64_t elements, Type element) {
  auto space = gpu::AddressSpaceAttr::get(
      getContext(), gpu::GPUDialect::getWorkgroupAddressSpace());
  return create<memref::AllocOp>(
      MemRefType::get({elements}, element, MemRefLayoutAttrInterface(), space));
}

void LaunchBuilder::barrier() { create<gpu::BarrierOp>(); }

Value LaunchBuilder::less(Value lhs, Value rhs) {
  return create<arith::CmpIOp>(arith::CmpIPredicate::ult, lhs, rhs);
}

Value LaunchBuilder::minimumIndex(Value lhs, Value rhs) {
  return createOrFold<arith::MinUIOp>(lhs, rhs);
}

void LaunchBuilder::when(Value condition, llvm::function_ref<void()> body) {
  auto branch = create<scf::IfOp>(condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  body();
}

/// Combines registers across the lanes of a subgroup that lie `width`, 2 *
/// width,
/// ... apart, without waiting.
Value LaunchBuilder::reduceLanes(Value value, int64_t lanes, int64_t width,
                                 Combine combine) {
  for (int64_t offset = lanes / 2; offset >= width; offset /= 2) {
    auto shuffle = create<gpu::ShuffleOp>(value, i32(offset), i32(lanes),
                                          gpu::ShuffleMode::XOR);
    value = combine(value, shuffle.getShuffleResult());
  }
  return value;
}

SmallVector<Value> LaunchBuilder::reduceStrided(Value thread, int64_t threads,
                                                int64_t width,
                                                ValueRange values,
                                                Combine combine) {
  int64_t count = values.size();
  SmallVector<Value> parts(values);
  // What is left to combine after the subgroups: one part of each.
  int64_t lanes = std::min(device.getShuffleWidth(), threads), left = threads;
  Value place = thread, stores;
  if (lanes > width && lanes % width == 0) {
    for (Value &part : parts)
      part = reduceLanes(part, lanes, width, combine);
    if (lanes == threads)
      return parts;
    left = threads / lanes * width;
    Value lane = rem(thread, lanes);
    place = add(mul(floorDiv(thread, lanes), width), lane);
    stores = less(lane, index(width));
  }
  Value shared = allocShared(left * count, values[0].getType());
  auto at = [&](int64_t i, Value p) { return add(p, index(i * left)); };
  auto storeAll = [&] {
    for (int64_t i = 0; i < count; ++i)
      store(parts[i], shared, at(i, place));
  };
  // Readers of the last round are done.
  barrier();
  if (stores)
    when(stores, storeAll);
  else
    storeAll();
  int64_t half = left / 2;
  for (; half >= width && half * 2 > maxSequential * width; half /= 2) {
    barrier();
    when(less(thread, index(half)), [&] {
      Value other = add(thread, index(half));
      for (int64_t i = 0; i < count; ++i)
        store(combine(load(shared, at(i, thread)), load(shared, at(i, other))),
              shared, at(i, thread));
    });
  }
  barrier();
  // The last few one after the other.
  Value first = width == 1 ? index(0) : rem(thread, width);
  SmallVector<Value> result;
  for (int64_t i = 0; i < count; ++i) {
    Value total = load(shared, at(i, first));
    for (int64_t other = width; other < half * 2; other += width)
      total = combine(total, load(shared, at(i, add(first, index(other)))));
    result.push_back(total);
  }
  return result;
}

Value LaunchBuilder::reduceGroup(Value thread, int64_t threads, Value value,
                                 Combine combine) {
  return reduceStrided(thread, threads, 1, value, combine)[0];
}
