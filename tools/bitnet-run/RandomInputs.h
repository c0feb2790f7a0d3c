//===- RandomInputs.h - Inputs to time a model on ---------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_RANDOMINPUTS_H
#define BITNET_RUN_RANDOMINPUTS_H

#include "bitnet/runtime.h"

#include <vector>

namespace bitnet::run {

/// Inputs of an entry: floats in [-1, 1), whole numbers 0 and 1.
class RandomInputs {
public:
  RandomInputs(const bn_entry_info &entry, int64_t dynamicExtent);

  std::vector<bn_tensor> tensors;

private:
  void add(const bn_tensor_info &input, int64_t dynamicExtent);
  void fill(char *bytes, size_t i, uint32_t type);

  /// As a session's workspace is aligned: kernels are as fast as within models.
  struct alignas(64) Line {
    char bytes[64];
  };
  uint64_t state = 158;
  std::vector<std::vector<Line>> data;
};

} // namespace bitnet::run

#endif // BITNET_RUN_RANDOMINPUTS_H
