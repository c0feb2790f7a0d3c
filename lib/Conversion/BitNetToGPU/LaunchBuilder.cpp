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

SmallVector<Value> LaunchBuilder::reduceStrided(Value thread, int64_t threads,
                                                int64_t width,
                                                ValueRange values,
                                                Combine combine) {
  int64_t count = values.size();
  Value shared = allocShared(threads * count, values[0].getType());
  auto place = [&](int64_t i, Value at) { return add(at, index(i * threads)); };
  // Readers of the last round are done.
  barrier();
  for (int64_t i = 0; i < count; ++i)
    store(values[i], shared, place(i, thread));
  for (int64_t half = threads / 2; half >= width; half /= 2) {
    barrier();
    when(less(thread, index(half)), [&] {
      Value other = add(thread, index(half));
      for (int64_t i = 0; i < count; ++i)
        store(combine(load(shared, place(i, thread)),
                      load(shared, place(i, other))),
              shared, place(i, thread));
    });
  }
  barrier();
  SmallVector<Value> result;
  for (int64_t i = 0; i < count; ++i)
    result.push_back(load(shared, place(i, width == 1 ? index(0) : thread)));
  return result;
}

Value LaunchBuilder::reduceGroup(Value thread, int64_t threads, Value value,
                                 Combine combine) {
  int64_t lanes = std::min(device.getShuffleWidth(), threads);
  if (lanes == 1)
    return reduceStrided(thread, threads, 1, value, combine)[0];
  // Within a subgroup, registers are exchanged without waiting.
  for (int64_t offset = lanes / 2; offset >= 1; offset /= 2) {
    auto shuffle = create<gpu::ShuffleOp>(value, i32(offset), i32(lanes),
                                          gpu::ShuffleMode::XOR);
    value = combine(value, shuffle.getShuffleResult());
  }
  if (lanes == threads)
    return value;
  Value shared = allocShared(threads / lanes, value.getType());
  Value isFirst = create<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                        rem(thread, lanes), index(0));
  barrier();
  when(isFirst, [&] { store(value, shared, floorDiv(thread, lanes)); });
  barrier();
  value = load(shared, index(0));
  for (int64_t i = 1; i < threads / lanes; ++i)
    value = combine(value, load(shared, index(i)));
  return value;
}
