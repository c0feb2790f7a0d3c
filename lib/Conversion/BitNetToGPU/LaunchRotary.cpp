//===- LaunchRotary.cpp - Kernels of bitnet.rotary and cache_update -------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

/// The indices of which `flat` is the row-major number. The slowest extent is
/// not needed.
static SmallVector<Value> delinearize(LaunchBuilder &b, Value flat,
                                      ArrayRef<Value> extents) {
  SmallVector<Value> indices(extents.size());
  for (size_t i = extents.size(); i-- > 1;) {
    indices[i] = b.createOrFold<arith::RemUIOp>(flat, extents[i]);
    flat = b.createOrFold<arith::DivUIOp>(flat, extents[i]);
  }
  indices[0] = flat;
  return indices;
}

static Value product(LaunchBuilder &b, ArrayRef<Value> extents) {
  Value result = extents[0];
  for (Value extent : extents.drop_front())
    result = b.mul(result, extent);
  return result;
}

LogicalResult bitnet::launchRotary(LaunchBuilder &b, RotaryOp op) {
  Value x = op.getInput(), y = op.getOutput();
  if (cast<MemRefType>(x.getType()).isDynamicDim(3))
    return op.emitOpError("needs static head dimensions");
  int64_t half = cast<MemRefType>(x.getType()).getDimSize(3) / 2;
  SmallVector<Value> extents = {b.dim(x, 0), b.dim(x, 1), b.dim(x, 2),
                                b.index(half)};
  // A dynamic batch of a table may turn out to be 1.
  auto tableOf = [&](Value memref, Value extent, Value batch) {
    if (KernelBuilder::constant(extent) == 1)
      return b.index(0);
    return KernelBuilder::constant(extent)
               ? batch
               : b.createOrFold<arith::RemUIOp>(batch, extent);
  };
  Value cosTables = b.dim(op.getCos(), 0), sinTables = b.dim(op.getSin(), 0);
  b.forEach(product(b, extents), [&](Value flat) {
    SmallVector<Value> at = delinearize(b, flat, extents);
    Value batch = at[0], head = at[1], s = at[2], low = at[3];
    Value cosBatch = tableOf(op.getCos(), cosTables, batch);
    Value sinBatch = tableOf(op.getSin(), sinTables, batch);
    Value high = b.add(low, half);
    Value first = b.load(x, {batch, head, s, low});
    Value second = b.load(x, {batch, head, s, high});
    auto rotate = [&](Value d, Value kept, Value turned, bool negate) {
      if (negate)
        turned = b.create<arith::NegFOp>(turned);
      Value sum = b.create<arith::AddFOp>(
          b.create<arith::MulFOp>(kept, b.load(op.getCos(), {cosBatch, s, d})),
          b.create<arith::MulFOp>(turned,
                                  b.load(op.getSin(), {sinBatch, s, d})));
      b.store(sum, y, {batch, head, s, d});
    };
    rotate(low, first, second, /*negate=*/true);
    rotate(high, second, first, /*negate=*/false);
  });
  return success();
}

LogicalResult bitnet::launchCacheUpdate(LaunchBuilder &b, CacheUpdateOp op) {
  Value from = op.getInput(), to = op.getOutput();
  Type element = cast<MemRefType>(to.getType()).getElementType();
  SmallVector<Value> extents;
  for (int64_t i = 0; i < 4; ++i)
    extents.push_back(b.dim(from, i));
  b.forEach(product(b, extents), [&](Value flat) {
    SmallVector<Value> at = delinearize(b, flat, extents);
    Value value = b.fromFloat(b.load(from, at), element);
    at[2] = b.add(op.getPosition(), at[2]);
    b.store(value, to, at);
  });
  return success();
}
