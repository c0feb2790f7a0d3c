//===- LowerEntries.cpp - Entries as C functions --------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceCalls.h"
#include "HostCalls.h"
#include "MemRefParts.h"
#include "bitnet/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Utils/MemRefUtils.h"

#include <limits>

namespace bitnet {
#define GEN_PASS_DEF_LOWERENTRIES
#include "bitnet/Target/CPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

/// Kernels run on threads whose stacks may be small.
static constexpr int64_t maxStackBytes = 64 << 10;

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

namespace {
class EntryLowering {
public:
  EntryLowering(func::FuncOp func)
      : func(func), converter(func.getContext()),
        builder(func.getLoc(), func.getContext()) {}

  LogicalResult run();

private:
  LogicalResult lowerArguments();
  LogicalResult lowerReturns();
  LogicalResult lowerAllocations();
  void failIf(Value condition, bn_entry_result code, Operation *op);
  void failWith(Value result, Operation *op);
  void returnIf(Value condition, Value result, Operation *op);
  void lowerAssertions();

  Value readBytes(BlockArgument argument, size_t field);
  Value readInput(BlockArgument argument, unsigned index);
  Value readState(BlockArgument argument, IntegerAttr state);
  LogicalResult writeOutput(Location loc, Value result, unsigned index);
  void requireEqual(Value a, Value b);
  Value constant(int64_t value) {
    return builder.create<LLVM::ConstantOp>(builder.getI64IntegerAttr(value));
  }
  /// The block that returns the code that it is given.
  Block *getFailure();
  Value getCode(bn_entry_result code) {
    return builder.create<LLVM::ConstantOp>(builder.getI32IntegerAttr(code));
  }

  func::FuncOp func;
  LLVMTypeConverter converter;
  ImplicitLocOpBuilder builder;
  Value call;
  /// All shape checks so far.
  Value shapesFit;
  llvm::StringMap<Value> extents;
  Block *failureBlock = nullptr;
};
} // namespace

Block *EntryLowering::getFailure() {
  if (failureBlock)
    return failureBlock;
  OpBuilder::InsertionGuard guard(builder);
  failureBlock = builder.createBlock(&func.getBody(), func.getBody().end(),
                                     builder.getI32Type(), func.getLoc());
  builder.create<func::ReturnOp>(failureBlock->getArgument(0));
  return failureBlock;
}

void EntryLowering::requireEqual(Value a, Value b) {
  Value equal = builder.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::eq, a, b);
  shapesFit =
      shapesFit ? Value(builder.create<LLVM::AndOp>(shapesFit, equal)) : equal;
}

/// The archive or the workspace, of whatever size.
Value EntryLowering::readBytes(BlockArgument argument, size_t field) {
  MemRefParts parts;
  parts.pointer = loadField(builder, call, field, getPointerType(builder));
  parts.sizes.assign(1, constant(std::numeric_limits<int64_t>::max()));
  return buildMemRef(builder, converter, cast<MemRefType>(argument.getType()),
                     parts);
}

Value EntryLowering::readInput(BlockArgument argument, unsigned index) {
  auto type = cast<MemRefType>(argument.getType());
  auto names =
      func.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "onnx.dims");
  Value inputs = loadField(builder, call, offsetof(bn_call, inputs),
                           getPointerType(builder));
  size_t offset = index * sizeof(bn_buffer);
  MemRefParts parts;
  parts.pointer = loadField(builder, inputs, offset + offsetof(bn_buffer, data),
                            getPointerType(builder));
  for (int64_t i = 0; i < type.getRank(); ++i) {
    Value extent =
        loadField(builder, inputs, offset + offsetof(bn_buffer, shape) + 8 * i,
                  builder.getI64Type());
    if (!type.isDynamicDim(i)) {
      requireEqual(extent, constant(type.getDimSize(i)));
      continue;
    }
    parts.sizes.push_back(extent);
    auto name = names && i < int64_t(names.size())
                    ? dyn_cast<StringAttr>(names[i])
                    : StringAttr();
    if (!name || name.empty())
      continue;
    auto [known, isNew] = extents.try_emplace(name.getValue(), extent);
    if (!isNew)
      requireEqual(known->second, extent);
  }
  return buildMemRef(builder, converter, type, parts);
}

