//===- Lowerings.h - One function an op -----------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOGPU_LOWERINGS_H
#define BITNET_LIB_CONVERSION_BITNETTOGPU_LOWERINGS_H

#include "../BitNetToVector/NormArithmetic.h"
#include "LaunchBuilder.h"

namespace bitnet {

/// Each emits the launches of `op`, which is on memrefs, at the builder's
/// insertion point; the caller erases the op. Fails with a diagnostic where the
/// op cannot be lowered as it stands.
mlir::LogicalResult launchQuantize(LaunchBuilder &builder, QuantizeOp op);
mlir::LogicalResult launchNorm(LaunchBuilder &builder, NormOp op);
/// Goes to row `m` of a norm, the `columns` of which the threads of a group
/// share.
void startNormOfGroup(LaunchBuilder &builder, NormArithmetic &norm, Value m,
                      Value thread, int64_t threads, Value columns);
mlir::LogicalResult launchRotary(LaunchBuilder &builder, RotaryOp op);
mlir::LogicalResult launchCacheUpdate(LaunchBuilder &builder, CacheUpdateOp op);
mlir::LogicalResult launchAttention(LaunchBuilder &builder, AttentionOp op);
mlir::LogicalResult launchMatmul(LaunchBuilder &builder,
                                 const LowBitMatmul &matmul);
/// launchMatmul's way for several tokens, where the device multiplies matrices.
bool fitsMatrixUnits(LaunchBuilder &builder, const LowBitMatmul &matmul);
void launchMatrixMatmul(LaunchBuilder &builder, const LowBitMatmul &matmul);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOGPU_LOWERINGS_H
