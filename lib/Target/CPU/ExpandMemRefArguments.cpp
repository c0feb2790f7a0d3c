//===- ExpandMemRefArguments.cpp - Memrefs passed as pointers -------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MemRefParts.h"
#include "bitnet/Target/CPU/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

namespace bitnet {
#define GEN_PASS_DEF_EXPANDMEMREFARGUMENTS
#include "bitnet/Target/CPU/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

static DictionaryAttr getPointerAttributes(func::FuncOp func, unsigned index) {
  Builder builder(func.getContext());
  NamedAttrList attributes;
  auto add = [&](StringRef name) {
    attributes.set(name, builder.getUnitAttr());
  };
  for (StringRef name : {LLVM::LLVMDialect::getNoAliasAttrName(),
                         LLVM::LLVMDialect::getReadonlyAttrName()})
    if (func.getArgAttr(index, name))
      add(name);
  add(LLVM::LLVMDialect::getNonNullAttrName());
  add(LLVM::LLVMDialect::getNoUndefAttrName());
  return attributes.getDictionary(func.getContext());
}

static void expandSignature(func::FuncOp func,
                            const LLVMTypeConverter &converter) {
  Block &entry = func.getBody().front();
  ImplicitLocOpBuilder builder(func.getLoc(), func.getContext());
  builder.setInsertionPointToStart(&entry);
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  unsigned count = entry.getNumArguments();
  for (unsigned i = 0; i < count; ++i) {
    BlockArgument argument = entry.getArgument(i);
    auto type = dyn_cast<MemRefType>(argument.getType());
    SmallVector<Type> parts = {argument.getType()};
    attributes.push_back(func.getArgAttrDict(i));
    if (type) {
      parts = getPartTypes(type);
      attributes.back() = getPointerAttributes(func, i);
      attributes.resize(attributes.size() + parts.size() - 1);
    }
    SmallVector<Value> values;
    for (Type part : parts)
      values.push_back(entry.addArgument(part, argument.getLoc()));
    llvm::append_range(types, parts);
    Value replacement = values[0];
    if (type) {
      ValueRange range(values);
      replacement =
          buildMemRef(builder, converter, type, takeParts(type, range));
    }
    argument.replaceAllUsesWith(replacement);
  }
  entry.eraseArguments(0, count);
  func.setType(FunctionType::get(func.getContext(), types,
                                 func.getFunctionType().getResults()));
  for (DictionaryAttr &dictionary : attributes)
    if (!dictionary)
      dictionary = DictionaryAttr::get(func.getContext());
  func.setAllArgAttrs(attributes);
}

static void expandCall(func::CallOp call, const LLVMTypeConverter &converter) {
  ImplicitLocOpBuilder builder(call.getLoc(), call);
  SmallVector<Value> operands;
  for (Value operand : call.getOperands()) {
    if (isa<MemRefType>(operand.getType()))
      llvm::append_range(operands,
                         splitMemRef(builder, converter, operand).flatten());
    else
      operands.push_back(operand);
  }
  call.getOperandsMutable().assign(operands);
}

namespace {
struct ExpandMemRefArguments
    : bitnet::impl::ExpandMemRefArgumentsBase<ExpandMemRefArguments> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    LLVMTypeConverter converter(&getContext());
    llvm::DenseSet<StringRef> expanded;
    for (auto func : module.getOps<func::FuncOp>()) {
      if (!func.isPrivate() || func.isExternal())
        continue;
      expanded.insert(func.getName());
      expandSignature(func, converter);
    }
    module->walk([&](func::CallOp call) {
      if (expanded.contains(call.getCallee()))
        expandCall(call, converter);
    });
  }
};
} // namespace
