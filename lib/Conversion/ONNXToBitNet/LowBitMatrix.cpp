//===- LowBitMatrix.cpp - Low-bit matrices, told by their values ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LowBitMatrix.h"

#include "bitnet/Dialect/BitNet/IR/BitNetTypes.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

using namespace bitnet;

/// How far magnitudes may lie below the largest, relative to it:
/// straight-through remains (W + (Wq - W)) are off by some units in the last
/// place of W, which may exceed Wq many times.
static constexpr float kTolerance = 1.0f / (1 << 16);

/// The common magnitude of some values, 0 if all are 0; nothing if they differ.
static std::optional<double> getCommonMagnitude(llvm::ArrayRef<float> values) {
  float largest = 0.0f;
  for (float value : values)
    largest = std::max(largest, std::fabs(value));
  if (!std::isfinite(largest))
    return std::nullopt;
  float smallest = largest * (1.0f - 2.0f * kTolerance);
  double sum = 0.0;
  int64_t count = 0;
  for (float value : values) {
    if (value == 0.0f)
      continue;
    float magnitude = std::fabs(value);
    // Also fails for NaN.
    if (!(magnitude >= smallest))
      return std::nullopt;
    sum += magnitude;
    ++count;
  }
  return count ? sum / count : 0.0;
}

bool bitnet::isLowBitGroup(llvm::ArrayRef<float> values) {
  return getCommonMagnitude(values).has_value();
}

/// The scales of consecutive runs of `run` values.
static std::optional<std::vector<double>>
getScales(llvm::ArrayRef<float> values, int64_t run) {
  std::vector<double> scales;
  scales.reserve(values.size() / run);
  for (int64_t i = 0, e = values.size(); i < e; i += run) {
    auto scale = getCommonMagnitude(values.slice(i, run));
    if (!scale)
      return std::nullopt;
    scales.push_back(*scale);
  }
  return scales;
}

/// Finds the fewest scales; false if there are none.
static bool findScales(llvm::ArrayRef<float> values, int64_t columns,
                       LowBitMatrix &matrix) {
  if (auto scales = getScales(values, values.size())) {
    matrix.scales = std::move(*scales);
    return matrix.scales.front() != 0.0;
  }
  if (columns < kMinGroup)
    return false;
  if (auto scales = getScales(values, columns)) {
    matrix.sharing = LowBitMatrix::Sharing::Row;
    matrix.scales = std::move(*scales);
    return true;
  }
  matrix.sharing = LowBitMatrix::Sharing::Group;
  int64_t largest = columns & -columns;
  for (int64_t group = std::min(largest, columns / 2); group >= kMinGroup;
       group /= 2) {
    if (auto scales = getScales(values, group)) {
      matrix.group = group;
      matrix.scales = std::move(*scales);
      return true;
    }
  }
  return false;
}

static std::vector<char> packCodes(llvm::ArrayRef<float> values, bool binary) {
  unsigned bits = binary ? 1 : 2, perByte = 8 / bits;
  std::vector<char> codes(llvm::divideCeil(values.size(), perByte), 0);
  for (size_t i = 0; i < values.size(); ++i) {
    unsigned code =
        binary ? values[i] > 0.0f : 1 + (values[i] > 0.0f) - (values[i] < 0.0f);
    codes[i / perByte] |= static_cast<char>(code << (bits * (i % perByte)));
  }
  return codes;
}

std::optional<LowBitMatrix>
bitnet::detectLowBitMatrix(llvm::ArrayRef<float> values, int64_t rows,
                           int64_t columns) {
  if (rows * columns <= kMaxFloatElements)
    return std::nullopt;
  LowBitMatrix matrix;
  if (!findScales(values, columns, matrix))
    return std::nullopt;
  matrix.isBinary = std::none_of(values.begin(), values.end(),
                                 [](float value) { return value == 0.0f; });
  matrix.codes = packCodes(values, matrix.isBinary);
  return matrix;
}

mlir::ElementsAttr LowBitMatrix::makeWeight(mlir::MLIRContext *context,
                                            int64_t outputs,
                                            int64_t inputs) const {
  mlir::Type element = isBinary ? mlir::Type(BinaryType::get(context))
                                : mlir::Type(TernaryType::get(context));
  mlir::AsmResourceBlob blob =
      mlir::HeapAsmResourceBlob::allocateAndCopyWithAlign(
          llvm::ArrayRef<char>(codes), /*align=*/64);
  return mlir::DenseResourceElementsAttr::get(
      mlir::RankedTensorType::get({outputs, inputs}, element),
      isBinary ? "binary_weight" : "ternary_weight", std::move(blob));
}
