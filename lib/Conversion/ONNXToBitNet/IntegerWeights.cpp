//===- IntegerWeights.cpp - Low-bit matrices that are stored as integers --===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A matrix of billions of 2-bit integers must not become floats on its way to
// 2-bit codes: this reads the integers, and their scales as the graph has them.
//
//===----------------------------------------------------------------------===//

#include "WeightSource.h"

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "bitnet/Support/RawElements.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

using namespace mlir;
using namespace bitnet;

namespace {

/// The code of an integer that is none of -1, 0 and 1.
constexpr uint8_t kNoCode = 0xff;

/// Codes (weight + 1) by the bits of a stored integer of up to 8 bits.
class CodeTable {
public:
  CodeTable(IntegerType type, int64_t zeroPoint) : bits(type.getWidth()) {
    codes.fill(kNoCode);
    for (int64_t raw = 0; raw < 1 << bits; ++raw) {
      bool isNegative = !type.isUnsigned() && raw >> (bits - 1);
      int64_t code = raw - (isNegative ? 1 << bits : 0) - zeroPoint + 1;
      if (code >= 0 && code <= 2)
        codes[raw] = code;
    }
  }

  uint8_t get(ArrayRef<char> data, int64_t index) const {
    int64_t bit = index * bits;
    uint8_t byte = data[bit / 8];
    return codes[(byte >> (bit % 8)) & ((1 << bits) - 1)];
  }

  unsigned getBits() const { return bits; }

private:
  unsigned bits;
  std::array<uint8_t, 256> codes;
};

/// Packs codes, 2 bits each, and notes whether there is a 0 among the weights.
class CodeWriter {
public:
  explicit CodeWriter(int64_t count) : codes(llvm::divideCeil(count, 4), 0) {}

  /// False where `code` is none.
  bool put(int64_t index, uint8_t code) {
    codes[index / 4] |= static_cast<char>(code << (index % 4 * 2));
    hasZero |= code == 1;
    return code != kNoCode;
  }

  std::vector<char> codes;
  bool hasZero = false;
};

} // namespace

/// 2-bit integers that lie as the codes do are translated by bytes.
static bool translateBytes(const CodeTable &table, ArrayRef<char> data,
                           int64_t count, CodeWriter &writer) {
  struct Quad {
    char codes = 0;
    bool hasZero = false, isValid = true;
  };
  std::array<Quad, 256> quads;
  for (int byte = 0; byte < 256; ++byte) {
    char raw = static_cast<char>(byte);
    for (int i = 0; i < 4; ++i) {
      uint8_t code = table.get(raw, i);
      quads[byte].codes |= static_cast<char>(code << (i * 2));
      quads[byte].hasZero |= code == 1;
      quads[byte].isValid &= code != kNoCode;
    }
  }
  bool isValid = true;
  int64_t whole = count / 4;
  for (int64_t i = 0; i < whole; ++i) {
    const Quad &quad = quads[static_cast<uint8_t>(data[i])];
    writer.codes[i] = quad.codes;
    writer.hasZero |= quad.hasZero;
    isValid &= quad.isValid;
  }
  for (int64_t i = whole * 4; i < count; ++i)
    isValid &= writer.put(i, table.get(data, i));
  return isValid;
}

//===----------------------------------------------------------------------===//
// Scales and zero points
//===----------------------------------------------------------------------===//

namespace {

/// A scale or zero point for each run of `unit` weights of an output, [outputs,
/// inputs / unit]; a single value where all are equal.
template <typename T> struct Parameters {
  int64_t unit = 0;
  std::vector<T> values;
};

} // namespace

/// The weights of an output, in order, that one entry of scale belongs to; 1
/// where it varies with each.
static int64_t getUnit(const WeightSource &source) {
  ArrayRef<int64_t> shape =
      cast<ShapedType>(source.values.getType()).getShape();
  int64_t n = source.outputs, k = source.inputs;
  if (shape.empty())
    return k;
  if (!source.outputsFirst) {
    if (shape != ArrayRef({k, n}))
      return 1;
    if (source.axis == 1)
      return source.block ? 1 : k;
    return source.block ? std::gcd(source.block, k) : 1;
  }
  auto [inner, extent, block] = source.getParameterLayout();
  if (!block)
    return std::gcd(inner, k);
  // A run ends where its dimension does.
  return inner == 1 ? std::gcd(std::gcd(block, extent), k) : 1;
}

/// Nothing where groups of an output's weights are none that a linear layer
/// can have.
template <typename T>
static std::optional<Parameters<T>> readParameters(const WeightSource &source,
                                                   ElementsAttr attr) {
  auto view = onnx::ElementsView<T>::get(attr);
  if (!view || view->values().empty())
    return std::nullopt;
  ArrayRef<T> given = view->values();
  int64_t n = source.outputs, k = source.inputs;
  if (llvm::all_equal(given))
    return Parameters<T>{k, {given.front()}};
  int64_t unit = getUnit(source);
  ParameterLayout layout = source.getParameterLayout();
  Parameters<T> result;
  bool isShared = true;
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < k; column += unit) {
      int64_t index = layout.getIndex(source.outputsFirst ? row * k + column
                                                          : column * n + row);
      if (index >= static_cast<int64_t>(given.size()))
        return std::nullopt;
      // The fewest that may still do are kept.
      bool isFirst = column == 0;
      isShared &= isFirst || given[index] == result.values.back();
      if (!isShared && unit % kMinGroup != 0)
        return std::nullopt;
      if (isFirst || unit % kMinGroup == 0)
        result.values.push_back(given[index]);
    }
  result.unit = unit % kMinGroup == 0 ? unit : k;
  if (isShared && result.unit != k) {
    int64_t perRow = k / result.unit;
    for (int64_t row = 0; row < n; ++row)
      result.values[row] = result.values[row * perRow];
    result.values.resize(n);
    result.unit = k;
  }
  return result;
}

