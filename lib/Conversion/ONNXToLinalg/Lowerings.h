//===- Lowerings.h - The table of lowerings --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_ONNXTOLINALG_LOWERINGS_H
#define BITNET_LIB_CONVERSION_ONNXTOLINALG_LOWERINGS_H

#include "Emitter.h"

#include <functional>

namespace bitnet::onnx {

/// How each op is lowered: a function that sets the op's results or reports.
class LoweringTable {
public:
  using Function =
      std::function<llvm::LogicalResult(Emitter &, mlir::Operation *)>;

  template <typename Op> void add(llvm::LogicalResult (*lower)(Emitter &, Op)) {
    add(Op::getOperationName(), [lower](Emitter &e, mlir::Operation *op) {
      return lower(e, mlir::cast<Op>(op));
    });
  }
  void add(llvm::StringRef opName, Function lower) {
    functions[opName] = std::move(lower);
  }
  const Function *find(llvm::StringRef opName) const {
    auto it = functions.find(opName);
    return it == functions.end() ? nullptr : &it->second;
  }

private:
  llvm::StringMap<Function> functions;
};

/// Lowers an elementwise op by the body on its elements.
llvm::LogicalResult lowerElementwise(Emitter &e, mlir::Operation *op,
                                     mlir::ValueRange operands, ElementFn body,
                                     bool isUnsigned);

/// A tensor read with its dimensions permuted: dimension i is `perm[i]` of the
/// tensor. An empty permutation is the identity.
struct PermutedView {
  mlir::Value tensor;
  Ints perm;
};
/// numpy's matmul, accumulated and given in `type`.
mlir::Value emitMatMul(Emitter &e, PermutedView a, PermutedView b,
                       mlir::Type type);
/// exp(x - max) / sum along `axis`, in the compute type.
mlir::Value emitSoftmax(Emitter &e, mlir::Value x, int64_t axis);

void addAttentionLowerings(LoweringTable &table);
void addCastLowerings(LoweringTable &table);
void addElementwiseLowerings(LoweringTable &table);
void addGatherLowerings(LoweringTable &table);
void addMovementLowerings(LoweringTable &table);
void addNormLowerings(LoweringTable &table);
void addProductLowerings(LoweringTable &table);
void addQuantizeLowerings(LoweringTable &table);
void addReductionLowerings(LoweringTable &table);
void addResizeLowerings(LoweringTable &table);
void addScatterLowerings(LoweringTable &table);
void addSequentialLowerings(LoweringTable &table);
void addShapeLowerings(LoweringTable &table);
void addWindowLowerings(LoweringTable &table);

} // namespace bitnet::onnx

#endif // BITNET_LIB_CONVERSION_ONNXTOLINALG_LOWERINGS_H
