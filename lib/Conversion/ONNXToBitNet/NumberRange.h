//===- NumberRange.h - What is known of a value's elements ------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_ONNXTOBITNET_NUMBERRANGE_H
#define BITNET_LIB_CONVERSION_ONNXTOBITNET_NUMBERRANGE_H

#include "mlir/IR/Value.h"

#include <limits>

namespace bitnet {

/// Limits of a tensor's elements, NaN aside, and whether they are whole
/// numbers.
struct NumberRange {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool isWhole = false;

  bool isBounded() const;
};

/// Follows the onnx ops that make a value, as far as they say something.
NumberRange analyzeRange(mlir::Value value);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_ONNXTOBITNET_NUMBERRANGE_H
