//===- LowBitMatrix.h - Low-bit matrices, told by their values --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_ONNXTOBITNET_LOWBITMATRIX_H
#define BITNET_LIB_CONVERSION_ONNXTOBITNET_LOWBITMATRIX_H

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace bitnet {

/// A matrix whose values are a common magnitude's multiples by -1, 0 and 1.
struct LowBitMatrix {
  bool isBinary = false;
  /// Values that share a scale: all, a row, or `group` of a row.
  enum class Sharing { Tensor, Row, Group } sharing = Sharing::Tensor;
  int64_t group = 0;
  /// One scale, one a row, or rows * columns / group of them.
  std::vector<double> scales;
  /// Codes as bitnet.constant holds them.
  std::vector<char> codes;

  /// The codes as a resource of `[outputs, inputs]` low-bit elements.
  mlir::ElementsAttr makeWeight(mlir::MLIRContext *context, int64_t outputs,
                                int64_t inputs) const;
};

/// Reads row-major floats as a low-bit matrix, with the fewest scales that fit.
std::optional<LowBitMatrix> detectLowBitMatrix(llvm::ArrayRef<float> values,
                                               int64_t rows, int64_t columns);

/// Whether the values could be a group of a low-bit matrix.
bool isLowBitGroup(llvm::ArrayRef<float> values);

/// Constants of no more elements stay floats.
inline constexpr int64_t kMaxFloatElements = 63;
/// The fewest weights along K that share a scale.
inline constexpr int64_t kMinGroup = 16;

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_ONNXTOBITNET_LOWBITMATRIX_H
