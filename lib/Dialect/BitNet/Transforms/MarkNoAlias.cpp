//===- MarkNoAlias.cpp - Kernel arguments that overlap no other -----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferRoots.h"

#include "bitnet/Dialect/BitNet/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace bitnet {
#define GEN_PASS_DEF_MARKNOALIAS
#include "bitnet/Dialect/BitNet/Transforms/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

namespace {

/// In one call, the operand shares its allocation with no other memref operand.
bool isAloneInCall(func::CallOp call, unsigned index) {
  Value root = bitnet::findBufferRoot(call.getOperand(index));
  for (OpOperand &other : call->getOpOperands()) {
    if (other.getOperandNumber() == index ||
        !isa<BaseMemRefType>(other.get().getType()))
      continue;
    if (!bitnet::areDistinctRoots(root, bitnet::findBufferRoot(other.get())))
      return false;
  }
  return true;
}

struct MarkNoAliasPass : public bitnet::impl::MarkNoAliasBase<MarkNoAliasPass> {
  using MarkNoAliasBase::MarkNoAliasBase;

  void runOnOperation() override {
    llvm::StringMap<SmallVector<func::CallOp>> calls;
    getOperation().walk(
        [&](func::CallOp call) { calls[call.getCallee()].push_back(call); });
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr("bitnet.kernel"))
        mark(function, calls[function.getName()]);
  }

private:
  void mark(func::FuncOp function, ArrayRef<func::CallOp> calls) {
    if (calls.empty())
      return;
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      if (!isa<BaseMemRefType>(function.getArgumentTypes()[i]))
        continue;
      if (!llvm::all_of(
              calls, [&](func::CallOp call) { return isAloneInCall(call, i); }))
        continue;
      function.setArgAttr(i, "llvm.noalias", UnitAttr::get(&getContext()));
      ++marked;
    }
  }
};

} // namespace
