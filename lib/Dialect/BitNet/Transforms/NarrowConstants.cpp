//===- NarrowConstants.cpp - f32 constants that are bf16 ------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "bitnet/Support/RawElements.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/Endian.h"

namespace bitnet {
#define GEN_PASS_DEF_NARROWCONSTANTS
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// Whether the use reads single elements within the body of a linalg op, so
/// that it can extend them.
bool canExtendAt(OpOperand &use) {
  if (isa<tensor::ExtractOp>(use.getOwner()))
    return use.getOperandNumber() == 0;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(use.getOwner());
  return linalgOp && linalgOp.isDpsInput(&use) &&
         linalg::isaContractionOpInterface(linalgOp);
}

/// Whether the op extends each element of a constant to f32.
bool isExtendedConstant(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumResults() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !llvm::all_of(op.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }) ||
      !op.getDpsInputs()[0].getDefiningOp<arith::ConstantOp>())
    return false;
  Value result = op.getBody()->getTerminator()->getOperand(0);
  auto extension = result.getDefiningOp<arith::ExtFOp>();
  return extension && extension.getIn() == op.getBody()->getArgument(0) &&
         extension.getType().isF32();
}

struct NarrowConstants : bitnet::impl::NarrowConstantsBase<NarrowConstants> {
  using NarrowConstantsBase::NarrowConstantsBase;

  void runOnOperation() override {
    SmallVector<arith::ConstantOp> constants;
    getOperation().walk([&](arith::ConstantOp op) {
      auto type = dyn_cast<RankedTensorType>(op.getType());
      if (type && type.getElementType().isF32() &&
          type.getNumElements() >= minElements)
        constants.push_back(op);
    });
    // An attribute is narrow everywhere or nowhere: two copies would cost more.
    DenseMap<Attribute, bool> usesAllow;
    for (arith::ConstantOp op : constants) {
      bool allow = llvm::all_of(op->getUses(), canExtendAt);
      auto [it, isNew] = usesAllow.try_emplace(op.getValue(), allow);
      it->second &= allow;
    }
    IRRewriter rewriter(&getContext());
    for (arith::ConstantOp op : constants) {
      if (!usesAllow[op.getValue()])
        continue;
      if (ElementsAttr narrow = getNarrow(cast<ElementsAttr>(op.getValue()))) {
        rewriter.setInsertionPoint(op);
        replace(rewriter, op,
                arith::ConstantOp::create(rewriter, op.getLoc(),
                                          cast<TypedAttr>(narrow)));
      }
    }
    SmallVector<linalg::GenericOp> extensions;
    getOperation().walk([&](linalg::GenericOp op) {
      if (isExtendedConstant(op) && llvm::all_of(op->getUses(), canExtendAt))
        extensions.push_back(op);
    });
    for (linalg::GenericOp op : extensions)
      replace(rewriter, op, op.getDpsInputs()[0]);
  }

private:
  /// The value as bf16, null where that would lose bits.
  ElementsAttr getNarrow(ElementsAttr value) {
    auto [it, isNew] = narrowed.try_emplace(value, ElementsAttr());
    ArrayRef<char> bytes = getRawBytes(value);
    size_t count = value.getNumElements();
    if (!isNew || bytes.size() != count * 4)
      return it->second;
    for (size_t i = 0; i < count; ++i)
      if (llvm::support::endian::read16le(bytes.data() + 4 * i))
        return {};
    AsmResourceBlob blob =
        HeapAsmResourceBlob::allocate(count * 2, 64, /*dataIsMutable=*/true);
    for (size_t i = 0; i < count; ++i)
      memcpy(blob.getMutableData().data() + 2 * i, bytes.data() + 4 * i + 2, 2);
    auto type = cast<RankedTensorType>(value.getType())
                    .clone(BFloat16Type::get(&getContext()));
    it->second = DenseResourceElementsAttr::get(cast<ShapedType>(type), "bf16",
                                                std::move(blob));
    ++numNarrowed;
    return it->second;
  }

  /// Has the uses of an op extend the elements of `constant` themselves.
  static void replace(IRRewriter &rewriter, Operation *op, Value constant) {
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      if (auto extract = dyn_cast<tensor::ExtractOp>(use.getOwner())) {
        rewriter.setInsertionPoint(extract);
        Value element = tensor::ExtractOp::create(
            rewriter, extract.getLoc(), constant, extract.getIndices());
        rewriter.replaceOpWithNewOp<arith::ExtFOp>(extract, extract.getType(),
                                                   element);
        continue;
      }
      extendOperand(rewriter, use, constant);
    }
    rewriter.eraseOp(op);
  }

  /// Makes the op generic and extends the operand in its body.
  static void extendOperand(IRRewriter &rewriter, OpOperand &use,
                            Value constant) {
    auto linalgOp = cast<linalg::LinalgOp>(use.getOwner());
    unsigned number = use.getOperandNumber();
    rewriter.setInsertionPoint(linalgOp);
    auto generic = dyn_cast<linalg::GenericOp>(linalgOp.getOperation());
    if (!generic)
      generic = *linalg::generalizeNamedOp(rewriter, linalgOp);
    rewriter.modifyOpInPlace(generic,
                             [&] { generic->setOperand(number, constant); });
    BlockArgument argument = generic.getRegion().getArgument(number);
    Type wide = argument.getType();
    argument.setType(getElementTypeOrSelf(constant));
    rewriter.setInsertionPointToStart(generic.getBody());
    Value extended =
        arith::ExtFOp::create(rewriter, generic.getLoc(), wide, argument);
    rewriter.replaceAllUsesExcept(argument, extended, extended.getDefiningOp());
  }

  DenseMap<Attribute, ElementsAttr> narrowed;
};

} // namespace
