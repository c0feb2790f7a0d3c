//===- HeadScreen.cpp - A low-bit copy of a head's weights ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HeadScreen.h"

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"
#include "bitnet/Support/RawElements.h"
#include "bitnet/artifact.h"
#include "mlir/IR/Threading.h"
#include "llvm/ADT/bit.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace bitnet;

namespace {

/// A row of weights as floats.
void readRow(Type element, const char *bytes, MutableArrayRef<float> row) {
  auto read = [&](auto word, auto convert) {
    using Word = decltype(word);
    for (auto [k, value] : llvm::enumerate(row)) {
      Word stored;
      std::memcpy(&stored, bytes + k * sizeof(Word), sizeof(Word));
      value = convert(stored);
    }
  };
  if (element.isBF16())
    return read(uint16_t(), [](uint16_t word) {
      return llvm::bit_cast<float>(uint32_t(word) << 16);
    });
  if (element.isF32())
    return read(uint32_t(),
                [](uint32_t word) { return llvm::bit_cast<float>(word); });
  read(uint16_t(), [](uint16_t word) {
    return APFloat(APFloat::IEEEhalf(), APInt(16, word)).convertToFloat();
  });
}

/// No less than `value`, as a float.
float roundUp(double value) {
  float rounded = float(value);
  return rounded < value ? std::nextafter(rounded, INFINITY) : rounded;
}

struct Row {
  float scale = 0;
  float bounds[2] = {INFINITY, INFINITY};
};

/// How far a row would be from its copy in 4 and in 8 bits of a scale, added
/// up. To choose a scale by: in single precision, and written to be vectorised.
float estimateDistances(ArrayRef<float> row, float scale) {
  constexpr size_t lanes = 8;
  constexpr float roundHalfEven = 12582912; // 1.5 * 2^23
  float coarse[lanes] = {}, fine[lanes] = {};
  float inverse = 1 / scale;
  for (size_t k = 0; k + lanes <= row.size(); k += lanes)
    for (size_t i = 0; i < lanes; ++i) {
      float w = row[k + i];
      float q = std::clamp(w * inverse, -127.0f, 127.0f);
      q = (q + roundHalfEven) - roundHalfEven;
      float middle = float(int(q) >> 4) * 16 + 7.5f;
      coarse[i] += (w - scale * middle) * (w - scale * middle);
      fine[i] += (w - scale * q) * (w - scale * q);
    }
  return std::sqrt(std::accumulate(coarse, coarse + lanes, 0.0f)) +
         std::sqrt(std::accumulate(fine, fine + lanes, 0.0f));
}

/// The scale of a row's codes. One that cuts the largest weights off may bring
/// the others nearer.
float chooseScale(ArrayRef<float> row, float largest) {
  float best = largest / 127, least = INFINITY;
  for (int tenths = 10; tenths >= 5; --tenths) {
    float scale = largest / 127 * (tenths / 10.0f);
    float distance = estimateDistances(row, scale);
    if (distance < least) {
      least = distance;
      best = scale;
    }
  }
  return best;
}

/// docs/lowerings.md derives the bounds: the copy's distance from the row, and
/// what rounding adds, which is a fraction of the row's norm.
Row screenRow(ArrayRef<float> row, uint8_t *high, uint8_t *low) {
  Row result;
  float largest = 0;
  double square = 0;
  for (float w : row) {
    largest = std::max(largest, std::fabs(w));
    square += double(w) * w;
  }
  double columns = double(row.size());
  // NaNs and infinities stay in `square`: such a row is never excluded.
  bool finite = std::isfinite(square);
  // Nor is there a scale for what is all zeros or about as small.
  result.scale = finite && largest > 0x1p-100f ? chooseScale(row, largest) : 0;
  float inverse = result.scale > 0 ? 1 / result.scale : 0;
  double error[2] = {0, 0};
  for (auto [k, w] : llvm::enumerate(row)) {
    int q = finite ? std::clamp(int(std::lrint(w * inverse)), -127, 127) : 0;
    int u = (q >> 4) + 8, l = q & 15;
    int64_t byte = k / 128 * 64 + k % 64, shift = k % 128 / 64 * 4;
    high[byte] |= u << shift;
    low[byte] |= l << shift;
    double coarse = w - result.scale * (16.0 * (u - 8) + 7.5);
    double fine = w - double(result.scale) * q;
    error[0] += coarse * coarse;
    error[1] += fine * fine;
  }
  if (!finite)
    return result;
  double norm = std::sqrt(square);
  double rounding =
      0.51 * std::sqrt(columns) / 32512 + (columns + 64) * 0x1.04p-24;
  for (int i : {0, 1}) {
    double distance = std::sqrt(error[i]) * (1 + 0x1p-20);
    result.bounds[i] = roundUp(distance + rounding * (norm + distance));
  }
  return result;
}

ElementsAttr makeResource(RankedTensorType type, StringRef name,
                          AsmResourceBlob blob) {
  return DenseResourceElementsAttr::get(type, name, std::move(blob));
}

} // namespace

std::optional<HeadScreen> bitnet::makeHeadScreen(ElementsAttr weights) {
  auto type = cast<RankedTensorType>(weights.getType());
  Type element = type.getElementType();
  ArrayRef<char> bytes = getRawBytes(weights);
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  int64_t width = columns * element.getIntOrFloatBitWidth() / 8;
  if (!(element.isF32() || element.isF16() || element.isBF16()) ||
      int64_t(bytes.size()) != rows * width)
    return std::nullopt;

  MLIRContext *context = type.getContext();
  int64_t rowBytes = TopLogitsOp::getRowBytes(columns);
  auto allocate = [](int64_t size) {
    AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
        size, BN_ALIGNMENT, /*dataIsMutable=*/true);
    std::memset(blob.getMutableData().data(), 0, size);
    return blob;
  };
  AsmResourceBlob high = allocate(rows * rowBytes),
                  low = allocate(rows * rowBytes);
  std::vector<float> scales(rows), bounds(2 * rows);
  constexpr int64_t grain = 256;
  parallelFor(context, 0, llvm::divideCeil(rows, grain), [&](size_t part) {
    std::vector<float> row(columns);
    int64_t first = part * grain;
    for (int64_t n = first; n < std::min(first + grain, rows); ++n) {
      readRow(element, bytes.data() + n * width, row);
      Row made = screenRow(row,
                           reinterpret_cast<uint8_t *>(
                               high.getMutableData().data() + n * rowBytes),
                           reinterpret_cast<uint8_t *>(
                               low.getMutableData().data() + n * rowBytes));
      scales[n] = made.scale;
      bounds[n] = made.bounds[0];
      bounds[rows + n] = made.bounds[1];
    }
  });
  Type i8 = IntegerType::get(context, 8), f32 = Float32Type::get(context);
  auto planes = RankedTensorType::get({rows, rowBytes}, i8);
  return HeadScreen{
      makeResource(planes, "head_high", std::move(high)),
      makeResource(planes, "head_low", std::move(low)),
      DenseElementsAttr::get(RankedTensorType::get({rows}, f32),
                             ArrayRef(scales)),
      DenseElementsAttr::get(RankedTensorType::get({2, rows}, f32),
                             ArrayRef(bounds))};
}
