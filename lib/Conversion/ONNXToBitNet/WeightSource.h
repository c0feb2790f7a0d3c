//===- WeightSource.h - Constant weights through views ----------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_ONNXTOBITNET_WEIGHTSOURCE_H
#define BITNET_LIB_CONVERSION_ONNXTOBITNET_WEIGHTSOURCE_H

#include "LowBitMatrix.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"

#include <optional>
#include <utility>
#include <vector>

namespace bitnet {

/// Which entry of scales or zero points, of several, belongs to a value.
struct ParameterLayout {
  /// Values between neighbours along the axis, the axis's extent, and the
  /// block.
  int64_t inner = 1, extent = 1, block = 0;

  int64_t getIndex(int64_t position) const;
};

/// A constant matrix, seen as outputs by inputs.
struct WeightSource {
  /// Integers where there is a scale or zero point, else of any type.
  mlir::ElementsAttr values;
  mlir::ElementsAttr scale, zeroPoint;
  int64_t axis = 0, block = 0;
  int64_t outputs = 0, inputs = 0;
  /// Whether the values lie as [outputs, inputs].
  bool outputsFirst = false;

  ParameterLayout getParameterLayout() const;

  /// The first few weights of the first output, to tell most matrices of other
  /// floats cheaply.
  std::vector<float> readSample() const;

  /// All weights as [outputs, inputs]; nothing if they cannot be read.
  std::optional<std::vector<float>> read() const;
};

/// Reads the right operand of a matmul, `[inputs, outputs]` or, with
/// `outputsFirst`, `[outputs, inputs...]`, as a constant: through Transpose (of
/// a matrix), Reshape and DequantizeLinear.
std::optional<WeightSource> matchWeightSource(mlir::Value value,
                                              bool outputsFirst);

/// The matrix, if it is a low-bit one.
std::optional<LowBitMatrix> readLowBitMatrix(const WeightSource &source);

/// The matrix where integers of up to 8 bits hold it, each -1, 0 or 1 from its
/// zero point, with scales as bitnet.linear has them; else nothing.
std::optional<LowBitMatrix> readIntegerMatrix(const WeightSource &source);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_ONNXTOBITNET_WEIGHTSOURCE_H
