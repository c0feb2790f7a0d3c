//===- DataType.cpp - Element types of tensors ----------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DataType.h"
#include "Error.h"

namespace bitnet::run {

namespace {
struct TypeRow {
  uint32_t type;
  size_t size;
  const char *name, *npyCode;
};
constexpr TypeRow rows[] = {
    {1, 4, "float32", "f4"},       {2, 1, "uint8", "u1"},
    {3, 1, "int8", "i1"},          {4, 2, "uint16", "u2"},
    {5, 2, "int16", "i2"},         {6, 4, "int32", "i4"},
    {7, 8, "int64", "i8"},         {8, 0, "string", ""},
    {9, 1, "bool", "b1"},          {10, 2, "float16", "f2"},
    {11, 8, "float64", "f8"},      {12, 4, "uint32", "u4"},
    {13, 8, "uint64", "u8"},       {14, 8, "complex64", "c8"},
    {15, 16, "complex128", "c16"}, {16, 2, "bfloat16", ""},
    {17, 1, "float8e4m3fn", ""},   {18, 1, "float8e4m3fnuz", ""},
    {19, 1, "float8e5m2", ""},     {20, 1, "float8e5m2fnuz", ""},
    {21, 0, "uint4", ""},          {22, 0, "int4", ""},
    {23, 0, "float4e2m1", ""},     {24, 1, "float8e8m0", ""},
    {25, 0, "uint2", ""},          {26, 0, "int2", ""},
};

const TypeRow *rowOf(uint32_t type) {
  for (const TypeRow &row : rows)
    if (row.type == type)
      return &row;
  return nullptr;
}
} // namespace

std::string nameOfType(uint32_t type) {
  const TypeRow *row = rowOf(type);
  return row ? row->name : "type " + std::to_string(type);
}

size_t sizeOfType(uint32_t type) {
  const TypeRow *row = rowOf(type);
  return row ? row->size : 0;
}

uint64_t byteCount(const std::vector<int64_t> &shape, size_t elementSize,
                   const std::string &name) {
  for (int64_t extent : shape)
    if (extent == 0)
      return 0;
  uint64_t bytes = elementSize;
  for (int64_t extent : shape)
    if (__builtin_mul_overflow(bytes, uint64_t(extent), &bytes))
      throw Error(name + ": the shape is too large");
  return bytes;
}

std::string_view npyCodeOfType(uint32_t type) {
  const TypeRow *row = rowOf(type);
  return row ? row->npyCode : "";
}

uint32_t typeOfNpyCode(std::string_view code) {
  for (const TypeRow &row : rows)
    if (!code.empty() && code == row.npyCode)
      return row.type;
  return 0;
}

} // namespace bitnet::run