Value EntryLowering::readState(BlockArgument argument, IntegerAttr state) {
  Value states = loadField(builder, call, offsetof(bn_call, states),
                           getPointerType(builder));
  MemRefParts parts;
  parts.pointer = loadField(builder, states, state.getInt() * sizeof(void *),
                            getPointerType(builder));
  return buildMemRef(builder, converter, cast<MemRefType>(argument.getType()),
                     parts);
}

/// Builds a first block that reads the arguments from the call.
LogicalResult EntryLowering::lowerArguments() {
  Block *body = &func.getBody().front();
  unsigned count = body->getNumArguments();
  if (count < 3 || !isa<LLVM::LLVMPointerType>(body->getArgument(0).getType()))
    return func.emitError(
        "an entry's arguments begin with the call, the archive "
        "and the workspace");
  Block *prologue = builder.createBlock(&func.getBody(), func.getBody().begin(),
                                        getPointerType(builder), func.getLoc());
  call = prologue->getArgument(0);
  builder.setInsertionPointToStart(prologue);

  bool cached = llvm::any_of(body->getArgumentTypes(),
                             [](Type type) { return type.isIndex(); });
  unsigned inputs = 0;
  for (BlockArgument argument : body->getArguments()) {
    unsigned number = argument.getArgNumber();
    auto type = dyn_cast<MemRefType>(argument.getType());
    auto state = func.getArgAttrOfType<IntegerAttr>(number, "bitnet.state");
    Value value;
    if (number == 0)
      value = call;
    else if (argument.getType().isIndex())
      value = fromLLVM(builder, argument.getType(),
                       loadField(builder, call, offsetof(bn_call, position),
                                 builder.getI64Type()));
    else if (!type || !type.getLayout().isIdentity())
      return func.emitError("argument #")
             << number << " of an entry must be a memref of the plain layout, "
             << "not " << argument.getType();
    else if (number <= 2)
      value = readBytes(argument, number == 1 ? offsetof(bn_call, archive)
                                              : offsetof(bn_call, workspace));
    else if (cached && state && type.hasStaticShape())
      value = readState(argument, state);
    else if (type.getRank() <= BN_MAX_RANK)
      value = readInput(argument, inputs++);
    else
      return func.emitError("argument #")
             << number << " has too many dimensions";
    argument.replaceAllUsesWith(value);
  }
  body->eraseArguments(0, count);
  if (shapesFit)
    builder.create<LLVM::CondBrOp>(shapesFit, body, ValueRange(), getFailure(),
                                   getCode(BN_ENTRY_BAD_SHAPE));
  else
    builder.create<LLVM::BrOp>(ValueRange(), body);
  return success();
}

LogicalResult EntryLowering::writeOutput(Location loc, Value result,
                                         unsigned index) {
  auto type = dyn_cast<MemRefType>(result.getType());
  if (!type || type.getRank() > BN_MAX_RANK ||
      !(type.getLayout().isIdentity() ||
        memref::isStaticShapeAndContiguousRowMajor(type)))
    return emitError(loc) << "result #" << index
                          << " of an entry must be a dense "
                          << "memref, not " << result.getType();
  MemRefParts parts = splitMemRef(builder, converter, result);
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  (void)type.getStridesAndOffset(strides, offset);
  Value data = parts.pointer;
  Value start = parts.offset ? parts.offset : constant(offset);
  if (parts.offset || offset)
    data = builder.create<LLVM::GEPOp>(
        getPointerType(builder), converter.convertType(type.getElementType()),
        data, ArrayRef<LLVM::GEPArg>{start});
  Value outputs = loadField(builder, call, offsetof(bn_call, outputs),
                            getPointerType(builder));
  size_t base = index * sizeof(bn_buffer);
  storeField(builder, outputs, base + offsetof(bn_buffer, data), data);
  unsigned dynamic = 0;
  for (int64_t i = 0; i < type.getRank(); ++i)
    storeField(builder, outputs, base + offsetof(bn_buffer, shape) + 8 * i,
               type.isDynamicDim(i) ? parts.sizes[dynamic++]
                                    : constant(type.getDimSize(i)));
  return success();
}

LogicalResult EntryLowering::lowerReturns() {
  SmallVector<func::ReturnOp> returns;
  func.walk([&](func::ReturnOp op) {
    if (op->getBlock() != failureBlock)
      returns.push_back(op);
  });
  for (func::ReturnOp op : returns) {
    builder.setInsertionPoint(op);
    for (auto [i, result] : llvm::enumerate(op.getOperands()))
      if (failed(writeOutput(op.getLoc(), result, i)))
        return mlir::failure();
    builder.create<func::ReturnOp>(getCode(BN_ENTRY_OK));
    op.erase();
  }
  return success();
}

