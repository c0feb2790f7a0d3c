//===- Evaluator.h - Ops evaluated on constants --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_DIALECT_ONNX_TRANSFORMS_EVALUATOR_H
#define BITNET_LIB_DIALECT_ONNX_TRANSFORMS_EVALUATOR_H

#include "Tensor.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/StringMap.h"
#include <functional>

namespace bitnet::onnx {

/// An op with the values of its operands; null where an input is left out.
struct Invocation {
  mlir::Operation *op;
  llvm::ArrayRef<const Tensor *> operands;

  const Tensor &operator[](unsigned index) const { return *operands[index]; }
  bool has(unsigned index) const {
    return index < operands.size() && operands[index];
  }
  /// The element type of a result.
  mlir::Type getElementType(unsigned result = 0) const;
  /// An integer attribute, or what the standard has for its absence.
  int64_t getInt(llvm::StringRef name, int64_t otherwise) const;
  /// A tensor for a result, of this shape.
  Tensor makeResult(llvm::ArrayRef<int64_t> shape, unsigned result = 0) const;
};

using Results = llvm::SmallVector<Tensor, 1>;
/// Fails, silently, where an op cannot be evaluated: it then stays.
using Kernel =
    std::function<llvm::LogicalResult(const Invocation &, Results &)>;
/// Kernels by the ops' names, without the dialect.
using KernelTable = llvm::StringMap<Kernel>;

void addElementwiseKernels(KernelTable &table);
void addMovementKernels(KernelTable &table);
void addReductionKernels(KernelTable &table);

//===----------------------------------------------------------------------===//
// Strided access
//===----------------------------------------------------------------------===//

/// Elements between neighbours along each dimension, row-major.
llvm::SmallVector<int64_t> getStrides(llvm::ArrayRef<int64_t> shape);

/// Strides with which a tensor of `shape` is read as broadcast to `result`, or
/// nothing if it cannot be.
std::optional<llvm::SmallVector<int64_t>>
getBroadcastStrides(llvm::ArrayRef<int64_t> shape,
                    llvm::ArrayRef<int64_t> result);

/// The shape that all of these broadcast to, or nothing.
std::optional<llvm::SmallVector<int64_t>>
getBroadcastShape(llvm::ArrayRef<llvm::ArrayRef<int64_t>> shapes);

/// Calls `action(offset)` for each index of `shape` in row-major order, where
/// the offset is `start` plus the index times the strides.
template <typename Action>
void forEachOffset(llvm::ArrayRef<int64_t> shape,
                   llvm::ArrayRef<int64_t> strides, int64_t start,
                   Action &&action) {
  int64_t rank = shape.size();
  for (int64_t extent : shape)
    if (extent == 0)
      return;
  if (rank == 0) {
    action(start);
    return;
  }
  llvm::SmallVector<int64_t> index(rank, 0);
  int64_t offset = start;
  while (true) {
    for (int64_t i = 0, at = offset; i < shape.back();
         ++i, at += strides.back())
      action(at);
    int64_t d = rank - 2;
    for (; d >= 0; --d) {
      offset += strides[d];
      if (++index[d] < shape[d])
        break;
      offset -= strides[d] * shape[d];
      index[d] = 0;
    }
    if (d < 0)
      return;
  }
}

} // namespace bitnet::onnx

#endif // BITNET_LIB_DIALECT_ONNX_TRANSFORMS_EVALUATOR_H
