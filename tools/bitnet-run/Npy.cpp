//===- Npy.cpp - The .npy format ------------------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Array.h"
#include "DataType.h"
#include "Error.h"

#include <cctype>
#include <cstdlib>
#include <cstring>

namespace bitnet::run {

namespace {

constexpr std::string_view magic("\x93NUMPY", 6);

/// The header of a .npy file: a Python dictionary literal, of which only the
/// forms that NumPy writes are read.
class HeaderParser {
public:
  HeaderParser(std::string_view text, const std::string &name)
      : text(text), name(name) {}

  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;

  void parse() {
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      std::string key = quoted();
      expect(':');
      if (key == "descr") {
        if (peek() != '\'' && peek() != '"')
          throw Error(name + ": structured arrays are not supported");
        descr = quoted();
        seen[0] = true;
      } else if (key == "fortran_order") {
        fortranOrder = boolean();
        seen[1] = true;
      } else if (key == "shape") {
        tuple();
        seen[2] = true;
      } else {
        fail();
      }
      if (!accept(',') && peek() != '}')
        fail();
    }
    if (!seen[0] || !seen[1] || !seen[2])
      fail();
  }

private:
  [[noreturn]] void fail() const {
    throw Error(name + ": the .npy header is malformed");
  }
  char peek() {
    while (position < text.size() && isspace(uint8_t(text[position])))
      ++position;
    return position < text.size() ? text[position] : '\0';
  }
  bool accept(char c) {
    if (peek() != c)
      return false;
    ++position;
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      fail();
  }
  std::string quoted() {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      fail();
    size_t end = text.find(quote, position + 1);
    if (end == text.npos)
      fail();
    std::string value(text.substr(position + 1, end - position - 1));
    position = end + 1;
    return value;
  }
  bool boolean() {
    peek();
    for (bool value : {true, false}) {
      std::string_view word = value ? "True" : "False";
      if (text.substr(position, word.size()) == word) {
        position += word.size();
        return value;
      }
    }
    fail();
  }
  void tuple() {
    expect('(');
    while (!accept(')')) {
      if (!isdigit(uint8_t(peek())))
        fail();
      int64_t extent = 0;
      while (position < text.size() && isdigit(uint8_t(text[position]))) {
        if (extent > INT64_MAX / 10 - 1)
          fail();
        extent = extent * 10 + (text[position++] - '0');
      }
      accept('L');
      shape.push_back(extent);
      if (!accept(',') && peek() != ')')
        fail();
    }
  }

  std::string_view text;
  const std::string &name;
  size_t position = 0;
};

uint32_t typeOfDescr(const std::string &descr, const std::string &name) {
  std::string_view code(descr);
  char order = code.empty() ? '\0' : code[0];
  if (order == '<' || order == '|' || order == '=' || order == '>')
    code.remove_prefix(1);
  uint32_t type = typeOfNpyCode(code);
  if (code == "V2")
    type = BFloat16; // as ml_dtypes' arrays are saved
  if (!type)
    throw Error(name + ": the element type " + descr + " is not supported");
  if (order == '>' && sizeOfType(type) > 1)
    throw Error(name + ": big-endian arrays (" + descr + ") are not supported");
  return type;
}

} // namespace

Array parseNpy(std::string_view bytes, const std::string &name) {
  if (bytes.size() < 10 || bytes.substr(0, magic.size()) != magic)
    throw Error(name + ": not a .npy file");
  uint8_t version = uint8_t(bytes[6]);
  if (version < 1 || version > 3)
    throw Error(name + ": version " + std::to_string(version) +
                " of the .npy format is not known");
  size_t lengthBytes = version == 1 ? 2 : 4, length = 0;
  size_t start = 8 + lengthBytes;
  if (bytes.size() < start)
    throw Error(name + ": the .npy header is truncated");
  for (size_t i = 0; i < lengthBytes; ++i)
    length |= size_t(uint8_t(bytes[8 + i])) << (8 * i);
  if (bytes.size() - start < length)
    throw Error(name + ": the .npy header is truncated");
  HeaderParser header(bytes.substr(start, length), name);
  header.parse();

  Array array;
  array.type = typeOfDescr(header.descr, name);
  array.shape = header.shape;
  if (header.fortranOrder && array.shape.size() > 1)
    throw Error(name + ": arrays in Fortran order are not supported (save "
                       "numpy.ascontiguousarray of it)");
  std::string_view data = bytes.substr(start + length);
  uint64_t expected = byteCount(array.shape, sizeOfType(array.type), name);
  if (data.size() != expected)
    throw Error(name + ": " + std::to_string(data.size()) +
                " bytes of data where the shape needs " +
                std::to_string(expected));
  array.data = std::string(data);
  return array;
}

std::string formatNpy(const Array &array) {
  std::string_view code = npyCodeOfType(array.type);
  if (code.empty())
    throw Error("the element type " + nameOfType(array.type) +
                " has no form in .npy files");
  std::string header = "{'descr': '";
  header += sizeOfType(array.type) > 1 ? "<" : "|";
  header += code;
  header += "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < array.shape.size(); ++i)
    header += (i ? ", " : "") + std::to_string(array.shape[i]);
  header += array.shape.size() == 1 ? ",), }" : "), }";
  // The data begin at a multiple of 64 bytes, the header ends with a newline.
  header.append(63 - (magic.size() + 4 + header.size()) % 64, ' ');
  header += '\n';
  std::string file(magic);
  file += '\x01';
  file += '\0';
  file += char(header.size() & 0xFF);
  file += char(header.size() >> 8);
  return file + header + array.data;
}

Array convertFloat(const Array &array, uint32_t type) {
  Array result;
  result.type = type;
  result.shape = array.shape;
  size_t count = size_t(array.elementCount());
  result.data.resize(count * sizeOfType(type));
  const char *from = array.data.data();
  char *to = result.data.data();
  for (size_t i = 0; i < count; ++i) {
    if (type == Float32) { // from bfloat16
      uint16_t bits;
      memcpy(&bits, from + 2 * i, 2);
      uint32_t wide = uint32_t(bits) << 16;
      memcpy(to + 4 * i, &wide, 4);
      continue;
    }
    uint32_t bits;
    memcpy(&bits, from + 4 * i, 4);
    bool isNan = (bits & 0x7FFFFFFF) > 0x7F800000;
    uint16_t half = uint16_t(isNan ? bits >> 16 | 0x40
                                   : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    memcpy(to + 2 * i, &half, 2);
  }
  return result;
}

} // namespace bitnet::run
