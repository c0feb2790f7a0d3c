//===- DataType.h - Element types of tensors --------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_RUN_DATATYPE_H
#define BITNET_RUN_DATATYPE_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::run {

/// ONNX's TensorProto.DataType, as far as commands name them.
enum DataType : uint32_t {
  Float32 = 1,
  Int64 = 7,
  Bool = 9,
  Float16 = 10,
  BFloat16 = 16,
};

/// NumPy's name of an element type, or ONNX's where NumPy has none.
std::string nameOfType(uint32_t type);

/// Bytes an element; 0 for types without whole bytes or a fixed size.
size_t sizeOfType(uint32_t type);

/// The bytes of an array of the shape, which need not fit in memory. Throws,
/// with the name, where 64 bits do not hold the number.
uint64_t byteCount(const std::vector<int64_t> &shape, size_t elementSize,
                   const std::string &name);

/// The type's code in .npy files ("f4", "i8", "b1"), empty where it has none.
std::string_view npyCodeOfType(uint32_t type);

/// The type of a .npy code, 0 where no ONNX type corresponds.
uint32_t typeOfNpyCode(std::string_view code);

} // namespace bitnet::run

#endif // BITNET_RUN_DATATYPE_H
