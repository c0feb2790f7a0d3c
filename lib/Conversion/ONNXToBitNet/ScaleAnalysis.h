//===- ScaleAnalysis.h - What scales integers in a graph --------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Quantised networks scale integers by expressions of constants and the largest
// magnitude of the activations, spelt in many ways. All of them are read here
// as coefficient * absmax^exponent.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_ONNXTOBITNET_SCALEANALYSIS_H
#define BITNET_LIB_CONVERSION_ONNXTOBITNET_SCALEANALYSIS_H

#include "bitnet/Dialect/BitNet/IR/BitNetAttributes.h"

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace bitnet {

/// max(largest magnitude of source, epsilon), per token or of the whole tensor.
struct AbsMax {
  mlir::Value source;
  Granularity granularity = Granularity::Token;
  double epsilon = 0.0;

  bool operator==(const AbsMax &other) const {
    return source == other.source && granularity == other.granularity &&
           epsilon == other.epsilon;
  }
};

/// coefficient * absmax^exponent; the coefficient is a scalar or varies along
/// the last dimension.
struct ScaleExpr {
  llvm::SmallVector<double> coefficient = {1.0};
  std::optional<AbsMax> absmax;
  int exponent = 0;

  /// Multiplies by `other`, or by its reciprocal. Fails where the absmaxes or
  /// the lengths of the coefficients differ.
  bool multiply(const ScaleExpr &other, bool reciprocal = false);
};

/// Reads a value as a scale. `channels` is the length of a coefficient that is
/// no scalar; 1 allows none.
std::optional<ScaleExpr> analyzeScale(mlir::Value value, int64_t channels);

/// An op that scales one operand, keeping its type, by the other.
struct ScalingOp {
  mlir::Value scaled;
  ScaleExpr factor;
};

/// Reads an onnx.Mul or onnx.Div as the scaling of `scaled`, or, where that is
/// null, of whichever operand is no scale itself.
std::optional<ScalingOp> matchScalingOp(mlir::Operation *op, mlir::Value scaled,
                                        int64_t channels);

/// Integers made of float activations.
struct Quantizer {
  AbsMax absmax;
  Scaling scaling = Scaling::ReciprocalMultiply;
  double bound = 0.0;
  int64_t qmin = 0, qmax = 0;

  mlir::Value input() const { return absmax.source; }
};

/// Reads a value as clip(round(x scaled by bound / absmax(x))).
std::optional<Quantizer> matchQuantizer(mlir::Value value);

/// A factor that scales each row of a tensor, or all of it.
struct RowFactor {
  mlir::Value value;
  bool divides = false;
};

/// Integers times a scale, as activations arrive at a matmul.
struct ScaledIntegers {
  /// What makes the integers; nothing where `source` holds them already.
  std::optional<Quantizer> quantizer;
  /// The floats that are quantised, or whole numbers as floats.
  mlir::Value source;
  int64_t qmin = 0, qmax = 0;
  ScaleExpr factor;
  /// Further factors, computed by the graph; only of whole numbers.
  llvm::SmallVector<RowFactor, 1> rowFactors;
  /// Whether a reshape regrouped the rows on the way from `source`.
  bool isRegrouped = false;
};

/// Reads a value as quantised activations, with or without their scale, also
/// through straight-through remains (x + (q - x)) and reshapes of rows.
/// Other quantisers (of a constant scale, of floats of 16 bits, about a zero
/// point) leave whole numbers within limits, which are told by whatever ops
/// make them.
std::optional<ScaledIntegers> matchScaledIntegers(mlir::Value value);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_ONNXTOBITNET_SCALEANALYSIS_H
