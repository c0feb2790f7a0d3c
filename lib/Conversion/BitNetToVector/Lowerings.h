//===- Lowerings.h - One function an op -----------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOVECTOR_LOWERINGS_H
#define BITNET_LIB_CONVERSION_BITNETTOVECTOR_LOWERINGS_H

#include "KernelBuilder.h"

#include <functional>

namespace bitnet {

/// How a machine multiplies bytes and adds the products of four.
enum class DotKind {
  None,
  PairsX86,  // pmaddubsw: unsigned by signed, pairs in saturating i16
  DotX86,    // vpdpbusd: unsigned by signed, in i32
  PairsNeon, // smull and smlal: signed, in i16
  DotNeon,   // sdot: signed, in i32
  DotSVE,    // the same on scalable vectors
};

/// How a machine looks up bytes: how many entries a table has.
enum class LookupKind { None, Sixteen, SixtyFour };

/// What the lowerings ask of the machine.
class VectorTarget {
public:
  /// A null attribute stands for a machine about which nothing is known.
  explicit VectorTarget(TargetAttr target)
      : target(target), scalable(has("sve")) {}
  /// The same machine, without its scalable vectors.
  VectorTarget withFixedVectors() const {
    VectorTarget fixed(*this);
    fixed.scalable = false;
    return fixed;
  }

  bool has(llvm::StringRef feature) const {
    return target && target.hasFeature(feature);
  }
  /// Bits of the vectors in which loops are written, and how many registers of
  /// that size there are.
  int64_t getVectorBits() const;
  int64_t getRegisters() const;
  int64_t getLanes(int64_t elementBits) const {
    return getVectorBits() / elementBits;
  }
  /// Whether loops are written in vectors of `vscale` times those bits.
  bool isScalable() const { return scalable; }

  DotKind getDotKind() const;
  bool hasDot() const { return getDotKind() != DotKind::None; }
  bool hasDotX86() const {
    return getDotKind() == DotKind::PairsX86 || getDotKind() == DotKind::DotX86;
  }
  /// Whether sums of a block are first kept in 16 bits.
  bool hasPartialSums() const {
    return getDotKind() == DotKind::PairsX86 ||
           getDotKind() == DotKind::PairsNeon;
  }
  /// What the codes of a dot product must be below: its operand is signed or
  /// not.
  int64_t getCodeLimit() const { return hasDotX86() ? 256 : 128; }
  LookupKind getLookupKind() const;
  /// Whether there is a product of 2 x 8 by 8 x 2 bytes.
  bool hasMatrixProduct() const { return has("i8mm"); }
  /// Whether there is a product of 16 x 64 by 64 x 16 bytes, in registers that
  /// hold tiles.
  bool hasTileProduct() const {
    return has("amx-int8") && getVectorBits() == 512;
  }
  bool hasFusedMultiplyAdd() const { return has("fma") || has("neon"); }
  /// Whether bytes can be shifted.
  bool hasByteShifts() const { return has("neon"); }
  /// Whether an instruction takes a word of a vector for all of its lanes:
  /// activations are then loaded by vectors.
  bool hasWordOperands() const { return getDotKind() == DotKind::DotNeon; }

private:
  TargetAttr target;
  bool scalable;
};

/// A bitnet.linear or bitnet.matmul, tensors or memrefs. What an op lacks is
/// null.
struct LowBitMatmul {
  explicit LowBitMatmul(LinearOp op);
  explicit LowBitMatmul(MatmulOp op);

  mlir::Operation *op;
  Value lhs, weight, prepared, scale, step, sum, bias, factor, addend, output;
  Activation activation = Activation::None;
  std::optional<PackingAttr> packing;
  Lowering lowering;
  std::optional<int64_t> magnitude;    // of an integer lhs
  llvm::ArrayRef<int64_t> tokenBlocks; // of `prepared`
  int64_t n, k;

