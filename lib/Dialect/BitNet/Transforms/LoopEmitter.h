//===- LoopEmitter.h - Loops of one linalg op -------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_DIALECT_BITNET_TRANSFORMS_LOOPEMITTER_H
#define BITNET_LIB_DIALECT_BITNET_TRANSFORMS_LOOPEMITTER_H

#include "LoopOrder.h"

#include "mlir/IR/Builders.h"

namespace bitnet {

/// How the iterations of an op are given to threads.
struct ParallelOptions {
  /// Work of one parallel iteration; 0 forbids parallel loops.
  int64_t grain = 0;
  /// The extent assumed of a dynamic dimension.
  int64_t dynamicExtent = 1024;
  /// Work of the whole op, estimated before dynamic dimensions were merged.
  int64_t work = 0;
};

/// Emits the loops of one linalg op on buffers, before it.
class LoopEmitter {
public:
  LoopEmitter(mlir::linalg::LinalgOp op, ParallelOptions options);

  /// Emits and returns whether the outermost loop is parallel.
  bool emit();

private:
  /// A loop over the units of parallel work: `count` of them, in chunks.
  struct Chunks {
    mlir::Value count, chunk, number;
  };
  /// Dimensions whose iterations, in the loop order, are the units of work.
  struct Split {
    unsigned begin = 0, end = 0;
    bool valid() const { return begin != end; }
  };

  int64_t assumedExtent(unsigned dim) const;
  Split chooseSplit();
  Chunks emitChunks(Split split);
  void emitParallel(Split split, Chunks chunks);
  void emitRows(Split split, mlir::Value row);

  /// Loops from `level` of the order on; carries and returns `sums`.
  llvm::SmallVector<mlir::Value> emitNest(unsigned level, mlir::ValueRange sums,
                                          bool carries);
  llvm::SmallVector<mlir::Value> emitLoop(unsigned level, mlir::ValueRange sums,
                                          bool carries);
  llvm::SmallVector<mlir::Value> emitBody(mlir::ValueRange sums, bool carries);
  /// Fixes the dimension at `level` and reads the operands now determined.
  void bind(unsigned level, mlir::Value index);
  void loadInputs(int level);

  mlir::SmallVector<mlir::Value> getIndices(mlir::OpOperand &operand);
  mlir::Value load(mlir::OpOperand &operand);
  void store(mlir::Value value, mlir::OpOperand &operand);
  mlir::Value constant(int64_t value);
  bool carriesSums();

  mlir::linalg::LinalgOp op;
  ParallelOptions options;
  mlir::OpBuilder builder;
  mlir::Location loc;
  LoopOrder order;
  llvm::SmallVector<int64_t> ranges;
  /// By dimension: extents, the current indices, and bounds where a chunk
  /// narrows them.
  llvm::SmallVector<mlir::Value> extents, indices, lower, upper;
  /// By operand: the value read, once its indices are known.
  llvm::SmallVector<mlir::Value> loaded;
};

} // namespace bitnet

#endif // BITNET_LIB_DIALECT_BITNET_TRANSFORMS_LOOPEMITTER_H
