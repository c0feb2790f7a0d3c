//===- BufferRoots.cpp - The allocations behind memrefs -------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferRoots.h"

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

Value bitnet::findBufferRoot(Value memref) {
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  return memref;
}

/// Memory that nothing else names: an allocation, an entry's argument, a
/// global, an archive entry.
static bool isKnownRoot(Value root) {
  if (auto argument = dyn_cast<BlockArgument>(root))
    return isa<func::FuncOp>(argument.getOwner()->getParentOp()) &&
           argument.getOwner()->isEntryBlock();
  return isa<memref::AllocOp, memref::AllocaOp, memref::GetGlobalOp,
             bitnet::ArchiveOp>(root.getDefiningOp());
}

bool bitnet::areDistinctRoots(Value a, Value b) {
  if (a == b || !isKnownRoot(a) || !isKnownRoot(b))
    return false;
  auto globalA = a.getDefiningOp<memref::GetGlobalOp>();
  auto globalB = b.getDefiningOp<memref::GetGlobalOp>();
  if (globalA && globalB)
    return globalA.getName() != globalB.getName();
  auto archiveA = a.getDefiningOp<ArchiveOp>();
  auto archiveB = b.getDefiningOp<ArchiveOp>();
  if (archiveA && archiveB)
    return archiveA.getOffset() != archiveB.getOffset();
  return true;
}
