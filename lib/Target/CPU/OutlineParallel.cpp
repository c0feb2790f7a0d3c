//===- OutlineParallel.cpp - Parallel loops as callbacks of the host ------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostCalls.h"
#include "MemRefParts.h"
#include "bitnet/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"

namespace bitnet {
#define GEN_PASS_DEF_OUTLINEPARALLEL
#include "bitnet/Target/CPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// The call as an argument of every function
//===----------------------------------------------------------------------===//

static void addCallArgument(ModuleOp module) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  for (auto func : module.getOps<func::FuncOp>())
    if (!func.isExternal())
      (void)func.insertArgument(0, pointer, {}, func.getLoc());
  SymbolTable symbols(module);
  module->walk([&](func::CallOp call) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    auto caller = call->getParentOfType<func::FuncOp>();
    if (!callee || callee.isExternal())
      return;
    SmallVector<Value> operands = {caller.getArgument(0)};
    llvm::append_range(operands, call.getOperands());
    call.getOperandsMutable().assign(operands);
  });
}

//===----------------------------------------------------------------------===//
// Sequential loops
//===----------------------------------------------------------------------===//

/// Moves the loop's body to the end of the builder's block, for these indices.
static void inlineBody(OpBuilder &builder, scf::ParallelOp loop,
                       ValueRange indices) {
  Block *body = loop.getBody();
  body->getTerminator()->erase();
  Block *block = builder.getInsertionBlock();
  for (auto [argument, index] : llvm::zip(body->getArguments(), indices))
    argument.replaceAllUsesWith(index);
  block->getOperations().splice(builder.getInsertionPoint(),
                                body->getOperations());
}

static void makeSequential(scf::ParallelOp loop) {
  OpBuilder builder(loop);
  scf::buildLoopNest(builder, loop.getLoc(), loop.getLowerBound(),
                     loop.getUpperBound(), loop.getStep(),
                     [&](OpBuilder &nested, Location, ValueRange indices) {
                       inlineBody(nested, loop, indices);
                     });
  loop.erase();
}

//===----------------------------------------------------------------------===//
// Outlining
//===----------------------------------------------------------------------===//

namespace {
/// One parallel loop on its way to a function, a callback and a call.
class Outliner {
public:
  Outliner(ModuleOp module, SymbolTable &symbols, scf::ParallelOp loop)
      : symbols(symbols), loop(loop),
        func(loop->getParentOfType<func::FuncOp>()),
        converter(module.getContext()),
        builder(loop.getLoc(), module.getContext()) {}

  void run();

private:
  void captureValues();
  void buildBody();
  void buildTask();
  void buildCall();
  Value computeTripCounts();
  Value getField(Value structure, int32_t index);
  bool isUnaliased(Value memref);

  SymbolTable &symbols;
  scf::ParallelOp loop;
  func::FuncOp func, body;
  LLVM::LLVMFuncOp task;
  LLVMTypeConverter converter;
  ImplicitLocOpBuilder builder;
  /// What the body reads: the bn_call first, then values from around the loop
  /// and the loop's bounds.
  llvm::SetVector<Value> captures;
  SmallVector<Value> tripCounts;
  Value total;
  Type structure;
};
} // namespace

static Value getRoot(Value memref) {
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  return memref;
}

/// A captured argument that no other captured memref is a view of stays as
/// unaliased as it was.
bool Outliner::isUnaliased(Value memref) {
  auto argument = dyn_cast<BlockArgument>(memref);
  if (!argument || argument.getOwner() != &func.getBody().front() ||
      !func.getArgAttr(argument.getArgNumber(),
                       LLVM::LLVMDialect::getNoAliasAttrName()))
    return false;
  return llvm::none_of(captures, [&](Value other) {
    return other != memref && isa<MemRefType>(other.getType()) &&
           getRoot(other) == memref;
  });
}

