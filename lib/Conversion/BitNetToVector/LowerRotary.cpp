//===- LowerRotary.cpp - Loops of bitnet.rotary and cache_update ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

LogicalResult bitnet::lowerRotary(KernelBuilder &b, RotaryOp op) {
  Value x = op.getInput(), y = op.getOutput();
  int64_t half = cast<MemRefType>(x.getType()).getDimSize(3) / 2;
  Value heads = b.dim(x, 1), tokens = b.dim(x, 2);
  // A dynamic batch of a table may turn out to be 1.
  auto tableOf = [&](Value memref, Value batch) {
    int64_t extent = cast<MemRefType>(memref.getType()).getDimSize(0);
    if (extent == 1)
      return b.index(0);
    return ShapedType::isDynamic(extent)
               ? b.createOrFold<arith::RemUIOp>(batch, b.dim(memref, 0))
               : batch;
  };
  b.parallel(b.mul(b.dim(x, 0), heads), [&](Value batchHead) {
    Value batch = b.createOrFold<arith::DivUIOp>(batchHead, heads);
    Value head = b.createOrFold<arith::RemUIOp>(batchHead, heads);
    Value cosBatch = tableOf(op.getCos(), batch);
    Value sinBatch = tableOf(op.getSin(), batch);
    b.loop(b.index(0), tokens, 1, [&](Value s) {
      b.loop(b.index(0), b.index(half), 1, [&](Value low) {
        Value high = b.add(low, half);
        Value first = b.load(x, {batch, head, s, low});
        Value second = b.load(x, {batch, head, s, high});
        auto rotate = [&](Value d, Value kept, Value turned, bool negate) {
          if (negate)
            turned = b.create<arith::NegFOp>(turned);
          Value sum = b.create<arith::AddFOp>(
              b.create<arith::MulFOp>(kept,
                                      b.load(op.getCos(), {cosBatch, s, d})),
              b.create<arith::MulFOp>(turned,
                                      b.load(op.getSin(), {sinBatch, s, d})));
          b.store(sum, y, {batch, head, s, d});
        };
        rotate(low, first, second, /*negate=*/true);
        rotate(high, second, first, /*negate=*/false);
      });
    });
  });
  return success();
}

LogicalResult bitnet::lowerCacheUpdate(KernelBuilder &b, CacheUpdateOp op) {
  Value from = op.getInput(), to = op.getOutput();
  Type element = cast<MemRefType>(to.getType()).getElementType();
  // A few rows: not worth another thread.
  b.loop(b.index(0), b.dim(from, 0), 1, [&](Value batch) {
    b.loop(b.index(0), b.dim(from, 1), 1, [&](Value head) {
      b.loop(b.index(0), b.dim(from, 2), 1, [&](Value s) {
        Value row = b.add(op.getPosition(), s);
        b.loop(b.index(0), b.dim(from, 3), 1, [&](Value d) {
          Value value = b.fromFloat(b.load(from, {batch, head, s, d}), element);
          b.store(value, to, {batch, head, row, d});
        });
      });
    });
  });
  return success();
}
