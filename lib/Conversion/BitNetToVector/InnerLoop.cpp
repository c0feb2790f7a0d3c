//===- InnerLoop.cpp - Unpacking codes, broadcasting activations ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

Value InnerLoop::broadcastActivations(int64_t token, Value k) {
  Value row = b.add(tile.firstToken, token);
  Value four = b.loadVector(tile.activations, {row, k}, 4);
  Value word = b.create<vector::ExtractOp>(b.bitcast(four, b.getI32Type()), 0);
  return b.bitcast(b.splat(word, tile.lanes), b.getI8Type());
}

Value InnerLoop::extractField(Value weights, int64_t field) {
  Type byte = b.getI8Type();
  if (field) {
    // Shifted as words: there are no shifts of bytes, and the mask removes what
    // crosses from the neighbour.
    Value words = b.bitcast(weights, b.getI32Type());
    Value amount =
        b.constantVector(tile.lanes, b.getI32Type(), field * tile.codeBits);
    weights = b.bitcast(b.create<arith::ShRUIOp>(words, amount), byte);
  }
  return b.create<arith::AndIOp>(
      weights, b.constantVector(tile.lanes * 4, byte, tile.codeMask()));
}

Value InnerLoop::removeOffset(Value codeSums, Value activationSum) {
  // Ternary codes are w + 1; binary ones (w + 1) / 2.
  if (tile.codeBits == 1)
    codeSums = b.create<arith::AddIOp>(codeSums, codeSums);
  return b.create<arith::SubIOp>(codeSums, activationSum);
}
