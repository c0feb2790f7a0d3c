//===- PrepareKernels.cpp - The interface of LLVM's GPU back ends ---------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/GPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace bitnet {
#define GEN_PASS_DEF_PREPAREKERNELS
#include "bitnet/Target/GPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

static void prepare(gpu::GPUFuncOp function) {
  SmallVector<memref::AllocOp> allocations;
  function.walk([&](memref::AllocOp op) { allocations.push_back(op); });
  SmallVector<Type> types;
  OpBuilder builder(function.getContext());
  builder.setInsertionPointToStart(&function.getBody().front());
  for (BlockArgument argument : function.getArguments()) {
    // Indices are passed in 32 bits, whatever the back end's index.
    if (argument.getType().isIndex()) {
      argument.setType(builder.getI32Type());
      auto cast = arith::IndexCastOp::create(builder, argument.getLoc(),
                                             builder.getIndexType(), argument);
      argument.replaceAllUsesExcept(cast, cast);
    }
    if (auto type = dyn_cast<MemRefType>(argument.getType()))
      argument.setType(MemRefType::get({std::numeric_limits<int32_t>::max()},
                                       type.getElementType()));
    types.push_back(argument.getType());
  }
  function.setFunctionType(FunctionType::get(function.getContext(), types, {}));
  for (memref::AllocOp op : allocations) {
    op.replaceAllUsesWith(static_cast<Value>(
        function.addWorkgroupAttribution(op.getType(), op.getLoc())));
    op.erase();
  }
}

/// Functions for which devices have instructions. Upstream would call a library
/// for them.
static void callIntrinsic(Operation *op) {
  static constexpr std::pair<llvm::StringLiteral, llvm::StringLiteral> names[] =
      {{"math.absf", "llvm.fabs"},         {"math.ceil", "llvm.ceil"},
       {"math.copysign", "llvm.copysign"}, {"math.floor", "llvm.floor"},
       {"math.fma", "llvm.fma"},           {"math.roundeven", "llvm.roundeven"},
       {"math.sqrt", "llvm.sqrt"},         {"math.trunc", "llvm.trunc"}};
  for (auto [name, intrinsic] : names) {
    if (op->getName().getStringRef() != name)
      continue;
    OpBuilder builder(op);
    Type type = op->getResult(0).getType();
    std::string full = (intrinsic + (type.isF64() ? ".f64" : ".f32")).str();
    auto call = LLVM::CallIntrinsicOp::create(builder, op->getLoc(), type,
                                              builder.getStringAttr(full),
                                              op->getOperands());
    op->replaceAllUsesWith(call);
    op->erase();
    return;
  }
}

namespace {
struct PrepareKernels : bitnet::impl::PrepareKernelsBase<PrepareKernels> {
  void runOnOperation() override {
    getOperation().walk([](gpu::GPUFuncOp function) { prepare(function); });
    getOperation().walk([](Operation *op) {
      if (op->getName().getDialectNamespace() == "math")
        callIntrinsic(op);
    });
  }
};
} // namespace