  /// The number of rows of activations, where known.
  int64_t getTokens() const {
    return llvm::cast<mlir::ShapedType>(lhs.getType()).getDimSize(0);
  }
  /// Blocks of packed weights along K.
  int64_t getBlocks() const {
    return packing->getPaddedColumns(k) / packing->getBlock();
  }
  /// Groups of K that have scales of their own; 1 where scales do not change.
  int64_t getGroups() const {
    auto type = scale ? llvm::cast<mlir::ShapedType>(scale.getType()) : nullptr;
    return type && type.getRank() == 2 ? type.getDimSize(0) : 1;
  }
  mlir::Type getLhsElement() const {
    return llvm::cast<mlir::ShapedType>(lhs.getType()).getElementType();
  }
};

/// The lowering that a matmul gets on a target: the one that it asks for where
/// that serves, else the one that `auto` stands for.
Lowering settleLowering(const LowBitMatmul &matmul, const VectorTarget &target);

/// What multiplies any activations of bytes, as they are.
Lowering getPlainLowering(const VectorTarget &target);
/// Sizes of blocks of tokens that share lookups; none where there are too few.
llvm::SmallVector<int64_t> chooseTokenBlocks(const LowBitMatmul &matmul,
                                             const VectorTarget &target);

/// Tokens `first` ... `first + count * size - 1`, in blocks.
struct TokenBlocks {
  int64_t size;
  Value first, count;
};
/// As many blocks of the first size as `tokens` has, then of the next; `left`
/// becomes the first token that is in none.
llvm::SmallVector<TokenBlocks> splitTokens(KernelBuilder &b, Value tokens,
                                           llvm::ArrayRef<int64_t> sizes,
                                           Value &left);

/// The tables that a block of tokens shares, as bitnet.prepare documents them:
/// eight of sixteen entries for four bytes of a row, the n-th of which the n-th
/// half byte indexes.
class TokenTables {
public:
  static constexpr int64_t entries = 16, tables = 8;

  /// Whether a block's tables can take the place of its tokens' rows, there
  /// being no gaps between them.
  static bool fit(Value prepared);
  TokenTables(KernelBuilder &b, Value prepared, int64_t tokens);

  int64_t getTokens() const { return tokens; }
  int64_t getEntryBytes() const { return 2 * tokens; }
  int64_t getTableBytes() const { return entries * getEntryBytes(); }
  int64_t getPartBytes() const { return tables * getTableBytes(); }
  /// Of the tables of the block that begins with `token`.
  Value getOffset(KernelBuilder &b, Value token) const;
  Value load(KernelBuilder &b, Value offset) const;
  void store(KernelBuilder &b, Value sums, Value offset) const;

private:
  int64_t tokens, columns;
  Value bytes; // memref, of one dimension
};

/// Dot products of floats along a contiguous depth, of some rows by some
/// others. What is added to what, and how it is rounded, depends on the depth,
/// the lanes and `fused` alone: the same rows give the same bits in every loop.
struct FloatDots {
  int64_t lhsCount = 1, rhsCount = 1;
  /// Whether the machine multiplies and adds with one rounding.
  bool fused = false;
  Value depth;
  /// `width` elements of a row from `k` on, as f32; the scalar where it is 0.
  std::function<Value(int64_t row, Value k, int64_t width)> lhs, rhs;
  /// Vectors that a step takes, and what it first does for each row of rhs.
  int64_t vectorsAtOnce = 1;
  std::function<void(int64_t row, Value k)> fetch;
};
/// The sums, by rows of lhs, then of rhs.
llvm::SmallVector<Value> emitFloatDots(KernelBuilder &b, const FloatDots &dots,
                                       int64_t lanes);

/// Each emits the loops of `op`, which is on memrefs, at the builder's
/// insertion point; the caller erases the op. Fails with a diagnostic where the
/// op cannot be lowered as it stands.
mlir::LogicalResult lowerQuantize(KernelBuilder &builder, QuantizeOp op);
mlir::LogicalResult lowerNorm(KernelBuilder &builder, NormOp op);
mlir::LogicalResult lowerRotary(KernelBuilder &builder, RotaryOp op);
mlir::LogicalResult lowerCacheUpdate(KernelBuilder &builder, CacheUpdateOp op);
mlir::LogicalResult lowerAttention(KernelBuilder &builder, AttentionOp op,
                                   const VectorTarget &target);
mlir::LogicalResult lowerTopLogits(KernelBuilder &builder, TopLogitsOp op,
                                   const VectorTarget &target);
mlir::LogicalResult lowerPrepare(KernelBuilder &builder, PrepareOp op);
/// `lowering` is a settled one.
mlir::LogicalResult lowerMatmul(KernelBuilder &builder,
                                const LowBitMatmul &matmul,
                                const VectorTarget &target, Lowering lowering);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOVECTOR_LOWERINGS_H
