//===- LoopOrder.h - How to nest the loops of a linalg op -------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_DIALECT_BITNET_TRANSFORMS_LOOPORDER_H
#define BITNET_LIB_DIALECT_BITNET_TRANSFORMS_LOOPORDER_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

namespace bitnet {

/// The dimensions of an op's iteration space, outermost first.
struct LoopOrder {
  llvm::SmallVector<unsigned> dims;
  /// The leading dimensions whose iterations are independent.
  unsigned numParallel = 0;
  /// No parallel dimension follows a reduction: sums can stay in registers.
  bool reducesInnermost = true;
};

/// The order in which the innermost loop runs along contiguous memory.
LoopOrder chooseLoopOrder(mlir::linalg::LinalgOp op);

/// Groups of dimensions that every operand holds side by side in memory, so
/// that one loop can run over each group; empty where there is nothing to
/// merge.
llvm::SmallVector<mlir::ReassociationIndices>
findMergeableDims(mlir::linalg::LinalgOp op);

/// Arithmetic ops that an iteration costs, about.
int64_t estimateIterationCost(mlir::linalg::LinalgOp op);

/// The same of all iterations, with `dynamicExtent` for unknown extents.
int64_t estimateWork(mlir::linalg::LinalgOp op, int64_t dynamicExtent);

} // namespace bitnet

#endif // BITNET_LIB_DIALECT_BITNET_TRANSFORMS_LOOPORDER_H
