//===- InnerLoop.h - What differs between lowerings of a matmul -----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A low-bit matmul is one tiled nest (LowerMatmul.cpp). An inner loop says how
// a block of packed weights meets the activations of a few tokens: what it
// keeps in accumulators, and how these become sums at the end.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOVECTOR_INNERLOOP_H
#define BITNET_LIB_CONVERSION_BITNETTOVECTOR_INNERLOOP_H

#include "Lowerings.h"

namespace bitnet {

/// The shape of a microkernel, and where its operands are. Lanes are those of
/// the shortest vector where vectors are scalable.
struct MicroTile {
  int64_t tokens;  // rows of activations
  int64_t vectors; // vectors of outputs
  int64_t lanes;   // outputs a vector: 32-bit lanes
  PackingAttr packing;
  /// The sums of activations that offset codes need are not known beforehand,
  /// because scales change along K, say: the inner loop adds them up.
  bool ownSums;
  Value activations; // memref [M, K']
  Value prepared;    // as bitnet.prepare makes them; null where not needed
  Value firstToken;  // index into M

  /// Consecutive K of a row in a block, in each field.
  int64_t unit() const { return packing.getUnit(); }
  int64_t fields() const { return packing.getFields(); }
  /// 2 for ternary, 1 for binary codes.
  int64_t codeBits() const { return packing.getCodeBits(); }
};

/// Field `field` of every byte, shifted down, as bytes.
Value extractField(KernelBuilder &b, const VectorTarget &target, Value weights,
                   int64_t field, int64_t codeBits);

/// The codes in packed bytes, which `packed` gives field by field, from the
/// first on: what is left of the bytes takes their place.
class FieldReader {
public:
  FieldReader(KernelBuilder &b, const VectorTarget &target,
              PackingScheme scheme)
      : b(b), target(target), scheme(scheme) {}

  /// The codes of a field, as bytes.
  Value take(Value &packed, int64_t field);
  /// The same times getScale(field), which takes fewer instructions.
  Value takeScaled(Value &packed, int64_t field);
  /// Such that scaled codes are what a dot product takes.
  int64_t getScale(int64_t field) const;

private:
  int64_t getPlainScale(int64_t field) const;
  /// A digit of base3 times its place's value; the rest stays in `packed`.
  Value takeDigit(Value &packed, int64_t field);

  /// Whether a digit of base3 is looked up.
  bool usesTables(int64_t field) const;
  /// The digit. In tables of 64 the upper six bits index the first two, and the
  /// rest of the byte, which the second leaves in `packed`, the others.
  Value lookUp(Value &packed, int64_t field);
  /// What the first two digits add to a byte, modulo 64, and the first one
  /// times 64.
  Value lookUpMultiples(Value packed);
  Value lookUp(Value indices, llvm::function_ref<int64_t(int64_t)> entry);

  /// Bytes by so many bits, where what comes from a neighbour does not matter.
  Value shiftDown(Value packed, int64_t amount);
  Value bytes(Value like, int64_t value);

  KernelBuilder &b;
  const VectorTarget &target;
  PackingScheme scheme;
};

/// Sums of code times activation to sums of weight times activation.
Value removeOffset(KernelBuilder &b, Value codeSums, Value activationSum,
                   int64_t codeBits);

class InnerLoop {
public:
  InnerLoop(KernelBuilder &b, const MicroTile &tile, const VectorTarget &target)
      : b(b), tile(tile), target(target),
        reader(b, target, tile.packing.getScheme()) {}
  virtual ~InnerLoop() = default;

  /// Bytes of a row that the loop takes at a time. Where the packing has more,
  /// `block` gets the parts of a block one after another.
  virtual int64_t unit() const { return 4; }

  virtual llvm::SmallVector<Value> start() = 0;
  /// One block, or part of one: `weights` has a vector of 4 bytes a lane for
  /// each `unit() / 4` part of a vector of the tile. Field f of byte b meets
  /// the activation `k + tile.unit() * f + offset + b`.
  virtual llvm::SmallVector<Value> block(llvm::ArrayRef<Value> weights, Value k,
                                         int64_t offset,
                                         ValueRange accumulators) = 0;
  /// The sums of weight times activation, i32 or f32, by [token][vector].
  /// `rowSums` are the tokens' sums of activations as i32 scalars (unless
  /// ownSums).
  virtual llvm::SmallVector<Value> finish(ValueRange accumulators,
                                          llvm::ArrayRef<Value> rowSums) = 0;

  /// An inner loop may sum in narrow accumulators, which hold a chunk of that
  /// many blocks: `block` is then given those of startChunk(), and flush() adds
  /// them to the accumulators of start(). 0: no narrow ones.
  virtual int64_t getChunk() const { return 0; }
  virtual llvm::SmallVector<Value> startChunk() { return {}; }
  virtual llvm::SmallVector<Value> flush(ValueRange, ValueRange accumulators) {
    return llvm::to_vector(accumulators);
  }

protected:
  int64_t at(int64_t token, int64_t vector) const {
    return token * tile.vectors + vector;
  }
  int64_t outputs() const { return tile.tokens * tile.vectors; }
  /// The four activations of a token that a field meets, in every lane, as
  /// bytes.
  Value broadcastActivations(int64_t token, Value k, int64_t offset,
                             int64_t field);
  Value removeOffset(Value codeSums, Value activationSum) {
    return bitnet::removeOffset(b, codeSums, activationSum, tile.codeBits());
  }

