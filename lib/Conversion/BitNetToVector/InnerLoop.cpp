//===- InnerLoop.cpp - Unpacking codes, broadcasting activations ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

Value InnerLoop::broadcastActivations(int64_t token, Value k, int64_t offset,
                                      int64_t field) {
  int64_t byte = tile.unit() * field + offset;
  if (target.hasWordOperands()) {
    Value words =
        b.bitcast(loadActivations(token, k, byte / 16 * 16), b.getI32Type());
    SmallVector<int64_t> word(tile.lanes, byte % 16 / 4);
    return b.bitcast(b.create<vector::ShuffleOp>(words, words, word),
                     b.getI8Type());
  }
  Value row = b.add(tile.firstToken, token);
  return b.broadcastWord(tile.activations, {row, b.add(k, byte)}, tile.lanes);
}

Value InnerLoop::loadActivations(int64_t token, Value k, int64_t byte) {
  if (loadedBlock != k)
    loaded.clear();
  loadedBlock = k;
  Value &vector = loaded[{token, byte}];
  if (!vector)
    vector = b.loadFixed(tile.activations,
                         {b.add(tile.firstToken, token), b.add(k, byte)}, 16);
  return vector;
}

Value bitnet::removeOffset(KernelBuilder &b, Value codeSums,
                           Value activationSum, int64_t codeBits) {
  // Ternary codes are w + 1; binary ones (w + 1) / 2.
  if (codeBits == 1)
    codeSums = b.create<arith::AddIOp>(codeSums, codeSums);
  return b.create<arith::SubIOp>(codeSums, activationSum);
}
