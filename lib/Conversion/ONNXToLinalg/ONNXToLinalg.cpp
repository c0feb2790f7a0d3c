//===- ONNXToLinalg.cpp - The pass that lowers the onnx dialect -----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/ONNXToLinalg/ONNXToLinalg.h"

#include "Lowerings.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Iterators.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace bitnet {
#define GEN_PASS_DEF_CONVERTONNXTOLINALG
#include "bitnet/Conversion/ONNXToLinalg/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;
using namespace bitnet::onnx;

static LoweringTable allLowerings() {
  LoweringTable table;
  addAttentionLowerings(table);
  addCastLowerings(table);
  addElementwiseLowerings(table);
  addGatherLowerings(table);
  addMovementLowerings(table);
  addNormLowerings(table);
  addProductLowerings(table);
  addQuantizeLowerings(table);
  addReductionLowerings(table);
  addResizeLowerings(table);
  addScatterLowerings(table);
  addSequentialLowerings(table);
  addShapeLowerings(table);
  addWindowLowerings(table);
  return table;
}

static bool isOnnx(Operation *op) {
  return isa_and_nonnull<ONNXDialect>(op->getDialect());
}

//===----------------------------------------------------------------------===//
// Signless types at the boundary
//===----------------------------------------------------------------------===//

/// Makes a function's types signless and keeps unsigned ones in attributes.
static void dropSigns(FunctionOpInterface function) {
  SmallVector<Type> arguments, results;
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    arguments.push_back(toSignless(type));
    if (arguments.back() != type)
      function.setArgAttr(i, "onnx.element_type",
                          TypeAttr::get(getElementTypeOrSelf(type)));
  }
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    results.push_back(toSignless(type));
    if (results.back() != type)
      function.setResultAttr(i, "onnx.element_type",
                             TypeAttr::get(getElementTypeOrSelf(type)));
  }
  function.setType(function.cloneTypeWith(arguments, results));
}

/// Makes `value` signless; onnx users keep seeing the unsigned type by way of
/// the cast that is returned (null if there is nothing to do).
static Operation *dropSign(OpBuilder &builder, Value value) {
  Type type = value.getType(), signless = toSignless(type);
  if (type == signless)
    return nullptr;
  value.setType(signless);
  builder.setInsertionPointAfterValue(value);
  auto cast =
      UnrealizedConversionCastOp::create(builder, value.getLoc(), type, value);
  value.replaceAllUsesExcept(cast.getResult(0), cast);
  return cast;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {

/// Lowers the ops of one function in order; onnx ops stay until all are done,
/// since later ones look through them.
class FunctionLowering {
public:
  FunctionLowering(FunctionOpInterface function, const LoweringTable &table)
      : function(function), table(table), emitter(function.getContext()) {}

  LogicalResult run();
  int64_t converted() const { return static_cast<int64_t>(dead.size()); }

private:
  void adoptArguments(Block &block);
  void visit(Operation *op);
  void lower(Operation *op);
  void useLowered(Operation *op);
  void eraseDead();

  FunctionOpInterface function;
  const LoweringTable &table;
  Emitter emitter;
  SmallVector<Operation *> dead;
  bool failed = false;
};

} // namespace

void FunctionLowering::adoptArguments(Block &block) {
  for (BlockArgument argument : block.getArguments()) {
    if (Operation *cast = dropSign(emitter.b, argument))
      visit(cast);
    emitter.loc = argument.getLoc();
    emitter.adopt(argument);
  }
}

void FunctionLowering::lower(Operation *op) {
  emitter.startOp(op);
  dead.push_back(op);
  if (isa<NoValueOp>(op))
    return;
  const LoweringTable::Function *lowering =
      table.find(op->getName().getStringRef());
  LogicalResult lowered =
      lowering ? (*lowering)(emitter, op)
               : emitter.unsupported(op, "there is no lowering for it");
  if (succeeded(lowered))
    return;
  failed = true;
  // Placeholders let what follows be lowered, so that all errors are seen.
  for (Value result : op->getResults()) {
    if (!isa<RankedTensorType>(result.getType()) || emitter.has(result))
      continue;
    auto placeholder = UnrealizedConversionCastOp::create(
        emitter.b, op->getLoc(), toSignless(result.getType()), ValueRange());
    emitter.set(result, placeholder.getResult(0));
  }
}

/// Has an op of another dialect use the lowered tensors.
void FunctionLowering::useLowered(Operation *op) {
  emitter.startOp(op);
  for (OpOperand &operand : op->getOpOperands())
    if (emitter.has(operand.get()))
      operand.set(emitter.getAs(operand.get(), operand.get().getType()));
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    auto type = dyn_cast<RankedTensorType>(constant.getType());
    if (elements && type && toSignless(type) != type)
      constant.setValueAttr(DenseElementsAttr::getFromRawBuffer(
          cast<ShapedType>(toSignless(type)), elements.getRawData()));
  }
  SmallVector<Operation *> casts;
  for (Value result : op->getResults()) {
    emitter.b.setInsertionPointAfter(op);
    if (Operation *cast = dropSign(emitter.b, result))
      visit(cast);
    emitter.adopt(result);
  }
}

void FunctionLowering::visit(Operation *op) {
  auto cast = dyn_cast<UnrealizedConversionCastOp>(op);
  if (cast && cast->getNumOperands() == 1 &&
      toSignless(cast.getType(0)) == cast.getOperand(0).getType()) {
    if (emitter.has(cast.getResult(0)))
      return;
    emitter.startOp(op);
    emitter.set(cast.getResult(0), cast.getOperand(0));
    dead.push_back(op);
    return;
  }
  if (isOnnx(op))
    return lower(op);
  useLowered(op);
  for (Region &region : op->getRegions())
    for (Block &block : region) {
      adoptArguments(block);
      // Lowering adds ops before the one at hand only.
      for (Operation &nested : llvm::make_early_inc_range(block))
        visit(&nested);
    }
}

void FunctionLowering::eraseDead() {
  for (Operation *op : llvm::reverse(dead)) {
    op->dropAllUses();
    op->erase();
  }
  // Sizes and transposes that nothing read.
  bool changed = true;
  while (changed) {
    changed = false;
    SmallVector<Operation *> unused;
    function->walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
      if (isOpTriviallyDead(op))
        unused.push_back(op);
    });
    for (Operation *op : unused) {
      op->erase();
      changed = true;
    }
  }
}

LogicalResult FunctionLowering::run() {
  bool hasOnnx = false;
  function->walk([&](Operation *op) { hasOnnx |= isOnnx(op); });
  if (!hasOnnx || function.isExternal())
    return success();
  SmallVector<Operation *> ops;
  for (Block &block : function.getFunctionBody()) {
    adoptArguments(block);
    ops.clear();
    for (Operation &op : block)
      ops.push_back(&op);
    for (Operation *op : ops)
      visit(op);
  }
  if (failed)
    return failure();
  dropSigns(function);
  eraseDead();
  return success();
}

namespace {

struct ConvertONNXToLinalg
    : bitnet::impl::ConvertONNXToLinalgBase<ConvertONNXToLinalg> {
  void runOnOperation() override {
    LoweringTable table = allLowerings();
    bool failed = false;
    getOperation().walk([&](FunctionOpInterface function) {
      FunctionLowering lowering(function, table);
      failed |= lowering.run().failed();
      numConverted += lowering.converted();
    });
    if (failed)
      signalPassFailure();
  }
};

} // namespace
