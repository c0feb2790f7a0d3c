//===- MaskAnalysis.h - What a mask built in a graph says -------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decoders build their attention mask of ranges, comparisons and selections. An
// element of such a graph is evaluated here as a function of its indices, so
// that a causal mask is proved to be one whatever its spelling.
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_ONNXTOBITNET_MASKANALYSIS_H
#define BITNET_LIB_CONVERSION_ONNXTOBITNET_MASKANALYSIS_H

#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"

#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace bitnet {

/// What a specialised entry of a decoder knows of its arguments.
struct DecoderContext {
  mlir::Value attentionMask, positions;
  llvm::DenseSet<mlir::Value> pasts;
  /// Tokens that the entry takes.
  int64_t tokens = 1;
};

/// constant + p * position + i * query + j * key.
struct AffineNumber {
  double constant = 0, p = 0, i = 0, j = 0;

  bool isConstant() const { return p == 0 && i == 0 && j == 0; }
  bool operator==(const AffineNumber &other) const {
    return constant == other.constant && p == other.p && i == other.i &&
           j == other.j;
  }
};

inline AffineNumber combine(const AffineNumber &a, double factorA,
                            const AffineNumber &b, double factorB) {
  return {a.constant * factorA + b.constant * factorB,
          a.p * factorA + b.p * factorB, a.i * factorA + b.i * factorB,
          a.j * factorA + b.j * factorB};
}

inline AffineNumber add(const AffineNumber &a, const AffineNumber &b) {
  return combine(a, 1, b, 1);
}

inline AffineNumber subtract(const AffineNumber &a, const AffineNumber &b) {
  return combine(a, 1, b, -1);
}

inline AffineNumber number(double constant) { return {constant, 0, 0, 0}; }

/// A conjunction of `number >= 0` over integers; empty for true.
struct Condition {
  bool isFalse = false;
  llvm::SmallVector<AffineNumber, 2> nonNegative;

  bool isTrue() const { return !isFalse && nonNegative.empty(); }
};

/// An element: `condition ? yes : no`. Booleans are 1 and 0.
struct Element {
  Condition condition;
  AffineNumber yes, no;

  bool isNumber() const { return condition.isTrue(); }
};

inline Element makeNumber(AffineNumber n) { return {Condition(), n, n}; }

/// Whether an op computes each element from those at its place in operands that
/// broadcast.
bool isElementwise(mlir::Operation *op);

/// Maps indices of `to` to those of `from`, whose dimensions other than 1 are
/// the same.
std::optional<llvm::SmallVector<AffineNumber, 4>>
mapUnitDims(mlir::RankedTensorType from, mlir::RankedTensorType to,
            llvm::ArrayRef<AffineNumber> indices);

/// Evaluates elements of a function's values by their indices.
class MaskAnalysis {
public:
  explicit MaskAnalysis(const DecoderContext &context) : context(context) {}

  /// Whether an added mask [1, 1 or H, S, T] hides exactly the keys
  /// j > position + i from query i, and changes no other score.
  bool isCausal(mlir::Value mask);

  /// Whether `indices` of a GatherND with two batch dimensions read the keys
  /// [1, H, T, D] of past and new tokens in their order.
  bool isOrderOfKeys(mlir::Value indices);

  /// Whether an element of a vector is the number of past and new tokens.
  bool isNumberOfKeys(mlir::Value vector, int64_t index);

  /// Whether a condition [1, 1, T, 1] holds for all keys of past and new
  /// tokens.
  bool holdsForKeys(mlir::Value condition);

private:
  using Indices = llvm::SmallVector<AffineNumber, 4>;
  using Result = std::optional<Element>;

  Result evaluate(mlir::Value value, const Indices &indices);
  Result evaluateArgument(mlir::Value value, const Indices &indices);
  Result evaluateConstant(mlir::Value value, const Indices &indices);
  Result evaluateView(mlir::Operation *op, const Indices &indices);
  Result evaluateElementwise(mlir::Operation *op, const Indices &indices);
  Result evaluateMovement(mlir::Operation *op, const Indices &indices);
  Result evaluateReduction(mlir::Operation *op);
  Result evaluateVector(onnx::ConcatOp concat, const Indices &indices);
  Result evaluateCumSum(mlir::Operation *op, const Indices &indices);
  Result evaluateExtremum(mlir::Operation *op,
                          llvm::ArrayRef<Element> operands);
  Result evaluateArithmetic(mlir::Operation *op, const Element &lhs,
                            const Element &rhs);
  Result evaluateComparison(mlir::Operation *op, const Element &lhs,
                            const Element &rhs);
  Result evaluateExtent(mlir::Value value, int64_t dim);
  Result evaluateOperandExtent(mlir::Operation *op, int64_t dim);
  bool hasExtentOfKeys(mlir::Value value, int64_t dim);
  /// The value of every element of a tensor, where they are all equal.
  Result evaluateUniform(mlir::Value value);
  Result broadcastOperand(mlir::Operation *op, unsigned index,
                          const Indices &indices);

  Element makeElement(Condition condition, AffineNumber yes, AffineNumber no);
  std::optional<Condition> asCondition(const Element &element);
  double minimum(AffineNumber number) const;
  double maximum(AffineNumber number) const;
  void simplify(Condition &condition) const;

  const DecoderContext &context;
  int depth = 0;
};

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_ONNXTOBITNET_MASKANALYSIS_H
