//===- MemoryFunctions.cpp - memcpy, memmove and memset of an artifact ----===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MemoryFunctions.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;

namespace {
/// One of the functions under construction.
class MemoryFunction {
public:
  MemoryFunction(Module &module, StringRef name, Type *second);

  void buildCopy();
  void buildMove();
  void buildFill();

private:
  using Step = function_ref<void(Value *position, Type *unit)>;
  void loop(uint64_t unitBytes, Value *begin, Value *end, Step step);
  void forward(Step step);
  void backward(Step step);
  void copyUnit(Value *position, Type *unit);
  void finish() { builder.CreateRet(function->getArg(0)); }
  BasicBlock *addBlock(const Twine &name) {
    return BasicBlock::Create(builder.getContext(), name, function);
  }

  Function *function;
  IRBuilder<> builder;
  Value *size;
};
} // namespace

/// Bytes that one step moves; the code generator splits them into registers.
static constexpr uint64_t wideBytes = 64;

MemoryFunction::MemoryFunction(Module &module, StringRef name, Type *second)
    : builder(module.getContext()) {
  Type *pointer = builder.getPtrTy();
  auto *type = FunctionType::get(
      pointer, {pointer, second, builder.getInt64Ty()}, /*isVarArg=*/false);
  // A declaration of the same name is what the definition is for.
  Function *declared = module.getFunction(name);
  function = Function::Create(type, GlobalValue::InternalLinkage, "", module);
  if (declared) {
    declared->replaceAllUsesWith(function);
    declared->eraseFromParent();
  }
  function->setName(name);
  // Or the loops would be recognised as calls of the function itself.
  function->addFnAttr("no-builtins");
  function->addFnAttr(Attribute::NoUnwind);
  function->addFnAttr(Attribute::NoInline);
  // The code generator's calls come after the last look at unused functions.
  appendToCompilerUsed(module, function);
  size = function->getArg(2);
  builder.SetInsertPoint(addBlock("entry"));
}

/// Steps over [begin, end), a multiple of the unit.
void MemoryFunction::loop(uint64_t unitBytes, Value *begin, Value *end,
                          Step step) {
  BasicBlock *before = builder.GetInsertBlock();
  BasicBlock *body = addBlock("loop"), *after = addBlock("after");
  builder.CreateCondBr(builder.CreateICmpULT(begin, end), body, after);
  builder.SetInsertPoint(body);
  PHINode *position = builder.CreatePHI(builder.getInt64Ty(), 2);
  Type *unit = builder.getInt8Ty();
  if (unitBytes > 1)
    unit = FixedVectorType::get(unit, unitBytes);
  step(position, unit);
  Value *next = builder.CreateAdd(position, builder.getInt64(unitBytes));
  position->addIncoming(begin, before);
  position->addIncoming(next, builder.GetInsertBlock());
  builder.CreateCondBr(builder.CreateICmpULT(next, end), body, after);
  builder.SetInsertPoint(after);
}

void MemoryFunction::forward(Step step) {
  Value *wide = builder.CreateAnd(size, ~(wideBytes - 1));
  loop(wideBytes, builder.getInt64(0), wide, step);
  loop(1, wide, size, step);
}

/// From the end: single bytes until whole units are left.
void MemoryFunction::backward(Step step) {
  Value *wide = builder.CreateAnd(size, ~(wideBytes - 1));
  loop(1, wide, size, [&](Value *position, Type *unit) {
    Value *mirrored =
        builder.CreateSub(builder.CreateAdd(wide, size),
                          builder.CreateAdd(position, builder.getInt64(1)));
    step(mirrored, unit);
  });
  loop(wideBytes, builder.getInt64(0), wide, [&](Value *position, Type *unit) {
    Value *mirrored = builder.CreateSub(
        wide, builder.CreateAdd(position, builder.getInt64(wideBytes)));
    step(mirrored, unit);
  });
}

void MemoryFunction::copyUnit(Value *position, Type *unit) {
  Type *byte = builder.getInt8Ty();
  Value *source = builder.CreateGEP(byte, function->getArg(1), position);
  Value *target = builder.CreateGEP(byte, function->getArg(0), position);
  Value *value = builder.CreateAlignedLoad(unit, source, Align(1));
  builder.CreateAlignedStore(value, target, Align(1));
}

void MemoryFunction::buildCopy() {
  forward([&](Value *position, Type *unit) { copyUnit(position, unit); });
  finish();
}

void MemoryFunction::buildMove() {
  // Backwards only where the target begins within the source.
  Type *i64 = builder.getInt64Ty();
  Value *distance =
      builder.CreateSub(builder.CreatePtrToInt(function->getArg(0), i64),
                        builder.CreatePtrToInt(function->getArg(1), i64));
  BasicBlock *up = addBlock("up"), *down = addBlock("down");
  builder.CreateCondBr(builder.CreateICmpULT(distance, size), down, up);
  builder.SetInsertPoint(up);
  buildCopy();
  builder.SetInsertPoint(down);
  backward([&](Value *position, Type *unit) { copyUnit(position, unit); });
  finish();
}

void MemoryFunction::buildFill() {
  Value *byte = builder.CreateTrunc(function->getArg(1), builder.getInt8Ty());
  Value *wide = builder.CreateVectorSplat(wideBytes, byte);
  forward([&](Value *position, Type *unit) {
    Value *target =
        builder.CreateGEP(builder.getInt8Ty(), function->getArg(0), position);
    builder.CreateAlignedStore(unit->isVectorTy() ? wide : byte, target,
                               Align(1));
  });
  finish();
}

void bitnet::defineMemoryFunctions(Module &module) {
  Type *pointer = PointerType::getUnqual(module.getContext());
  MemoryFunction(module, "memcpy", pointer).buildCopy();
  MemoryFunction(module, "memmove", pointer).buildMove();
  MemoryFunction(module, "memset", Type::getInt32Ty(module.getContext()))
      .buildFill();
}
