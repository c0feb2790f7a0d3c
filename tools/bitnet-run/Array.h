//===- Array.h - Arrays and .npy files --------------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_ARRAY_H
#define BITNET_RUN_ARRAY_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::run {

/// A dense row-major array and its bytes.
struct Array {
  uint32_t type = 0; // ONNX TensorProto.DataType
  std::vector<int64_t> shape;
  std::string data;

  int64_t elementCount() const;
  template <typename T> const T *as() const {
    return reinterpret_cast<const T *>(data.data());
  }
};

/// Reads .npy of the versions 1 to 3. `name` is what errors call it.
Array parseNpy(std::string_view bytes, const std::string &name);
Array readNpy(const std::string &path);

/// The .npy file of an array; throws Error where the type has no form in it.
std::string formatNpy(const Array &array);

/// An array of another float type: to bfloat16 the nearest, ties to even.
Array convertFloat(const Array &array, uint32_t type);

std::string readFile(const std::string &path);
/// Writes beside `path` first, so that no partial file appears there.
void writeFile(const std::string &path, std::string_view bytes);

/// The name of the .npy file of a tensor: characters outside A-Za-z0-9._- are
/// replaced by _.
std::string fileNameOf(std::string_view tensor);

} // namespace bitnet::run

#endif // BITNET_RUN_ARRAY_H
