//===- Machine.h - Limits of the machine, measured --------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_MACHINE_H
#define BITNET_RUN_MACHINE_H

#include "DotKernels.h"
#include "Model.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bitnet::run {

/// What bounds a session on this machine, measured now with as many threads.
/// Unknown on a device: what the processor can do says nothing there.
struct Limits {
  std::optional<double> readBandwidth, dotPeak;
  std::string dotInstruction; // of which dotPeak is the peak
  /// Of products of tiles, which are dot products too: where code has them.
  std::optional<double> tilePeak = std::nullopt;

  /// A rate as a fraction of one of them.
  static std::optional<double> fraction(std::optional<double> rate,
                                        std::optional<double> limit) {
    if (!rate || !limit)
      return std::nullopt;
    return *rate / *limit;
  }
};
Limits measureLimits(const Session &session);
/// Of the processor, for code of these features and a buffer of so many bytes
/// to read.
Limits measureLimits(int threads, const std::vector<std::string> &features,
                     size_t bytes);
/// Of limits measured between repetitions: where a machine is shared, what
/// others leave of it changes within seconds.
Limits medianOf(const std::vector<Limits> &measured);
/// Of values, of which there is one at least.
double median(std::vector<double> values);

/// Bytes a second read in order from a buffer of so many: from memory, where
/// these are several times a cache's.
double measureReadBandwidth(int threads, size_t bytes);

/// Multiplications of 8-bit integers, summed, a second, in registers.
double measureDotPeak(int threads, const DotKernel &kernel);

/// Runs `work(thread)` at once on every thread, again and again; the shortest
/// time in seconds from the first start to the last end.
double shortestTime(int threads, int repetitions,
                    const std::function<void(int)> &work);

} // namespace bitnet::run

#endif // BITNET_RUN_MACHINE_H