/// ceil((upper - lower) / step) of each dimension, and their product.
Value Outliner::computeTripCounts() {
  Value product;
  for (auto [lower, upper, step] :
       llvm::zip(loop.getLowerBound(), loop.getUpperBound(), loop.getStep())) {
    Value span = builder.createOrFold<arith::SubIOp>(upper, lower);
    Value count = builder.createOrFold<arith::CeilDivSIOp>(span, step);
    Value zero = builder.create<arith::ConstantIndexOp>(0);
    count = builder.createOrFold<arith::MaxSIOp>(count, zero);
    tripCounts.push_back(count);
    product =
        product ? builder.createOrFold<arith::MulIOp>(product, count) : count;
  }
  return product;
}

void Outliner::captureValues() {
  captures.insert(func.getArgument(0));
  llvm::SetVector<Value> used;
  getUsedValuesDefinedAbove(loop.getRegion(), used);
  used.insert_range(loop.getLowerBound());
  used.insert_range(loop.getStep());
  // The slowest count is not needed to recover the indices.
  for (Value count : ArrayRef(tripCounts).drop_front())
    used.insert(count);
  for (Value value : used) {
    if (matchPattern(value, m_Constant()))
      continue;
    captures.insert(value);
  }
}

void Outliner::buildBody() {
  Type index = builder.getIndexType();
  SmallVector<Type> types =
      llvm::to_vector(ValueRange(captures.getArrayRef()).getTypes());
  types.append(2, index);
  body =
      func::FuncOp::create(builder.getLoc(), (func.getName() + "_body").str(),
                           builder.getFunctionType(types, {}));
  body.setPrivate();
  body->setAttr("no_inline", builder.getUnitAttr());
  for (auto [i, value] : llvm::enumerate(captures))
    if (isUnaliased(value))
      body.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                      builder.getUnitAttr());
  symbols.insert(body, Block::iterator(func));
  Block *entry = body.addEntryBlock();

  // Values from outside become arguments, constants are copied.
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(entry);
  IRMapping inside;
  for (auto [value, argument] : llvm::zip(captures, entry->getArguments()))
    inside.map(value, argument);
  auto find = [&](Value value) {
    if (!inside.contains(value))
      inside.map(value, builder.clone(*value.getDefiningOp())->getResult(0));
    return inside.lookup(value);
  };
  llvm::SetVector<Value> used;
  getUsedValuesDefinedAbove(loop.getRegion(), used);
  for (Value value : used)
    replaceAllUsesInRegionWith(value, find(value), loop.getRegion());
  SmallVector<Value> lower, steps, counts;
  for (auto [i, count] : llvm::enumerate(tripCounts)) {
    lower.push_back(find(loop.getLowerBound()[i]));
    steps.push_back(find(loop.getStep()[i]));
    counts.push_back(i ? find(count) : Value());
  }

  Value begin = entry->getArgument(captures.size());
  Value end = entry->getArgument(captures.size() + 1);
  Value one = builder.create<arith::ConstantIndexOp>(1);
  auto range = builder.create<scf::ForOp>(begin, end, one);
  builder.create<func::ReturnOp>();
  builder.setInsertionPointToStart(range.getBody());
  SmallVector<Value> indices(counts.size());
  Value rest = range.getInductionVar();
  for (size_t i = counts.size(); i-- > 0;) {
    Value position = rest;
    if (i) {
      position = builder.create<arith::RemUIOp>(rest, counts[i]);
      rest = builder.create<arith::DivUIOp>(rest, counts[i]);
    }
    Value scaled = builder.createOrFold<arith::MulIOp>(position, steps[i]);
    indices[i] = builder.createOrFold<arith::AddIOp>(lower[i], scaled);
  }
  inlineBody(builder, loop, indices);
}

Value Outliner::getField(Value pointer, int32_t index) {
  return builder.create<LLVM::GEPOp>(getPointerType(builder), structure,
                                     pointer, ArrayRef<LLVM::GEPArg>{0, index});
}

