//===- LowBitMatmul.cpp - Which lowering a low-bit matmul gets ------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

LowBitMatmul::LowBitMatmul(LinearOp op)
    : op(op), lhs(op.getLhs()), weight(op.getWeight()),
      prepared(op.getPrepared()), scale(op.getScale()), step(op.getStep()),
      sum(op.getSum()), bias(op.getBias()), factor(op.getFactor()),
      addend(op.getAddend()), output(op.getOutput()),
      activation(op.getActivation()), packing(op.getPacking()),
      lowering(op.getLowering()), magnitude(op.getMagnitude()),
      tokenBlocks(op.getTokenBlocks()), n(op.getN()), k(op.getK()) {}

LowBitMatmul::LowBitMatmul(MatmulOp op)
    : op(op), lhs(op.getLhs()), weight(op.getWeight()),
      prepared(op.getPrepared()), output(op.getOutput()),
      packing(op.getPacking()), lowering(op.getLowering()),
      magnitude(op.getMagnitude()), tokenBlocks(op.getTokenBlocks()),
      n(op.getN()), k(op.getK()) {}

/// The largest block of tokens. Larger ones save indices, but their tables
/// leave the nearest cache sooner.
static constexpr int64_t largestBlock = 32;
/// What `auto` spends on tables, in bytes.
static constexpr int64_t largestTables = 64 << 20;

SmallVector<int64_t> bitnet::chooseTokenBlocks(const LowBitMatmul &matmul,
                                               const VectorTarget &target) {
  // Sums of groups with scales of their own are not kept in memory.
  auto scale =
      matmul.scale ? cast<ShapedType>(matmul.scale.getType()) : ShapedType();
  if (scale && scale.getRank() == 2 && scale.getDimSize(0) > 1)
    return {};
  int64_t left = matmul.getTokens();
  SmallVector<int64_t> sizes;
  for (int64_t size = largestBlock; size >= target.getLanes(16); size /= 2) {
    if (ShapedType::isDynamic(left) || left >= size)
      sizes.push_back(size);
    if (!ShapedType::isDynamic(left))
      left %= size;
  }
  return sizes;
}

SmallVector<TokenBlocks> bitnet::splitTokens(KernelBuilder &b, Value tokens,
                                             ArrayRef<int64_t> sizes,
                                             Value &left) {
  SmallVector<TokenBlocks> result;
  left = b.index(0);
  for (int64_t size : sizes) {
    Value count = b.floorDiv(b.sub(tokens, left), size);
    result.push_back({size, left, count});
    left = b.add(left, b.mul(count, size));
  }
  return result;
}

/// Whether bits of packed weights are those of codes.
static bool indexesTables(const LowBitMatmul &matmul) {
  return matmul.packing->getScheme() != PackingScheme::Base3;
}

/// Whether `lut` can compute a matmul on the target.
static bool servesLUT(const LowBitMatmul &matmul, const VectorTarget &target) {
  if (matmul.prepared ? !matmul.tokenBlocks.empty()
                      : !chooseTokenBlocks(matmul, target).empty())
    return true;
  // Lookups of bytes take four vectors of outputs at a time.
  return target.getLookupKind() != LookupKind::None &&
         matmul.packing->getRows() % (4 * target.getLanes(32)) == 0;
}

/// Whether blocks of tokens that share lookups are the fastest way.
static bool prefersTokenBlocks(const LowBitMatmul &matmul,
                               const VectorTarget &target) {
  // Measured on x86: so it is where there is no dot product, or one that goes
  // through 16 bits in vectors of up to 256.
  bool slow = target.getDotKind() == DotKind::PairsX86
                  ? target.getVectorBits() < 512
                  : !target.hasDot() && target.has("sse2");
  // An unknown number of tokens may be small; a large one needs large tables.
  int64_t tokens = matmul.getTokens();
  return slow && indexesTables(matmul) && !ShapedType::isDynamic(tokens) &&
         tokens * matmul.k * 16 <= largestTables &&
         !chooseTokenBlocks(matmul, target).empty();
}

/// Whether the lowering that a matmul asks for can compute it on the target.
static bool serves(const LowBitMatmul &matmul, const VectorTarget &target) {
  switch (matmul.lowering) {
  case Lowering::Auto:
    return false;
  case Lowering::Dot:
    return target.hasDot();
  case Lowering::LUT:
    return indexesTables(matmul) && servesLUT(matmul, target);
  case Lowering::AddSub:
    return true;
  case Lowering::Popcount:
    return indexesTables(matmul) && matmul.magnitude == 1;
  }
  llvm_unreachable("unknown lowering");
}

Lowering bitnet::getPlainLowering(const VectorTarget &target) {
  return target.hasDot() ? Lowering::Dot : Lowering::AddSub;
}

Lowering bitnet::settleLowering(const LowBitMatmul &matmul,
                                const VectorTarget &target) {
  if (matmul.getLhsElement().isInteger(8)) {
    if (serves(matmul, target))
      return matmul.lowering;
    if (matmul.lowering == Lowering::Auto && prefersTokenBlocks(matmul, target))
      return Lowering::LUT;
  }
  return getPlainLowering(target);
}
