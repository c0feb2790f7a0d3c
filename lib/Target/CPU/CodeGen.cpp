//===- CodeGen.cpp - Objects from the LLVM dialect ------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/CPU/CodeGen.h"
#include "MachineCode.h"
#include "MemoryFunctions.h"
#include "bitnet/Target/CPU/CPUTarget.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// LLVM IR to machine code
//===----------------------------------------------------------------------===//

/// The functions of a C library that exist: those of MemoryFunctions.h.
static llvm::TargetLibraryInfoImpl getLibrary(const llvm::Module &module) {
  llvm::TargetLibraryInfoImpl library(module.getTargetTriple());
  library.disableAllFunctions();
  for (llvm::LibFunc function :
       {llvm::LibFunc_memcpy, llvm::LibFunc_memmove, llvm::LibFunc_memset})
    library.setAvailable(function);
  return library;
}

void bitnet::optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PipelineTuningOptions options;
  options.LoopVectorization = true;
  options.SLPVectorization = true;
  options.LoopInterleaving = true;
  options.LoopUnrolling = true;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, options);
  llvm::TargetLibraryInfoImpl library = getLibrary(module);
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
}

llvm::Error bitnet::emitMachineCode(llvm::Module &module,
                                    llvm::TargetMachine &machine,
                                    CodeGenOutput output,
                                    CodeGenBuffer &buffer) {
  llvm::raw_svector_ostream os(buffer);
  if (output == CodeGenOutput::LLVMIR) {
    module.print(os, nullptr);
    return llvm::Error::success();
  }
  llvm::legacy::PassManager passes;
  passes.add(new llvm::TargetLibraryInfoWrapperPass(getLibrary(module)));
  auto type = output == CodeGenOutput::Object
                  ? llvm::CodeGenFileType::ObjectFile
                  : llvm::CodeGenFileType::AssemblyFile;
  if (machine.addPassesToEmitFile(passes, os, nullptr, type))
    return llvm::createStringError("the target cannot emit this kind of file");
  passes.run(module);
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Variants
//===----------------------------------------------------------------------===//

SmallVector<std::string> bitnet::getEntryNames(ModuleOp module) {
  SmallVector<std::string> names;
  for (auto func : module.getOps<FunctionOpInterface>())
    if (func->hasAttr("bitnet.entry"))
      names.push_back(func.getName().str());
  return names;
}

std::string bitnet::getEntrySymbol(llvm::StringRef entry, TargetAttr variant) {
  return (entry + "." + variant.getName()).str();
}

/// Attributes of the target, and the least visibility that works.
static void setFunctionAttributes(llvm::Module &module, const CPUTarget &target,
                                  const llvm::TargetMachine &machine,
                                  ArrayRef<std::string> entries) {
  llvm::StringSet<> exported;
  for (const std::string &entry : entries)
    exported.insert(entry);
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("tune-cpu", target.getAttribute().getCpu());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
    function.addFnAttr("prefer-vector-width",
                       std::to_string(target.vectorBits()));
    if (target.has("sve")) // 128 to 2048 bits
      function.addFnAttr(
          llvm::Attribute::getWithVScaleRangeArgs(module.getContext(), 1, 16));
    function.addFnAttr(llvm::Attribute::NoUnwind);
    if (!exported.contains(function.getName())) {
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
      // Kernels are shared between calls; their callers are straight lines.
      function.addFnAttr(llvm::Attribute::NoInline);
      continue;
    }
    function.setName(getEntrySymbol(function.getName(), target.getAttribute()));
    function.setVisibility(llvm::GlobalValue::HiddenVisibility);
    function.setDSOLocal(true);
  }
}

/// An artifact imports nothing: whatever the object needs must be in it.
static llvm::Error checkSymbols(const CodeGenBuffer &buffer) {
  auto object = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(StringRef(buffer.data(), buffer.size()), "object"));
  if (!object)
    return object.takeError();
  SmallVector<std::string> missing;
  for (const llvm::object::SymbolRef &symbol : (*object)->symbols()) {
    auto flags = symbol.getFlags();
    auto name = symbol.getName();
    if (!flags || !name)
      return llvm::joinErrors(flags.takeError(), name.takeError());
    if ((*flags & llvm::object::SymbolRef::SF_Undefined) && !name->empty() &&
        *name != "_GLOBAL_OFFSET_TABLE_")
      missing.push_back(name->str());
  }
  if (missing.empty())
    return llvm::Error::success();
  return llvm::createStringError(
      "the generated code calls functions that an artifact does not have: " +
      llvm::join(missing, ", "));
}

FailureOr<VariantCode> bitnet::translateVariant(ModuleOp module) {
  CPUTarget target = CPUTarget::get(module);
  auto machine = target.createTargetMachine();
  if (!machine)
    return module.emitError(llvm::toString(machine.takeError()));
  VariantCode code;
  code.machine = std::move(*machine);
  code.machine->Options.FunctionSections = true;

  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  code.context = std::make_unique<llvm::LLVMContext>();
  code.module = translateModuleToLLVMIR(module, *code.context,
                                        target.getAttribute().getName());
  if (!code.module)
    return failure();
  code.module->setTargetTriple(code.machine->getTargetTriple());
  code.module->setDataLayout(code.machine->createDataLayout());
  defineMemoryFunctions(*code.module);
  setFunctionAttributes(*code.module, target, *code.machine,
                        getEntryNames(module));
  return code;
}

llvm::Error bitnet::generateCode(VariantCode &code, CodeGenOutput output,
                                 CodeGenBuffer &buffer) {
  optimize(*code.module, *code.machine);
  if (llvm::Error error =
          emitMachineCode(*code.module, *code.machine, output, buffer))
    return error;
  return output == CodeGenOutput::Object ? checkSymbols(buffer)
                                         : llvm::Error::success();
}

LogicalResult bitnet::emitVariant(ModuleOp module, CodeGenOutput output,
                                  CodeGenBuffer &buffer) {
  FailureOr<VariantCode> code = translateVariant(module);
  if (failed(code))
    return failure();
  if (llvm::Error error = generateCode(*code, output, buffer))
    return module.emitError(llvm::toString(std::move(error)));
  return success();
}
