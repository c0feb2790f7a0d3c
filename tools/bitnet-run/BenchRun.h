//===- BenchRun.h - Timing the main entry -----------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_BENCHRUN_H
#define BITNET_RUN_BENCHRUN_H

#include "Commands.h"

#include <chrono>

namespace bitnet::run {

/// `bitnet-run bench` of a model that is no decoder: times its own signature on
/// random inputs.
void benchRuns(const BenchOptions &options, const Model &model,
               const Session &session);
double secondsSince(std::chrono::steady_clock::time_point begin);

} // namespace bitnet::run

#endif // BITNET_RUN_BENCHRUN_H
