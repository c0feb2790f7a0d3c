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

/// The codes of [outputs, inputs]; false where an integer has none.
static bool readCodes(const WeightSource &source, const CodeTable &table,
                      ArrayRef<char> data, CodeWriter &writer) {
  int64_t n = source.outputs, k = source.inputs;
  if (source.outputsFirst) {
    if (table.getBits() == 2)
      return translateBytes(table, data, n * k, writer);
    for (int64_t i = 0; i < n * k; ++i)
      if (!writer.put(i, table.get(data, i)))
        return false;
    return true;
  }
  // Outputs in tiles, which keeps both sides in the cache.
  constexpr int64_t kTile = 64;
  for (int64_t first = 0; first < n; first += kTile)
    for (int64_t column = 0; column < k; ++column)
      for (int64_t row = first, e = std::min(first + kTile, n); row < e; ++row)
        if (!writer.put(row * k + column, table.get(data, column * n + row)))
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

/// The one zero point, 0 where there is none; nothing where they differ.
static std::optional<int64_t> readZeroPoint(ElementsAttr zeroPoint) {
  if (!zeroPoint)
    return 0;
  auto view = onnx::ElementsView<int64_t>::get(zeroPoint);
  if (!view || view->values().empty() || !llvm::all_equal(view->values()))
    return std::nullopt;
  return view->values().front();
}

/// The scales by output and group, as the matrix has them; false where they are
/// shared in other ways, or do not keep the weights' signs.
static bool readScales(const WeightSource &source, LowBitMatrix &matrix) {
  if (!source.scale) {
    matrix.scales = {1.0};
    return true;
  }
  auto view = onnx::ElementsView<float>::get(source.scale);
  if (!view || view->values().empty())
    return false;
  ArrayRef<float> scales = view->values();
  if (!llvm::all_of(scales,
                    [](float s) { return std::isfinite(s) && s > 0.0f; }))
    return false;
  if (llvm::all_equal(scales)) {
    matrix.scales = {scales.front()};
    return true;
  }
  if (cast<ShapedType>(source.values.getType()).getRank() != 2)
    return false;
  bool alongOutputs = source.axis == (source.outputsFirst ? 0 : 1);
  int64_t n = source.outputs, count = scales.size();
  if (!source.block) {
    matrix.sharing = LowBitMatrix::Sharing::Row;
    matrix.scales.assign(scales.begin(), scales.end());
    return alongOutputs && count == n && source.inputs >= kMinGroup;
  }
  int64_t groups = source.inputs / source.block;
  if (alongOutputs || source.inputs % source.block || count != n * groups ||
      source.block % kMinGroup)
    return false;
  matrix.sharing = LowBitMatrix::Sharing::Group;
  matrix.group = source.block;
  for (int64_t row = 0; row < n; ++row)
    for (int64_t group = 0; group < groups; ++group)
      matrix.scales.push_back(source.outputsFirst ? scales[row * groups + group]
                                                  : scales[group * n + row]);
  return true;
}

std::optional<LowBitMatrix>
bitnet::readIntegerMatrix(const WeightSource &source) {
  auto type = dyn_cast<IntegerType>(source.values.getElementType());
  if (!type || !llvm::is_contained({2u, 4u, 8u}, type.getWidth()) ||
      !isa<DenseResourceElementsAttr>(source.values))
    return std::nullopt;
  ArrayRef<char> data = getRawBytes(source.values);
  int64_t count = source.outputs * source.inputs;
  std::optional<int64_t> zeroPoint = readZeroPoint(source.zeroPoint);
  LowBitMatrix matrix;
  if (count <= kMaxFloatElements || !zeroPoint ||
      static_cast<int64_t>(data.size()) <
          onnx::getStorageBytes(source.values.getShapedType()) ||
      !readScales(source, matrix))
    return std::nullopt;
  CodeWriter writer(count);
  if (!readCodes(source, CodeTable(type, *zeroPoint), data, writer))
    return std::nullopt;
  matrix.isBinary = !writer.hasZero;
  matrix.codes = matrix.isBinary ? narrowToBinary(writer.codes, count)
                                 : std::move(writer.codes);
  return matrix;
}