/// Returns `code` before `op` where `condition`, if there is one, holds.
void EntryLowering::failIf(Value condition, bn_entry_result code,
                           Operation *op) {
  if (condition)
    returnIf(condition, getCode(code), op);
}

/// Returns `result` before `op` where it is not BN_ENTRY_OK.
void EntryLowering::failWith(Value result, Operation *op) {
  Value failed = builder.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::ne, result,
                                              getCode(BN_ENTRY_OK));
  returnIf(failed, result, op);
}

void EntryLowering::returnIf(Value condition, Value result, Operation *op) {
  Block *head = op->getBlock();
  Block *tail = head->splitBlock(op);
  builder.setInsertionPointToEnd(head);
  builder.create<LLVM::CondBrOp>(condition, getFailure(), result, tail,
                                 ValueRange());
  builder.setInsertionPoint(op);
}

LogicalResult EntryLowering::lowerAllocations() {
  SmallVector<memref::AllocOp> allocations;
  SmallVector<memref::DeallocOp> deallocations;
  func.walk([&](memref::AllocOp op) { allocations.push_back(op); });
  func.walk([&](memref::DeallocOp op) { deallocations.push_back(op); });
  for (memref::AllocOp op : allocations) {
    MemRefType type = op.getType();
    if (!type.getLayout().isIdentity())
      return op.emitError("allocations must have the plain layout");
    builder.setInsertionPoint(op);
    builder.setLoc(op.getLoc());
    MemRefParts parts;
    // At least one byte, so that NULL means only exhaustion.
    Value bytes = builder.create<LLVM::PtrToIntOp>(
        builder.getI64Type(),
        builder.create<LLVM::GEPOp>(
            getPointerType(builder),
            converter.convertType(type.getElementType()),
            builder.create<LLVM::ZeroOp>(getPointerType(builder)),
            ArrayRef<LLVM::GEPArg>{1}));
    int64_t fixed = 1;
    for (int64_t size : type.getShape())
      fixed *= ShapedType::isDynamic(size) ? 1 : size;
    bytes = builder.create<LLVM::MulOp>(bytes, constant(fixed));
    // Sizes that are computed from the inputs' values may be anything.
    Value limit = constant(std::numeric_limits<int64_t>::max());
    Value zero = constant(0), one = constant(1);
    Value isNegative, isHuge;
    auto either = [&](Value all, Value next) -> Value {
      return all ? builder.create<LLVM::OrOp>(all, next).getResult() : next;
    };
    for (Value size : op.getDynamicSizes()) {
      Value extent = toLLVM(builder, converter, size);
      parts.sizes.push_back(extent);
      isNegative = either(
          isNegative,
          builder.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::slt, extent, zero));
      Value most = builder.create<LLVM::UDivOp>(
          limit, builder.create<LLVM::UMaxOp>(bytes, one));
      isHuge = either(isHuge, builder.create<LLVM::ICmpOp>(
                                  LLVM::ICmpPredicate::ugt, extent, most));
      bytes = builder.create<LLVM::MulOp>(bytes, extent);
    }
    failIf(isNegative, BN_ENTRY_BAD_SHAPE, op);
    failIf(isHuge, BN_ENTRY_OUT_OF_MEMORY, op);
    bytes = builder.create<LLVM::UMaxOp>(bytes, constant(1));
    parts.pointer =
        callEnvironment(builder, call, offsetof(bn_environment, allocate),
                        getPointerType(builder), bytes)
            .getResult();
    Value null = builder.create<LLVM::ZeroOp>(getPointerType(builder));
    Value exhausted = builder.create<LLVM::ICmpOp>(LLVM::ICmpPredicate::eq,
                                                   parts.pointer, null);
    failIf(exhausted, BN_ENTRY_OUT_OF_MEMORY, op);
    op.replaceAllUsesWith(buildMemRef(builder, converter, type, parts));
    op.erase();
  }
  for (memref::DeallocOp op : deallocations) {
    builder.setInsertionPoint(op);
    callEnvironment(builder, call, offsetof(bn_environment, release),
                    LLVM::LLVMVoidType::get(builder.getContext()),
                    splitMemRef(builder, converter, op.getMemref()).pointer);
    op.erase();
  }
  return success();
}