/// The callback: reads the captured values and calls the body.
void Outliner::buildTask() {
  SmallVector<Type> fields;
  for (Value value : captures)
    fields.push_back(converter.convertType(value.getType()));
  structure = LLVM::LLVMStructType::getLiteral(builder.getContext(), fields);

  OpBuilder::InsertionGuard guard(builder);
  Type i64 = builder.getI64Type(), pointer = getPointerType(builder);
  builder.setInsertionPoint(func);
  task = builder.create<LLVM::LLVMFuncOp>(
      (func.getName() + "_task").str(),
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()),
                                  {pointer, i64, i64}),
      LLVM::Linkage::Internal);
  symbols.insert(task);
  Block *entry = task.addEntryBlock(builder);
  builder.setInsertionPointToStart(entry);
  SmallVector<Value> operands;
  for (auto [i, value] : llvm::enumerate(captures)) {
    Value field = builder.create<LLVM::LoadOp>(
        fields[i], getField(entry->getArgument(0), i));
    operands.push_back(fromLLVM(builder, value.getType(), field));
  }
  for (unsigned i : {1, 2})
    operands.push_back(
        fromLLVM(builder, builder.getIndexType(), entry->getArgument(i)));
  builder.create<func::CallOp>(body, operands);
  builder.create<LLVM::ReturnOp>(ValueRange());
}

void Outliner::buildCall() {
  builder.setInsertionPoint(loop);
  Value context;
  {
    // In the first block, so that a loop around does not grow the stack.
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&func.getBody().front());
    Value one = builder.create<LLVM::ConstantOp>(builder.getI64IntegerAttr(1));
    context =
        builder.create<LLVM::AllocaOp>(getPointerType(builder), structure, one);
  }
  for (auto [i, value] : llvm::enumerate(captures))
    builder.create<LLVM::StoreOp>(toLLVM(builder, converter, value),
                                  getField(context, i));
  Value address = builder.create<LLVM::AddressOfOp>(task);
  callEnvironment(builder, func.getArgument(0),
                  offsetof(bn_environment, parallel_for),
                  LLVM::LLVMVoidType::get(builder.getContext()),
                  {address, context, toLLVM(builder, converter, total)});
  loop.erase();
}

void Outliner::run() {
  builder.setInsertionPoint(loop);
  total = computeTripCounts();
  captureValues();
  buildBody();
  buildTask();
  buildCall();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

static bool hasOneIteration(scf::ParallelOp loop) {
  return llvm::all_of(
      llvm::zip(loop.getLowerBound(), loop.getUpperBound(), loop.getStep()),
      [](auto bounds) {
        auto [lower, upper, step] = bounds;
        auto low = getConstantIntValue(lower),
             high = getConstantIntValue(upper), by = getConstantIntValue(step);
        return low && high && by && *high > *low && *high - *low <= *by;
      });
}

namespace {
struct OutlineParallel : bitnet::impl::OutlineParallelBase<OutlineParallel> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    addCallArgument(module);

    SmallVector<scf::ParallelOp> sequential;
    llvm::SetVector<Operation *> outermost;
    auto isNested = [&](Operation *op) {
      while ((op = op->getParentOp()))
        if (outermost.contains(op))
          return true;
      return false;
    };
    WalkResult walk =
        module->walk<WalkOrder::PreOrder>([&](scf::ParallelOp loop) {
          if (!loop.getInitVals().empty()) {
            loop.emitError("parallel reductions have no lowering for a CPU");
            return WalkResult::interrupt();
          }
          if (isNested(loop) || hasOneIteration(loop))
            sequential.push_back(loop);
          else
            outermost.insert(loop);
          return WalkResult::advance();
        });
    if (walk.wasInterrupted())
      return signalPassFailure();
    for (scf::ParallelOp loop : sequential)
      makeSequential(loop);
    numSerial += sequential.size();

    SymbolTable symbols(module);
    for (Operation *loop : outermost)
      Outliner(module, symbols, cast<scf::ParallelOp>(loop)).run();
    numOutlined += outermost.size();
  }
};
} // namespace
