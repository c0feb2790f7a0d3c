//===- Emitter.h - What the lowerings of onnx ops share --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_ONNXTOLINALG_EMITTER_H
#define BITNET_LIB_CONVERSION_ONNXTOLINALG_EMITTER_H

#include "Scalars.h"

#include "bitnet/Dialect/ONNX/IR/ONNXOps.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

#include <optional>

namespace bitnet::onnx {

using Sizes = llvm::SmallVector<mlir::OpFoldResult>;
using Ints = llvm::SmallVector<int64_t>;
using Values = llvm::SmallVector<mlir::Value>;

/// The result of an elementwise op from the elements of its inputs.
using ElementFn =
    llvm::function_ref<mlir::Value(Scalars &, llvm::ArrayRef<mlir::Value>)>;

/// The dimensions in [first, last).
inline Ints dimsBetween(int64_t first, int64_t last) {
  Ints dims;
  for (int64_t dim = first; dim < last; ++dim)
    dims.push_back(dim);
  return dims;
}

enum class Reduction { Sum, Prod, Max, Min };

/// Holds the tensors that stand for the values of the onnx ops lowered so far,
/// and builds the structured ops from which lowerings are composed.
///
/// A lowered tensor may be more static than its onnx value. Its sizes are
/// constants or index values; equal sizes are the same value, by which
/// broadcasting and reshapes are resolved without run-time checks.
class Emitter {
public:
  explicit Emitter(mlir::MLIRContext *context)
      : b(context), loc(mlir::UnknownLoc::get(context)) {}

  mlir::OpBuilder b;
  mlir::Location loc;

  //===--------------------------------------------------------------------===//
  // Values (Emitter.cpp)
  //===--------------------------------------------------------------------===//

  /// Lowers what follows at `op`.
  void startOp(mlir::Operation *op);
  /// The tensor that stands for `value`.
  mlir::Value get(mlir::Value value);
  /// Has `lowered` stand for `result`, refined by the result's static shape.
  void set(mlir::Value result, mlir::Value lowered);
  /// The same for a tensor of rank 0 or 1 with these elements.
  void setScalars(mlir::Value result, llvm::ArrayRef<mlir::Value> elements);
  /// Takes a value that is no result of an onnx op, as it is.
  void adopt(mlir::Value value);
  bool has(mlir::Value value) const { return lowered.contains(value); }
  /// The lowered tensor in exactly the (signless) type that users expect.
  mlir::Value getAs(mlir::Value value, mlir::Type type);

  /// The elements of a tensor of rank 0 or 1 and at most `maxScalars` elements,
  /// if reading them one by one is right (integers, or known elements).
  std::optional<Values> scalars(mlir::Value value);
  /// Elements of a list of integers that is an operand, as sizes; the list may
  /// be `length` long if its shape does not tell. Nothing if it is too long.
  std::optional<Sizes> ints(mlir::Value value, int64_t length = -1);
  /// The only element of a tensor.
  mlir::Value scalar(mlir::Value value);
  static constexpr int64_t maxScalars = 16;

  Sizes sizes(mlir::Value tensor);
  mlir::Value size(mlir::Value tensor, int64_t dim);
  static int64_t rank(mlir::Value tensor) {
    return mlir::cast<mlir::RankedTensorType>(tensor.getType()).getRank();
  }
  static mlir::Type element(mlir::Value tensor) {
    return mlir::cast<mlir::ShapedType>(tensor.getType()).getElementType();
  }
  static bool isUnsigned(mlir::Value value) {
    return element(value).isUnsignedInteger();
  }

  /// Has an entry fail at run time with "the inputs' shapes do not fit
  /// together" where two sizes that must be equal are not known to be.
  void requireEqual(mlir::OpFoldResult x, mlir::OpFoldResult y);
  /// The same for a condition; where `isIndex`, with "an index is out of
  /// range".
  void require(mlir::Value condition, bool isIndex = false);
  /// Requires `size` to be `result` or 1, as broadcasting needs.
  void requireBroadcast(mlir::OpFoldResult size, mlir::OpFoldResult result);
  /// Requires every index to lie in [-size, size); where there are several
  /// sizes, those of the dimensions that index tuples lead to.
  void requireIndices(mlir::Value indices,
                      llvm::ArrayRef<mlir::OpFoldResult> sizes);

  /// Reports why `op` cannot be lowered.
  llvm::LogicalResult unsupported(mlir::Operation *op, const llvm::Twine &what);

  //===--------------------------------------------------------------------===//
  // Sizes (Emitter.cpp)
  //===--------------------------------------------------------------------===//

