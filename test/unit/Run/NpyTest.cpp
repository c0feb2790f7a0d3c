//===- NpyTest.cpp - Arrays and .npy files --------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Array.h"
#include "DataType.h"
#include "Error.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace bitnet::run;

namespace {

/// A file with this header and data, as NumPy writes version 1.
std::string file(const std::string &header, const std::string &data,
                 char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += version;
  bytes += '\0';
  bytes += char(header.size());
  bytes += '\0';
  if (version > 1)
    bytes.append(2, '\0');
  return bytes + header + data;
}

std::string errorOf(const std::string &bytes) {
  try {
    parseNpy(bytes, "f");
  } catch (const Error &error) {
    return error.what();
  }
  return "";
}

TEST(Npy, RoundTripsEveryType) {
  for (uint32_t type : {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15}) {
    for (const std::vector<int64_t> &shape :
         std::vector<std::vector<int64_t>>{{}, {3}, {2, 3, 4}, {5, 0}}) {
      Array array;
      array.type = type;
      array.shape = shape;
      size_t bytes = size_t(array.elementCount()) * sizeOfType(type);
      for (size_t i = 0; i < bytes; ++i)
        array.data += char(type == Bool ? i & 1 : i * 37);
      std::string npy = formatNpy(array);
      EXPECT_EQ((npy.size() - bytes) % 64, 0u);
      Array read = parseNpy(npy, "f");
      EXPECT_EQ(read.type, type);
      EXPECT_EQ(read.shape, shape);
      EXPECT_EQ(read.data, array.data);
    }
  }
}

TEST(Npy, ReadsWhatNumPyWrites) {
  std::string data("\1\0\2\0\3\0\4\0", 8);
  std::string header =
      "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 2), }      \n";
  for (char version : {1, 2, 3}) {
    Array array = parseNpy(file(header, data, version), "f");
    EXPECT_EQ(array.type, 5u);
    EXPECT_EQ(array.shape, (std::vector<int64_t>{2, 2}));
    EXPECT_EQ(array.as<int16_t>()[3], 4);
  }
  // One dimension is in both orders at once.
  Array array = parseNpy(
      file("{'descr': '|u1', 'fortran_order': True, 'shape': (8,), }\n", data),
      "f");
  EXPECT_EQ(array.shape, std::vector<int64_t>{8});
}

TEST(Npy, RefusesWithTheReason) {
  std::string data(16, '\0');
  auto header = [](const std::string &descr, const std::string &order,
                   const std::string &shape) {
    return "{'descr': " + descr + ", 'fortran_order': " + order +
           ", 'shape': " + shape + ", }\n";
  };
  const std::pair<std::string, const char *> cases[] = {
      {"", "not a .npy file"},
      {"PK\3\4 and more bytes", "not a .npy file"},
      {file(header("'<f4'", "False", "(4,)"), data, 4), "version 4"},
      {file(header("'<f4'", "True", "(2, 2)"), data), "Fortran order"},
      {file(header("'>f4'", "False", "(4,)"), data), "big-endian"},
      {file(header("'<U4'", "False", "(1,)"), data), "<U4"},
      {file(header("'|O'", "False", "(1,)"), data), "|O"},
      {file(header("[('a', '<f4')]", "False", "(4,)"), data), "structured"},
      {file(header("'<f4'", "False", "(5,)"), data), "16 bytes of data"},
      {file(header("'<f4'", "False", "(3,)"), data), "16 bytes of data"},
      {file(header("'<f4'", "False", "(9999999999, 9999999999)"), data),
       "too large"},
      {file(header("'<f4'", "False", "(-4,)"), data), "malformed"},
      {file(header("'<f4'", "Maybe", "(4,)"), data), "malformed"},
      {file("{'descr': '<f4'}", data), "malformed"},
      {file("{'descr': '<f4", ""), "malformed"},
      {file(header("'<f4'", "False", "(4,)"), "").substr(0, 30), "truncated"},
  };
  for (const auto &[bytes, part] : cases)
    EXPECT_NE(errorOf(bytes).find(part), std::string::npos)
        << part << ": " << errorOf(bytes);
}

TEST(Npy, RefusesToWriteOtherTypes) {
  EXPECT_THROW(formatNpy({BFloat16, {1}, "ab"}), Error);
  EXPECT_THROW(formatNpy({22, {1}, "a"}), Error);
}

TEST(Npy, ConvertsBFloat16) {
  // 1, ties to even both ways, infinity, the smallest NaN.
  uint32_t bits[] = {0x3F800000, 0x3F808000, 0x3F818000, 0x7F800000,
                     0x7F800001};
  uint16_t expected[] = {0x3F80, 0x3F80, 0x3F82, 0x7F80, 0x7FC0};
  Array floats{Float32, {5}, std::string(reinterpret_cast<char *>(bits), 20)};
  Array halves = convertFloat(floats, BFloat16);
  EXPECT_EQ(memcmp(halves.data.data(), expected, sizeof expected), 0);
  Array wide = convertFloat(halves, Float32);
  EXPECT_EQ(wide.as<uint32_t>()[2], 0x3F820000u);
}

TEST(Npy, NamesFiles) {
  EXPECT_EQ(fileNameOf("present.0.key"), "present.0.key.npy");
  EXPECT_EQ(fileNameOf("a/b c:\xC3\xA4-_"), "a_b_c___-_.npy");
}

} // namespace