void EntryLowering::lowerAssertions() {
  SmallVector<cf::AssertOp> assertions;
  func.walk([&](cf::AssertOp op) { assertions.push_back(op); });
  for (cf::AssertOp op : assertions) {
    builder.setInsertionPoint(op);
    builder.setLoc(op.getLoc());
    Value code = getCode(op.getMsg().starts_with("index") ? BN_ENTRY_BAD_INDEX
                                                          : BN_ENTRY_BAD_SHAPE);
    Block *head = op->getBlock();
    Block *tail = head->splitBlock(std::next(Block::iterator(op)));
    builder.setInsertionPointToEnd(head);
    builder.create<LLVM::CondBrOp>(op.getArg(), tail, ValueRange(),
                                   getFailure(), code);
    op.erase();
  }
}

LogicalResult EntryLowering::run() {
  if (failed(lowerArguments()) || failed(lowerReturns()) ||
      failed(lowerAllocations()))
    return mlir::failure();
  lowerAssertions();
  if (isForDevice(func) &&
      failed(lowerDeviceCalls(
          func, builder, converter, call,
          [&](Value result, Operation *op) { failWith(result, op); })))
    return mlir::failure();
  SmallVector<DictionaryAttr> attributes(1, builder.getDictionaryAttr({}));
  func.setType(
      builder.getFunctionType(getPointerType(builder), builder.getI32Type()));
  func.setAllArgAttrs(attributes);
  func.setAllResultAttrs(attributes);
  return success();
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static int64_t getStaticBytes(MemRefType type) {
  if (!type.hasStaticShape())
    return std::numeric_limits<int64_t>::max();
  Type element = type.getElementType();
  int64_t width = 8;
  if (auto vector = dyn_cast<VectorType>(element))
    width = vector.getNumElements() *
            llvm::divideCeil(vector.getElementTypeBitWidth(), 8);
  else if (element.isIntOrFloat())
    width = llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  return type.getNumElements() * width;
}

/// What is left of allocations in a function lies in its frame.
static LogicalResult lowerStack(func::FuncOp func) {
  SmallVector<memref::AllocOp> allocations;
  WalkResult walk = func.walk([&](Operation *op) {
    if (auto alloc = dyn_cast<memref::AllocOp>(op)) {
      if (getStaticBytes(alloc.getType()) > maxStackBytes) {
        op->emitError("a kernel may allocate at most ")
            << maxStackBytes << " bytes, of static size";
        return WalkResult::interrupt();
      }
      allocations.push_back(alloc);
    } else if (isa<cf::AssertOp>(op)) {
      op->emitError("a kernel cannot report a failed assertion");
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return mlir::failure();
  for (memref::AllocOp op : allocations) {
    for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
      if (isa<memref::DeallocOp>(user))
        user->erase();
    OpBuilder builder(op);
    auto alloca = memref::AllocaOp::create(builder, op.getLoc(), op.getType(),
                                           builder.getI64IntegerAttr(64));
    op.replaceAllUsesWith(alloca.getResult());
    op.erase();
  }
  return success();
}

/// Static stack memory is reserved once, not each time that a loop comes by.
static void hoistStack(func::FuncOp func) {
  SmallVector<memref::AllocaOp> allocas;
  func.walk([&](memref::AllocaOp op) {
    if (op.getType().hasStaticShape())
      allocas.push_back(op);
  });
  Block &entry = func.getBody().front();
  for (memref::AllocaOp op : allocas)
    op->moveBefore(&entry, entry.begin());
}

namespace {
struct LowerEntries : bitnet::impl::LowerEntriesBase<LowerEntries> {
  void runOnOperation() override {
    for (auto func : getOperation().getOps<func::FuncOp>()) {
      if (func.isExternal())
        continue;
      LogicalResult result = func->hasAttr("bitnet.entry")
                                 ? EntryLowering(func).run()
                                 : lowerStack(func);
      if (failed(result))
        return signalPassFailure();
      hoistStack(func);
    }
    // Kernels are the device's code.
    getOperation()->removeAttr(gpu::GPUDialect::getContainerModuleAttrName());
    for (auto device :
         llvm::make_early_inc_range(getOperation().getOps<gpu::GPUModuleOp>()))
      device.erase();
  }
};
} // namespace
