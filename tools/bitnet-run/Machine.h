//===- Machine.h - Limits of the machine, measured --------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_MACHINE_H
#define BITNET_RUN_MACHINE_H

#include <functional>

namespace bitnet::run {

/// What this machine can do at most, measured now, with so many threads.

/// Bytes a second read in order from memory.
double measureReadBandwidth(int threads);

/// Multiplications of 8-bit integers, summed, a second, in registers.
double measureDotPeak(int threads);

/// Runs `work(thread)` at once on every thread, again and again; the shortest
/// time in seconds from the first start to the last end.
double shortestTime(int threads, int repetitions,
                    const std::function<void(int)> &work);

} // namespace bitnet::run

#endif // BITNET_RUN_MACHINE_H
