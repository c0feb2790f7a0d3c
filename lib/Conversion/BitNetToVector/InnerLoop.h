//===- InnerLoop.h - What differs between lowerings of a matmul -----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A low-bit matmul is one tiled nest (LowerLinear.cpp). An inner loop says how
// a block of packed weights meets the activations of a few tokens: what it
// keeps in accumulators, and how these become sums at the end.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOVECTOR_INNERLOOP_H
#define BITNET_LIB_CONVERSION_BITNETTOVECTOR_INNERLOOP_H

#include "Lowerings.h"

namespace bitnet {

/// The shape of a microkernel, and where its operands are.
struct MicroTile {
  int64_t tokens;  // rows of activations
  int64_t vectors; // vectors of outputs
  int64_t lanes;   // outputs a vector: 32-bit lanes
  /// 2 for ternary, 1 for binary codes; fields of a byte are 8 / codeBits.
  int64_t codeBits;
  /// The sums of activations that offset codes need are not known beforehand,
  /// because scales change along K: the inner loop adds them up.
  bool ownSums;
  Value activations; // memref [M, K']
  Value firstToken;  // index into M

  int64_t fields() const { return 8 / codeBits; }
  int64_t codeMask() const { return (1 << codeBits) - 1; }
};

class InnerLoop {
public:
  InnerLoop(KernelBuilder &b, const MicroTile &tile) : b(b), tile(tile) {}
  virtual ~InnerLoop() = default;

  virtual llvm::SmallVector<Value> start() = 0;
  /// One block: `weights` has a vector of 4 bytes a lane for each vector of the
  /// tile, `k` is the block's first activation.
  virtual llvm::SmallVector<Value> block(llvm::ArrayRef<Value> weights, Value k,
                                         ValueRange accumulators) = 0;
  /// The sums of weight times activation, f32, by [token][vector]. `rowSums`
  /// are the tokens' sums of activations as i32 scalars (unless ownSums).
  virtual llvm::SmallVector<Value> finish(ValueRange accumulators,
                                          llvm::ArrayRef<Value> rowSums) = 0;

protected:
  int64_t at(int64_t token, int64_t vector) const {
    return token * tile.vectors + vector;
  }
  int64_t outputs() const { return tile.tokens * tile.vectors; }
  /// Four consecutive activations of a token, in every lane, as bytes.
  Value broadcastActivations(int64_t token, Value k);
  /// Field `field` of every byte, shifted down, as bytes.
  Value extractField(Value weights, int64_t field);
  /// Sums of code times activation to sums of weight times activation.
  Value removeOffset(Value codeSums, Value activationSum);

  KernelBuilder &b;
  MicroTile tile;
};

/// Integer dot products of the machine on i8 activations. `spread` keeps one
/// accumulator a field, so that fields need no shift (decode, where registers
/// are plenty); it needs a dot product that does not saturate.
std::unique_ptr<InnerLoop> makeDotLoop(KernelBuilder &b, const MicroTile &tile,
                                       const VectorTarget &target, bool spread);
/// Masked additions and subtractions of i8 activations.
std::unique_ptr<InnerLoop> makeAddSubLoop(KernelBuilder &b,
                                          const MicroTile &tile);
/// Multiplications in 32 bits: i16 activations, and floats (weight-only).
std::unique_ptr<InnerLoop> makeWideLoop(KernelBuilder &b,
                                        const MicroTile &tile);

/// Dot products of the target, on vectors of `bits` bits.
enum class DotKind { None, MultiplyAddPairs, DotAccumulate };
DotKind getDotKind(const VectorTarget &target);
/// accumulator (i32) + the dot product of each lane's four bytes, codes
/// unsigned.
Value emitDotAccumulate(KernelBuilder &b, Value accumulator, Value codes,
                        Value bytes);
/// The products of bytes, codes unsigned, summed in pairs to i16, saturating.
Value emitMultiplyAddPairs(KernelBuilder &b, Value codes, Value bytes);
/// The sums of neighbouring i16 as i32.
Value emitAddPairs(KernelBuilder &b, Value words);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOVECTOR_INNERLOOP_H
