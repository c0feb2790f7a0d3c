//===- RandomInputs.cpp - Inputs to time a model on -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RandomInputs.h"
#include "DataType.h"
#include "Error.h"

#include <cstring>

namespace bitnet::run {

static constexpr size_t mostBytes = size_t(1) << 34;

RandomInputs::RandomInputs(const bn_entry_info &entry, int64_t dynamicExtent) {
  for (uint32_t i = 0; i < entry.input_count; ++i)
    add(entry.inputs[i], dynamicExtent);
  for (size_t i = 0; i < tensors.size(); ++i)
    tensors[i].data = data[i].data();
}

void RandomInputs::add(const bn_tensor_info &input, int64_t dynamicExtent) {
  bn_tensor tensor = {};
  tensor.name = input.name;
  tensor.dtype = input.dtype;
  tensor.rank = input.rank;
  size_t count = 1;
  for (uint32_t i = 0; i < input.rank; ++i) {
    int64_t extent = input.dims[i].extent;
    tensor.shape[i] = extent < 0 ? dynamicExtent : extent;
    if (__builtin_mul_overflow(count, size_t(tensor.shape[i]), &count) ||
        count > mostBytes / sizeOfType(input.dtype))
      throw Error(
          "input '" + std::string(input.name) +
          "' would take more than 16 GiB: --dynamic-extent is too large");
  }
  std::string bytes(count * sizeOfType(input.dtype), '\0');
  for (size_t i = 0; i < count; ++i)
    fill(bytes, i, input.dtype);
  data.push_back(std::move(bytes));
  tensors.push_back(tensor);
}

void RandomInputs::fill(std::string &bytes, size_t i, uint32_t type) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  if (type == Float32) {
    float value = float(int32_t(state >> 32)) / 2147483648.0f;
    std::memcpy(&bytes[i * sizeof value], &value, sizeof value);
  } else if (type != Float16 && type != BFloat16) {
    // The lowest byte of a little-endian whole number.
    bytes[i * sizeOfType(type)] = char(state >> 63);
  }
}

} // namespace bitnet::run
