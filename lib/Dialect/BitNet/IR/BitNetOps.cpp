//===- BitNetOps.cpp - Ops of the bitnet dialect --------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace bitnet;

#define GET_OP_CLASSES
#include "bitnet/Dialect/BitNet/IR/BitNetOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Memory effects
//===----------------------------------------------------------------------===//

using Effects =
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>;

/// On memrefs an op reads what it takes and writes its inits; on tensors it has
/// no effect.
static void getDpsEffects(DestinationStyleOpInterface op, Effects &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (op.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand,
                           SideEffects::DefaultResource::get());
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand,
                           SideEffects::DefaultResource::get());
  }
}

static Speculation::Speculatability
getDpsSpeculatability(DestinationStyleOpInterface op) {
  return op.hasPureTensorSemantics() ? Speculation::Speculatable
                                     : Speculation::NotSpeculatable;
}

#define BITNET_DPS_EFFECTS(OP)                                                 \
  void OP::getEffects(Effects &effects) {                                      \
    getDpsEffects(cast<DestinationStyleOpInterface>(getOperation()), effects); \
  }
#define BITNET_DPS_SPECULATABILITY(OP)                                         \
  Speculation::Speculatability OP::getSpeculatability() {                      \
    return getDpsSpeculatability(                                              \
        cast<DestinationStyleOpInterface>(getOperation()));                    \
  }

BITNET_DPS_EFFECTS(QuantizeOp)
BITNET_DPS_EFFECTS(PrepareOp)
BITNET_DPS_EFFECTS(MatmulOp)
BITNET_DPS_EFFECTS(RescaleOp)
BITNET_DPS_EFFECTS(LinearOp)
BITNET_DPS_EFFECTS(NormOp)
BITNET_DPS_EFFECTS(RotaryOp)
BITNET_DPS_EFFECTS(CacheUpdateOp)
BITNET_DPS_EFFECTS(AttentionOp)
BITNET_DPS_EFFECTS(TopLogitsOp)
BITNET_DPS_SPECULATABILITY(QuantizeOp)
BITNET_DPS_SPECULATABILITY(PrepareOp)
BITNET_DPS_SPECULATABILITY(MatmulOp)
BITNET_DPS_SPECULATABILITY(RescaleOp)
BITNET_DPS_SPECULATABILITY(LinearOp)
BITNET_DPS_SPECULATABILITY(NormOp)
BITNET_DPS_SPECULATABILITY(RotaryOp)
BITNET_DPS_SPECULATABILITY(TopLogitsOp)
#undef BITNET_DPS_EFFECTS
#undef BITNET_DPS_SPECULATABILITY

/// A position past the capacity is undefined, so the ops that take one stay
/// where they are.
Speculation::Speculatability CacheUpdateOp::getSpeculatability() {
  return Speculation::NotSpeculatable;
}

Speculation::Speculatability AttentionOp::getSpeculatability() {
  if (getPosition())
    return Speculation::NotSpeculatable;
  return getDpsSpeculatability(
      cast<DestinationStyleOpInterface>(getOperation()));
}

//===----------------------------------------------------------------------===//
// Folders and accessors
//===----------------------------------------------------------------------===//

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

RankedTensorType PrepareOp::getPreparedType(Lowering lowering,
                                            PackingAttr packing, int64_t tokens,
                                            int64_t k) {
  if (packing.getScheme() == PackingScheme::Base3)
    return {};
  // Four bytes of packed weights at a time.
  int64_t parts = packing.getPaddedColumns(k) / (4 * packing.getFields());
  MLIRContext *context = packing.getContext();
  if (lowering == Lowering::LUT)
    return RankedTensorType::get({tokens, parts * 256},
                                 IntegerType::get(context, 8));
  if (lowering == Lowering::Popcount)
    return RankedTensorType::get({tokens, parts * 2},
                                 IntegerType::get(context, 32));
  return {};
}

/// Extents of the weight of a matmul or linear layer.
template <typename OpTy> static int64_t getRowsOf(OpTy op) {
  return op.getPacking()
             ? *op.getRows()
             : cast<ShapedType>(op.getWeight().getType()).getDimSize(0);
}
template <typename OpTy> static int64_t getColumnsOf(OpTy op) {
  return op.getPacking()
             ? *op.getColumns()
             : cast<ShapedType>(op.getWeight().getType()).getDimSize(1);
}

int64_t MatmulOp::getN() { return getRowsOf(*this); }
int64_t MatmulOp::getK() { return getColumnsOf(*this); }
int64_t LinearOp::getN() { return getRowsOf(*this); }
int64_t LinearOp::getK() { return getColumnsOf(*this); }
