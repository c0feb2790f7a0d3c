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
BITNET_DPS_EFFECTS(MatmulOp)
BITNET_DPS_EFFECTS(RescaleOp)
BITNET_DPS_EFFECTS(LinearOp)
BITNET_DPS_EFFECTS(NormOp)
BITNET_DPS_EFFECTS(RotaryOp)
BITNET_DPS_EFFECTS(CacheUpdateOp)
BITNET_DPS_EFFECTS(AttentionOp)
BITNET_DPS_SPECULATABILITY(QuantizeOp)
BITNET_DPS_SPECULATABILITY(MatmulOp)
BITNET_DPS_SPECULATABILITY(RescaleOp)
BITNET_DPS_SPECULATABILITY(LinearOp)
BITNET_DPS_SPECULATABILITY(NormOp)
BITNET_DPS_SPECULATABILITY(RotaryOp)
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

int64_t LinearOp::getN() {
  if (getPacking())
    return *getRows();
  return cast<ShapedType>(getWeight().getType()).getDimSize(0);
}

int64_t LinearOp::getK() {
  if (getPacking())
    return *getColumns();
  return cast<ShapedType>(getWeight().getType()).getDimSize(1);
}
