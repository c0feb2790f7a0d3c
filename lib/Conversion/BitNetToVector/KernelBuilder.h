//===- KernelBuilder.h - Loops, indices and vectors of a kernel -----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thin layer over OpBuilder with which the lowerings read like the loops that
// they emit. Indices fold as they are built.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOVECTOR_KERNELBUILDER_H
#define BITNET_LIB_CONVERSION_BITNETTOVECTOR_KERNELBUILDER_H

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace bitnet {

using mlir::Value;
using mlir::ValueRange;

class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  KernelBuilder(mlir::Location loc, mlir::OpBuilder &builder)
      : ImplicitLocOpBuilder(loc, builder) {}

  //===--------------------------------------------------------------------===//
  // Scalars
  //===--------------------------------------------------------------------===//

  Value index(int64_t value);
  Value i32(int64_t value);
  Value f32(double value);
  Value add(Value lhs, Value rhs);
  Value sub(Value lhs, Value rhs);
  Value mul(Value lhs, Value rhs);
  Value add(Value lhs, int64_t rhs) { return add(lhs, index(rhs)); }
  Value mul(Value lhs, int64_t rhs) { return mul(lhs, index(rhs)); }
  /// lhs / rhs, rounded up or down, of non-negative indices.
  Value ceilDiv(Value lhs, int64_t rhs);
  Value floorDiv(Value lhs, int64_t rhs);
  Value rem(Value lhs, int64_t rhs);
  /// Extent of a memref's dimension, a constant where it is static.
  Value dim(Value memref, int64_t dimension);

  /// Memory of the frame that vectors may be loaded from without crossing lines
  /// of a cache.
  Value allocaVectors(mlir::MemRefType type);
  Value load(Value memref, ValueRange indices);
  void store(Value value, Value memref, ValueRange indices);
  /// Where an element is, for what takes pointers.
  Value address(Value memref, ValueRange indices);
  /// How many elements apart those are whose index in that dimension differs
  /// by one.
  Value stride(Value memref, int64_t dimension);
  /// Asks for an element soon to be read, in the second cache or in the
  /// nearest; it may lie past the memref's end.
  void prefetch(Value memref, ValueRange indices, bool nearest = false);
  /// The same for what lies as many bytes after `offset` as the runtime says.
  void prefetchAhead(Value memref, Value offset, bool nearest = false);
  /// Asks for what bytes in a row from these on are to be followed by, to both
  /// caches.
  void prefetchStream(Value memref, ValueRange indices);
  /// Bytes that a prefetch brings.
  static constexpr int64_t cacheLine = 64;
  /// How many bytes ahead of the loads of a stream, to the second cache and to
  /// the nearest.
  static constexpr int64_t farBytes = 16384, nearBytes = 2048;

  /// max(value, low) as the machine does it: `low` where value is NaN.
  Value maximum(Value value, Value low);
  Value minimum(Value value, Value high);
  /// lhs + rhs (or lhs * rhs) that may be reassociated: a step of a reduction.
  Value reduceAdd(Value lhs, Value rhs);

  //===--------------------------------------------------------------------===//
  // Loops
  //===--------------------------------------------------------------------===//

  using Body = llvm::function_ref<void(Value)>;
  using ReduceBody =
      llvm::function_ref<llvm::SmallVector<Value>(Value, ValueRange)>;

  /// for (i = low; i < high; i += step). Emits nothing for a loop that is
  /// known to be empty, the body alone for one that is known to run once.
  void loop(Value low, Value high, int64_t step, Body body);
  /// Visits `count` iterations from `low` on in groups of at most `most`, all
  /// of one size but for one more in the first of them.
  void groups(Value low, int64_t count, int64_t most,
              llvm::function_ref<void(Value, int64_t)> body);
  llvm::SmallVector<Value> reduce(Value low, Value high, int64_t step,
                                  ValueRange initial, ReduceBody body);
  void conditional(Value condition, llvm::function_ref<void()> then,
                   llvm::function_ref<void()> otherwise);
  /// What `then` or `otherwise` gives; both give the same types.
  using Values = llvm::SmallVector<Value>;
  Values choose(Value condition, llvm::function_ref<Values()> then,
                llvm::function_ref<Values()> otherwise);
  /// Independent iterations 0 .. count - 1.
  void parallel(Value count, Body body);

  //===--------------------------------------------------------------------===//
  // Vectors
  //===--------------------------------------------------------------------===//

  /// Whether vectors made from here on are a multiple of their lanes that the
  /// machine knows (vscale), and that multiple of a number.
  void setScalable(bool value) { scalable = value; }
  Value scale(int64_t lanes);

  mlir::VectorType vectorType(int64_t lanes, mlir::Type element);
  Value splat(Value scalar, int64_t lanes);
  Value zeroVector(int64_t lanes, mlir::Type element);
  /// A vector of constants, all `value`.
  Value constantVector(int64_t lanes, mlir::Type element, int64_t value);
  Value loadVector(Value memref, ValueRange indices, int64_t lanes);
  /// `count` elements, the same number on every machine.
  Value loadFixed(Value memref, ValueRange indices, int64_t count);
  /// Four bytes in every 32-bit lane, as bytes.
  Value broadcastWord(Value memref, ValueRange indices, int64_t lanes);
  void storeVector(Value vector, Value memref, ValueRange indices);
  Value bitcast(Value vector, mlir::Type element);
  /// The columns of the matrix whose rows are `rows`, one after another, in
  /// vectors as long as these were. The number of rows is a power of two.
  llvm::SmallVector<Value> transpose(llvm::ArrayRef<Value> rows);
  /// f16, bf16 to f32; f32 as it is. Scalars and vectors.
  Value toFloat(Value value);
  /// f32 to the nearest f16 or bf16, ties to even; as it is where that is f32.
  Value fromFloat(Value value, mlir::Type element);
  Value sumLanes(Value vector);
  /// The same by halves, in an order that no surroundings change.
  Value orderedSumLanes(Value vector);
  /// The largest lane, by `maximum`.
  Value maximumLane(Value vector);
  /// lhs * rhs + addend, fused where the machine can; may be reassociated.
  Value fma(Value lhs, Value rhs, Value addend);

  /// The value of a constant index, if it is one.
  static std::optional<int64_t> constant(Value value);

private:
  using Combine = llvm::function_ref<Value(Value, Value)>;
  /// Combines the halves of a vector until one lane is left.
  Value foldLanes(Value vector, Combine combine);

  bool scalable = false;
};

/// Whether the innermost dimension of the memref is contiguous.
bool isInnermostContiguous(Value memref);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOVECTOR_KERNELBUILDER_H
