//===- PrepareShaders.cpp - The interface of Vulkan shaders ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/Vulkan/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace bitnet {
#define GEN_PASS_DEF_PREPARESHADERS
#include "bitnet/Target/Vulkan/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

/// The push constants that every device has, in 32-bit words.
static constexpr unsigned maxWords = 32;

static MemRefType inClass(MemRefType type, spirv::StorageClass storage) {
  return MemRefType::get(
      type.getShape(), type.getElementType(), type.getLayout(),
      spirv::StorageClassAttr::get(type.getContext(), storage));
}

/// A scalar from the words that hold it.
static Value fromWords(ImplicitLocOpBuilder &b, Type type, Value low,
                       Value high) {
  if (type.isIndex())
    return b.create<arith::IndexCastOp>(type, low);
  if (type.isF32())
    return b.create<arith::BitcastOp>(type, low);
  if (!high)
    return low;
  Value bits = b.create<arith::ConstantIntOp>(b.getI64Type(), 32);
  Value upper = b.create<arith::ShLIOp>(
      b.create<arith::ExtUIOp>(b.getI64Type(), high), bits);
  return b.create<arith::OrIOp>(upper,
                                b.create<arith::ExtUIOp>(b.getI64Type(), low));
}

/// Replaces the scalar arguments, which come last, by one of push constants.
static LogicalResult packScalars(gpu::GPUFuncOp function) {
  Block &body = function.getBody().front();
  SmallVector<BlockArgument> scalars;
  unsigned words = 0, buffers = 0;
  for (BlockArgument argument : body.getArguments()) {
    if (isa<MemRefType>(argument.getType())) {
      ++buffers;
      continue;
    }
    scalars.push_back(argument);
    words += argument.getType().isInteger(64) ? 2 : 1;
  }
  if (scalars.empty())
    return success();
  if (words > maxWords)
    return function.emitOpError("needs ")
           << words << " words of push constants; a device has " << maxWords;
  ImplicitLocOpBuilder b(function.getLoc(), function.getContext());
  b.setInsertionPointToStart(&body);
  Value constants = body.addArgument(
      inClass(MemRefType::get({int64_t(words)}, b.getI32Type()),
              spirv::StorageClass::PushConstant),
      function.getLoc());
  unsigned next = 0;
  auto load = [&]() -> Value {
    Value at = b.create<arith::ConstantIndexOp>(next++);
    return b.create<memref::LoadOp>(constants, at);
  };
  for (BlockArgument argument : scalars) {
    Value low = load();
    Value high = argument.getType().isInteger(64) ? load() : Value();
    argument.replaceAllUsesWith(fromWords(b, argument.getType(), low, high));
  }
  body.eraseArguments(buffers, scalars.size());
  return success();
}

static void setStorageClasses(gpu::GPUFuncOp function) {
  for (BlockArgument argument : function.getArguments()) {
    auto type = cast<MemRefType>(argument.getType());
    if (!type.getMemorySpace())
      argument.setType(inClass(type, spirv::StorageClass::StorageBuffer));
  }
  function.walk([](memref::AllocOp op) {
    op.getResult().setType(
        inClass(op.getType(), spirv::StorageClass::Workgroup));
  });
}

static void setType(gpu::GPUFuncOp function) {
  function.setFunctionType(
      FunctionType::get(function.getContext(),
                        function.getBody().front().getArgumentTypes(), {}));
}

/// f64 has more than twice the digits: its quotients and roots, rounded, are
/// those of f32, even where they are some units in the last place off.
static void makePrecise(Operation *op) {
  ImplicitLocOpBuilder b(op->getLoc(), op);
  SmallVector<Value> wide;
  for (Value operand : op->getOperands())
    wide.push_back(b.create<arith::ExtFOp>(b.getF64Type(), operand));
  Value result = isa<arith::DivFOp>(op)
                     ? b.create<arith::DivFOp>(wide[0], wide[1]).getResult()
                     : b.create<math::SqrtOp>(wide[0]).getResult();
  op->getResult(0).replaceAllUsesWith(
      b.create<arith::TruncFOp>(b.getF32Type(), result));
  op->erase();
}

static void makePrecise(ModuleOp module) {
  SmallVector<Operation *> imprecise;
  module.walk([&](Operation *op) {
    if (isa<arith::DivFOp, math::SqrtOp>(op) &&
        op->getResult(0).getType().isF32())
      imprecise.push_back(op);
  });
  for (Operation *op : imprecise)
    makePrecise(op);
}

/// Upstream has no SPIR-V for this one.
static void lowerTruncation(math::TruncOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value x = op.getOperand();
  Value zero = b.create<arith::ConstantOp>(b.getZeroAttr(x.getType()));
  Value isNegative =
      b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, x, zero);
  op.replaceAllUsesWith(b.create<arith::SelectOp>(isNegative,
                                                  b.create<math::CeilOp>(x),
                                                  b.create<math::FloorOp>(x))
                            .getResult());
  op.erase();
}

/// Upstream's conversion of scf.for leaves the results of a loop that does not
/// run undefined: they are chosen here.
static void chooseResults(scf::ForOp loop) {
  if (loop.getNumResults() == 0)
    return;
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  Value runs = b.create<arith::CmpIOp>(
      arith::CmpIPredicate::slt, loop.getLowerBound(), loop.getUpperBound());
  b.setInsertionPointAfter(loop);
  for (auto [result, initial] :
       llvm::zip_equal(loop.getResults(), loop.getInitArgs())) {
    auto chosen = b.create<arith::SelectOp>(runs, result, initial);
    result.replaceAllUsesExcept(chosen, chosen);
  }
}

namespace {
struct PrepareShaders : bitnet::impl::PrepareShadersBase<PrepareShaders> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    makePrecise(module);
    SmallVector<gpu::GPUFuncOp> kernels;
    module.walk([&](gpu::GPUFuncOp function) { kernels.push_back(function); });
    SmallVector<gpu::GPUModuleOp> emptied(module.getOps<gpu::GPUModuleOp>());
    for (gpu::GPUFuncOp function : kernels)
      if (failed(prepare(function)))
        return signalPassFailure();
    for (gpu::GPUModuleOp device : emptied)
      device.erase();
  }

private:
  LogicalResult prepare(gpu::GPUFuncOp function) {
    std::optional<ArrayRef<int32_t>> block = function.getKnownBlockSize();
    if (!block)
      return function.emitOpError("needs workgroups of a known size");
    function.removeArgAttrsAttr();
    if (failed(packScalars(function)))
      return failure();
    setStorageClasses(function);
    setType(function);
    function.walk([](scf::ForOp loop) { chooseResults(loop); });
    function.walk([](math::TruncOp op) { lowerTruncation(op); });
    function->setAttr(spirv::getEntryPointABIAttrName(),
                      spirv::getEntryPointABIAttr(&getContext(), *block));
    OpBuilder builder(getOperation().getBodyRegion());
    builder.setInsertionPointToEnd(getOperation().getBody());
    auto own = gpu::GPUModuleOp::create(builder, function.getLoc(),
                                        function.getName());
    function->moveBefore(own.getBody(), own.getBody()->begin());
    return success();
  }
};
} // namespace
