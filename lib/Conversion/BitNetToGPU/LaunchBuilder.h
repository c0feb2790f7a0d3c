//===- LaunchBuilder.h - Launches, workgroups and their reductions --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOGPU_LAUNCHBUILDER_H
#define BITNET_LIB_CONVERSION_BITNETTOGPU_LAUNCHBUILDER_H

#include "../BitNetToVector/KernelBuilder.h"
#include "bitnet/Target/GPU/DeviceTarget.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace bitnet {

/// A KernelBuilder that also knows how work is spread over a device.
class LaunchBuilder : public KernelBuilder {
public:
  LaunchBuilder(mlir::Location loc, mlir::OpBuilder &builder,
                const DeviceTarget &device)
      : KernelBuilder(loc, builder), device(device) {}

  const DeviceTarget &getDevice() const { return device; }

  /// A thread for each of 0 .. count - 1.
  void forEach(Value count, Body body);

  using GroupBody = llvm::function_ref<void(Value group, Value thread)>;
  /// A workgroup of `threads` threads for each of 0 .. count - 1. All threads
  /// of a group run the body together, and may wait for each other.
  void forGroups(Value count, int64_t threads, GroupBody body);

  /// for (i = thread; i < high; i += threads), for a group's share of a loop.
  /// Iterations may differ in number from thread to thread.
  void share(Value thread, int64_t threads, Value high, Body body) {
    dynamicLoop(thread, high, threads, {}, [&](Value i, ValueRange) {
      body(i);
      return llvm::SmallVector<Value>();
    });
  }
  llvm::SmallVector<Value> shareReduce(Value thread, int64_t threads,
                                       Value high, ValueRange initial,
                                       ReduceBody body) {
    return dynamicLoop(thread, high, threads, initial, body);
  }

  using Combine = llvm::function_ref<Value(Value, Value)>;
  /// The combination of the values of all threads of a group, in every thread.
  Value reduceGroup(Value thread, int64_t threads, Value value,
                    Combine combine);
  /// The combination of each of `values` over the threads t, t + width,
  /// t + 2 * width, ...; both are powers of two. Valid in threads below
  /// `width`.
  llvm::SmallVector<Value> reduceStrided(Value thread, int64_t threads,
                                         int64_t width, ValueRange values,
                                         Combine combine);

  /// Bytes as 32-bit words, `[words]`; they are a whole number of words, and
  /// aligned.
  Value asWords(Value bytes);
  /// Consecutive words, in loads as wide as the device has.
  llvm::SmallVector<Value> loadWords(Value words, Value at, int64_t count);

  Value allocShared(int64_t elements, mlir::Type element);
  void barrier();
  void when(Value condition, llvm::function_ref<void()> body);
  Value less(Value lhs, Value rhs);
  Value minimumIndex(Value lhs, Value rhs);

private:
  /// Opens a launch at the insertion point and moves into it.
  mlir::gpu::LaunchOp beginLaunch(Value groups, int64_t threads);
  llvm::SmallVector<Value> dynamicLoop(Value low, Value high, int64_t step,
                                       ValueRange initial, ReduceBody body);
  Value countGroups(Value count);
  Value reduceLanes(Value value, int64_t lanes, int64_t width, Combine combine);

  const DeviceTarget &device;
};

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOGPU_LAUNCHBUILDER_H
