//===- DotKernels.h - Loops that measure the machine ------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_DOTKERNELS_H
#define BITNET_RUN_DOTKERNELS_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bitnet::run {

/// A loop of independent 8-bit dot products in registers, with the sums that
/// generated kernels keep.
struct DotKernel {
  const char *instruction;
  int64_t macsPerRound;
  int64_t (*run)(int64_t rounds); // the result only keeps the loop alive
};

/// The one with the highest rate that code may use which has these features of
/// the machine, in LLVM's spelling, and no others. The machine must have them.
DotKernel dotKernelFor(const std::vector<std::string> &features);

/// The same of products of tiles (x86's AMX), whose rate is a multiple of that
/// of the above; none where the features lack them. The process must have been
/// given the registers, as opening a model with such a variant asks for.
std::optional<DotKernel>
tileKernelFor(const std::vector<std::string> &features);

/// Reads memory as fast as this machine's widest loads do.
uint64_t sumWords(const uint64_t *words, size_t count);

} // namespace bitnet::run

#endif // BITNET_RUN_DOTKERNELS_H