/// The scales of a matrix by output and group; false where they are shared in
/// other ways or are no numbers.
static bool readScales(const WeightSource &source, LowBitMatrix &matrix) {
  if (!source.scale) {
    matrix.scales = {1.0};
    return true;
  }
  auto scales = readParameters<float>(source, source.scale);
  if (!scales ||
      !llvm::all_of(scales->values, [](float s) { return std::isfinite(s); }))
    return false;
  matrix.scales.assign(scales->values.begin(), scales->values.end());
  if (matrix.scales.size() == 1)
    return true;
  if (scales->unit == source.inputs) {
    matrix.sharing = LowBitMatrix::Sharing::Row;
    return source.inputs >= kMinGroup;
  }
  matrix.sharing = LowBitMatrix::Sharing::Group;
  matrix.group = scales->unit;
  return true;
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

namespace {

/// A table for every zero point that occurs, and which one a weight has.
class WeightDecoder {
public:
  WeightDecoder(const WeightSource &source, IntegerType type,
                const Parameters<int64_t> &zeroPoints)
      : unit(zeroPoints.unit), perRow(source.inputs / unit) {
    for (int64_t point : zeroPoints.values)
      tables.push_back(&known.try_emplace(point, type, point).first->second);
  }

  bool isUniform() const { return tables.size() == 1; }

  const CodeTable &get(int64_t row, int64_t column) const {
    return isUniform() ? *tables[0] : *tables[row * perRow + column / unit];
  }

private:
  int64_t unit, perRow;
  std::map<int64_t, CodeTable> known;
  std::vector<const CodeTable *> tables;
};

} // namespace

/// The codes of [outputs, inputs]; false where an integer has none.
static bool readCodes(const WeightSource &source, const WeightDecoder &decoder,
                      ArrayRef<char> data, CodeWriter &writer) {
  int64_t n = source.outputs, k = source.inputs;
  if (source.outputsFirst && decoder.isUniform() &&
      decoder.get(0, 0).getBits() == 2)
    return translateBytes(decoder.get(0, 0), data, n * k, writer);
  int64_t rowStride = source.outputsFirst ? k : 1;
  int64_t columnStride = source.outputsFirst ? 1 : n;
  // Outputs in tiles, which keeps both sides in the cache where they are
  // transposed.
  int64_t tile = source.outputsFirst ? 1 : 64;
  for (int64_t first = 0; first < n; first += tile)
    for (int64_t column = 0; column < k; ++column)
      for (int64_t row = first, e = std::min(first + tile, n); row < e; ++row)
        if (!writer.put(
                row * k + column,
                decoder.get(row, column)
                    .get(data, row * rowStride + column * columnStride)))
          return false;
  return true;
}

static std::vector<char> narrowToBinary(ArrayRef<char> codes, int64_t count) {
  std::vector<char> result(llvm::divideCeil(count, 8), 0);
  for (int64_t i = 0; i < count; ++i) {
    int isPositive = (codes[i / 4] >> (i % 4 * 2 + 1)) & 1;
    result[i / 8] |= static_cast<char>(isPositive << (i % 8));
  }
  return result;
}

std::optional<LowBitMatrix>
bitnet::readIntegerMatrix(const WeightSource &source) {
  auto type = dyn_cast<IntegerType>(source.values.getElementType());
  if (!type || !llvm::is_contained({2u, 4u, 8u}, type.getWidth()) ||
      !isa<DenseResourceElementsAttr>(source.values))
    return std::nullopt;
  ArrayRef<char> data = getRawBytes(source.values);
  int64_t count = source.outputs * source.inputs;
  std::optional<Parameters<int64_t>> zeroPoints =
      Parameters<int64_t>{source.inputs, {0}};
  if (source.zeroPoint)
    zeroPoints = readParameters<int64_t>(source, source.zeroPoint);
  LowBitMatrix matrix;
  if (count <= kMaxFloatElements || !zeroPoints ||
      static_cast<int64_t>(data.size()) <
          onnx::getStorageBytes(source.values.getShapedType()) ||
      !readScales(source, matrix))
    return std::nullopt;
  CodeWriter writer(count);
  WeightDecoder decoder(source, type, *zeroPoints);
  if (!readCodes(source, decoder, data, writer))
    return std::nullopt;
  matrix.isBinary = !writer.hasZero;
  matrix.codes = matrix.isBinary ? narrowToBinary(writer.codes, count)
                                 : std::move(writer.codes);
  return matrix;
}
