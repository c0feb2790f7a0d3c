//===- Lowerings.h - One function an op -----------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOVECTOR_LOWERINGS_H
#define BITNET_LIB_CONVERSION_BITNETTOVECTOR_LOWERINGS_H

#include "KernelBuilder.h"

namespace bitnet {

/// What the lowerings ask of the machine.
class VectorTarget {
public:
  /// A null attribute stands for a machine about which nothing is known.
  explicit VectorTarget(TargetAttr target) : target(target) {}

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
  /// Whether there is an unsigned-by-signed byte dot product.
  bool hasDot() const;

private:
  TargetAttr target;
};

/// Each emits the loops of `op`, which is on memrefs, at the builder's
/// insertion point; the caller erases the op. Fails with a diagnostic where the
/// op cannot be lowered as it stands.
mlir::LogicalResult lowerQuantize(KernelBuilder &builder, QuantizeOp op);
mlir::LogicalResult lowerNorm(KernelBuilder &builder, NormOp op);
mlir::LogicalResult lowerRotary(KernelBuilder &builder, RotaryOp op);
mlir::LogicalResult lowerCacheUpdate(KernelBuilder &builder, CacheUpdateOp op);
mlir::LogicalResult lowerAttention(KernelBuilder &builder, AttentionOp op,
                                   const VectorTarget &target);
mlir::LogicalResult lowerLinear(KernelBuilder &builder, LinearOp op,
                                const VectorTarget &target, Lowering lowering);

/// The lowering that `auto` stands for.
Lowering chooseLowering(LinearOp op, const VectorTarget &target);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOVECTOR_LOWERINGS_H
