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
#include <string>

namespace bitnet::run {

/// Of an input: what --dynamic-extent may ask for by mistake.
static constexpr uint64_t mostBytes = uint64_t(1) << 34;

RandomInputs::RandomInputs(const bn_entry_info &entry, int64_t dynamicExtent) {
  for (uint32_t i = 0; i < entry.input_count; ++i)
    add(entry.inputs[i], dynamicExtent);
  for (size_t i = 0; i < tensors.size(); ++i)
    tensors[i].data = data[i].front().bytes;
}

void RandomInputs::add(const bn_tensor_info &input, int64_t dynamicExtent) {
  bn_tensor tensor = {};
  tensor.name = input.name;
  tensor.dtype = input.dtype;
  tensor.rank = input.rank;
  for (uint32_t i = 0; i < input.rank; ++i) {
    int64_t extent = input.dims[i].extent;
    tensor.shape[i] = extent < 0 ? dynamicExtent : extent;
  }
  size_t size = sizeOfType(input.dtype);
  std::string name = "input '" + std::string(input.name) + "'";
  uint64_t total = byteCount({tensor.shape, tensor.shape + input.rank}, size,
                             name + " with this --dynamic-extent");
  if (total > mostBytes)
    throw Error(name +
                " would take more than 16 GiB: --dynamic-extent is too large");
  std::vector<Line> lines(total / sizeof(Line) + 1);
  for (size_t i = 0; i * size < total; ++i)
    fill(lines.front().bytes, i, input.dtype);
  data.push_back(std::move(lines));
  tensors.push_back(tensor);
}

void RandomInputs::fill(char *bytes, size_t i, uint32_t type) {
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