  mlir::Value asValue(mlir::OpFoldResult size);
  mlir::OpFoldResult asSize(mlir::Value index);
  mlir::OpFoldResult asSize(int64_t size) { return b.getIndexAttr(size); }
  mlir::OpFoldResult addSizes(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult subSizes(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult mulSizes(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult minSizes(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult maxSizes(mlir::OpFoldResult x, mlir::OpFoldResult y);
  /// The sizes that were multiplied to one.
  static Sizes factors(mlir::OpFoldResult size);
  /// The product, with constants first so that equal products are equal values.
  mlir::OpFoldResult product(llvm::ArrayRef<mlir::OpFoldResult> sizes);

  //===--------------------------------------------------------------------===//
  // Structured ops (TensorBuilders.cpp)
  //===--------------------------------------------------------------------===//

  /// A tensor of `sizes` whose elements `body` computes; `inputs` are read
  /// through `maps` of the positions.
  mlir::Value generate(llvm::ArrayRef<mlir::OpFoldResult> sizes,
                       mlir::Type elementType, mlir::ValueRange inputs,
                       llvm::ArrayRef<mlir::AffineMap> maps, ElementFn body,
                       bool isUnsigned = false);
  /// The same from positions alone.
  mlir::Value
  generate(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type elementType,
           llvm::function_ref<mlir::Value(Scalars &, Values &positions)> body);

  /// An elementwise op with numpy's broadcasting. Elements of narrow floats
  /// arrive widened. `resultSizes`, if given, are what the result has.
  mlir::Value map(mlir::ValueRange inputs, mlir::Type elementType,
                  ElementFn body, bool isUnsigned = false,
                  std::optional<Sizes> resultSizes = std::nullopt);
  /// The sizes of broadcasting; those of `result`, where they tell more.
  Sizes broadcastSizes(llvm::ArrayRef<Sizes> shapes,
                       mlir::Value result = nullptr);
  mlir::Value broadcastTo(mlir::Value tensor, Sizes sizes);
  mlir::Value castElements(mlir::Value tensor, mlir::Type elementType,
                           bool fromUnsigned = false, bool toUnsigned = false);

  /// Reduces sorted `axes`, with elements of the type that `prepare` gives
  /// (without it, the compute type). `keepDims` leaves sizes of 1.
  mlir::Value
  reduce(mlir::Value tensor, llvm::ArrayRef<int64_t> axes, bool keepDims,
         Reduction kind, bool isUnsigned = false,
         llvm::function_ref<mlir::Value(Scalars &, mlir::Value)> prepare = {},
         mlir::Type accumulatorType = {});
  mlir::Value combine(Scalars &s, Reduction kind, mlir::Value x, mlir::Value y);
  mlir::Value initial(Scalars &s, Reduction kind, mlir::Type type);
  /// The number of elements that `axes` span, as a scalar of `type`.
  mlir::Value count(mlir::Value tensor, llvm::ArrayRef<int64_t> axes,
                    mlir::Type type);

  /// The sum over the loops from `numParallel` on of the product of elements of
  /// `x` and `y`, in `type`; the parallel loops are the result's dimensions.
  mlir::Value contract(mlir::Value x, mlir::AffineMap mapX, mlir::Value y,
                       mlir::AffineMap mapY,
                       llvm::ArrayRef<mlir::OpFoldResult> loops,
                       unsigned numParallel, mlir::Type type);

  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type type);
  mlir::Value filled(llvm::ArrayRef<mlir::OpFoldResult> sizes,
                     mlir::Value scalar);
  mlir::Value fromElements(llvm::ArrayRef<mlir::Value> elements,
                           llvm::ArrayRef<int64_t> shape);

  /// The elements in another shape: by views, if the sizes tell how.
  mlir::Value reshape(mlir::Value tensor, Sizes sizes);
  /// Inserts dimensions of size 1 at positions of the result, or drops them.
  mlir::Value insertUnits(mlir::Value tensor, llvm::ArrayRef<int64_t> axes);
  mlir::Value dropUnits(mlir::Value tensor, llvm::ArrayRef<int64_t> axes);
  /// Puts units around, so that the tensor lies along `axis` of `rank`.
  mlir::Value alongAxis(mlir::Value vector, int64_t axis, int64_t rank);
  mlir::Value transpose(mlir::Value tensor, llvm::ArrayRef<int64_t> perm);
  mlir::Value slice(mlir::Value tensor,
                    llvm::ArrayRef<mlir::OpFoldResult> offsets,
                    llvm::ArrayRef<mlir::OpFoldResult> sizes,
                    llvm::ArrayRef<mlir::OpFoldResult> strides = {});
  /// Everything but [offset, offset + size) of an axis cut away.
  mlir::Value sliceAxis(mlir::Value tensor, int64_t axis,
                        mlir::OpFoldResult offset, mlir::OpFoldResult size);
  mlir::Value concat(llvm::ArrayRef<mlir::Value> tensors, int64_t axis);
  /// One element, at index values.
  mlir::Value extract(mlir::OpBuilder &builder, mlir::Value tensor,
                      llvm::ArrayRef<mlir::Value> indices);
  /// Whether two sizes are known to be equal.
  static bool areEqual(mlir::OpFoldResult x, mlir::OpFoldResult y);

  /// A nest of sequential loops that carries tensors.
  Values
  loops(llvm::ArrayRef<mlir::OpFoldResult> bounds, mlir::ValueRange inits,
        llvm::function_ref<Values(Scalars &, llvm::ArrayRef<mlir::Value> ivs,
                                  llvm::ArrayRef<mlir::Value> carried)>
            body);

private:
  llvm::StringRef dimName(mlir::Value value, int64_t dim) const;
  void note(mlir::Value value, mlir::Value tensor);
  mlir::Value matchType(mlir::Value tensor, mlir::RankedTensorType type);
  mlir::Value splatElement(mlir::Value tensor, mlir::OpBuilder &builder);

  llvm::DenseMap<mlir::Value, mlir::Value> lowered;
  llvm::DenseMap<mlir::Value, Values> knownScalars;
  llvm::DenseMap<mlir::Value, Sizes> knownSizes;
  /// The size that each name of `onnx.dims` stands for.
  llvm::StringMap<mlir::OpFoldResult> symbols;
};

/// A valid index from any: negative ones count from the end, and the result is
/// within [0, size), so that nothing outside is read whatever the data is.
mlir::Value wrapIndex(Scalars &s, mlir::Value index, mlir::Value size);

} // namespace bitnet::onnx

#endif // BITNET_LIB_CONVERSION_ONNXTOLINALG_EMITTER_H