  /// Sixteen activations of a token, from the block's `k + byte` on; loaded
  /// once.
  Value loadActivations(int64_t token, Value k, int64_t byte);

  KernelBuilder &b;
  MicroTile tile;
  const VectorTarget &target;
  FieldReader reader;

private:
  /// The activations at hand: of which block, by token and by byte.
  Value loadedBlock;
  llvm::DenseMap<std::pair<int64_t, int64_t>, Value> loaded;
};

/// Integer dot products of the machine on i8 activations. `spread` keeps one
/// accumulator a field, so that fields need no shift (decode, where registers
/// are plenty); it needs a dot product that does not saturate.
std::unique_ptr<InnerLoop> makeDotLoop(KernelBuilder &b, const MicroTile &tile,
                                       const VectorTarget &target, bool spread);
/// Products of 2 x 8 by 8 x 2 bytes, for several tokens. The sums of
/// activations are known beforehand, and vectors have 128 bits.
std::unique_ptr<InnerLoop> makeMatrixLoop(KernelBuilder &b,
                                          const MicroTile &tile,
                                          const VectorTarget &target);
/// Lookups in tables of sums of i8 activations, prepared for `lut`; four
/// vectors at a time, not scalable.
std::unique_ptr<InnerLoop> makeLUTLoop(KernelBuilder &b, const MicroTile &tile,
                                       const VectorTarget &target);
/// The sums of a tile of packed rows for the block of tokens that begins with
/// `token`, by lookups that all of them share. `sums` is of i32, by rows and
/// tokens of the block.
void emitTokenBlockSums(KernelBuilder &b, const LowBitMatmul &matmul,
                        Value firstTile, Value tiles, Value token, Value sums);
/// Tokens that a panel multiplies at a time.
int64_t getPanelStep(const VectorTarget &target);
/// Gets the sums of code times activation of a few tokens of a panel and
/// `vectors` vectors of its tile, by [token][vector], from the panel's `token`
/// and the tile's `vector` on.
using PanelFinish = llvm::function_ref<void(
    llvm::ArrayRef<Value> sums, Value token, Value vector, int64_t vectors)>;
/// Told of such tokens and vectors some while before their sums are finished,
/// for each of the memrefs that are then touched.
using PanelFetch = llvm::function_ref<void(
    Value memref, Value token, int64_t tokens, Value vector, int64_t vectors)>;
/// A tile of packed rows by `tokens` tokens from `token` on, by codes that are
/// unpacked once for all of them.
struct PanelTask {
  const LowBitMatmul &matmul;
  const VectorTarget &target;
  Value tile, token;
  int64_t tokens;
  /// What `finish` reads and writes, of which `fetch` is told.
  llvm::ArrayRef<Value> touched;
  PanelFetch fetch;
  PanelFinish finish;
};
void emitPanel(KernelBuilder &b, const PanelTask &task);
/// Bit counts of activations in {-1, 0, 1}, prepared for `popcount`.
std::unique_ptr<InnerLoop> makePopcountLoop(KernelBuilder &b,
                                            const MicroTile &tile,
                                            const VectorTarget &target);
/// Masked additions and subtractions of i8 activations.
std::unique_ptr<InnerLoop> makeAddSubLoop(KernelBuilder &b,
                                          const MicroTile &tile,
                                          const VectorTarget &target);
/// Multiplications in 32 bits: i16 activations, and floats (weight-only).
std::unique_ptr<InnerLoop> makeWideLoop(KernelBuilder &b, const MicroTile &tile,
                                        const VectorTarget &target);

//===----------------------------------------------------------------------===//
// Products of bytes (VectorTarget.cpp)
//===----------------------------------------------------------------------===//

/// Sums of products that a target keeps in 16 bits within a block.
using PartialSums = llvm::SmallVector<Value, 2>;

/// Adds the products of codes and activations, both bytes, to `sum` (i32, the
/// four bytes of a lane together) or, where the target has no such instruction,
/// to `partial`. Codes are below the target's getCodeLimit.
void emitDot(KernelBuilder &b, DotKind kind, Value &sum, PartialSums &partial,
             Value codes, Value bytes);
/// sum (i32) + the block's partial sums, if any.
Value emitWiden(KernelBuilder &b, Value sum, const PartialSums &partial);
/// sum + lhs * transposed rhs, of 2 x 8 bytes each.
Value emitMatrixProduct(KernelBuilder &b, Value sum, Value lhs, Value rhs);

//===----------------------------------------------------------------------===//
// Lookups and counts (TableLookup.cpp)
//===----------------------------------------------------------------------===//

/// table[index] of bytes. A table of sixteen is repeated in every 128 bits.
Value emitTableLookup(KernelBuilder &b, const VectorTarget &target, Value table,
                      Value indices);
/// accumulator + the number of bits set, of i32.
Value emitBitCount(KernelBuilder &b, const VectorTarget &target,
                   Value accumulator, Value bits);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOVECTOR_INNERLOOP_H
