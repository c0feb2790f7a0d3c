//===- Dispatch.cpp - bitnet_query ----------------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MachineCode.h"
#include "bitnet/Target/CPU/CPUTarget.h"
#include "bitnet/artifact.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"

using namespace llvm;

/// A table of distances from itself to the functions, which needs no relocation
/// when the artifact is loaded.
static GlobalVariable *buildTable(Module &module,
                                  ArrayRef<Function *> functions) {
  LLVMContext &context = module.getContext();
  Type *i32 = Type::getInt32Ty(context), *i64 = Type::getInt64Ty(context);
  auto *type = ArrayType::get(i32, functions.size());
  auto *table = new GlobalVariable(module, type, /*isConstant=*/true,
                                   GlobalValue::InternalLinkage,
                                   /*Initializer=*/nullptr, "entries");
  SmallVector<Constant *> distances;
  Constant *origin = ConstantExpr::getPtrToInt(table, i64);
  for (Function *function : functions)
    distances.push_back(ConstantExpr::getTrunc(
        ConstantExpr::getSub(ConstantExpr::getPtrToInt(function, i64), origin),
        i32));
  table->setInitializer(ConstantArray::get(type, distances));
  table->setAlignment(Align(4));
  return table;
}

/// The address of the entry's code where all indices are known, else null.
static void buildQuery(Module &module, GlobalVariable *table,
                       uint32_t variantCount, uint32_t entryCount) {
  LLVMContext &context = module.getContext();
  IRBuilder<> builder(context);
  Type *i32 = builder.getInt32Ty(), *pointer = builder.getPtrTy();
  auto *query =
      Function::Create(FunctionType::get(pointer, {i32, i32, i32}, false),
                       GlobalValue::ExternalLinkage, BN_QUERY_SYMBOL, module);
  query->addFnAttr(Attribute::NoUnwind);
  auto *entry = BasicBlock::Create(context, "entry", query);
  auto *known = BasicBlock::Create(context, "known", query);
  auto *unknown = BasicBlock::Create(context, "unknown", query);
  Value *variantIndex = query->getArg(1), *entryIndex = query->getArg(2);
  builder.SetInsertPoint(entry);
  Value *fits = builder.CreateAnd(
      {builder.CreateICmpEQ(query->getArg(0), builder.getInt32(BN_ABI_VERSION)),
       builder.CreateICmpULT(variantIndex, builder.getInt32(variantCount)),
       builder.CreateICmpULT(entryIndex, builder.getInt32(entryCount))});
  builder.CreateCondBr(fits, known, unknown);
  builder.SetInsertPoint(unknown);
  builder.CreateRet(ConstantPointerNull::get(builder.getPtrTy()));
  builder.SetInsertPoint(known);
  Value *index = builder.CreateAdd(
      builder.CreateMul(variantIndex, builder.getInt32(entryCount)),
      entryIndex);
  Value *offset = builder.CreateZExt(
      builder.CreateMul(index, builder.getInt32(4)), builder.getInt64Ty());
  builder.CreateRet(builder.CreateIntrinsic(
      Intrinsic::load_relative, {builder.getInt64Ty()}, {table, offset}));
}

Error bitnet::emitDispatch(ArrayRef<TargetAttr> variants,
                           ArrayRef<std::string> entries,
                           CodeGenBuffer &buffer) {
  if (variants.empty() || entries.empty())
    return createStringError("an artifact needs a variant and an entry");
  // The first variant is the one that asks least of the CPU.
  auto machine = CPUTarget(variants.front()).createTargetMachine();
  if (!machine)
    return machine.takeError();
  LLVMContext context;
  Module module("dispatch", context);
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  auto *type = FunctionType::get(Type::getInt32Ty(context),
                                 PointerType::getUnqual(context), false);
  SmallVector<Function *> functions;
  for (TargetAttr variant : variants)
    for (const std::string &entry : entries) {
      auto *function = Function::Create(type, GlobalValue::ExternalLinkage,
                                        getEntrySymbol(entry, variant), module);
      function->setVisibility(GlobalValue::HiddenVisibility);
      function->setDSOLocal(true);
      functions.push_back(function);
    }
  buildQuery(module, buildTable(module, functions), variants.size(),
             entries.size());
  optimize(module, **machine);
  return emitMachineCode(module, **machine, CodeGenOutput::Object, buffer);
}
