//===- LLVMKernels.cpp - Kernels through LLVM's GPU back ends -------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LLVMKernels.h"

#include "../CPU/MachineCode.h"
#include "bitnet/Target/CPU/Passes.h"
#include "bitnet/Target/GPU/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/ROCDL/ROCDLToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace mlir;
using namespace bitnet;

void bitnet::registerKernelConversions(DialectRegistry &registry) {
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  index::registerConvertIndexToLLVMInterface(registry);
  registerConvertFuncToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  registerConvertNVVMToLLVMInterface(registry);
  ub::registerConvertUBToLLVMInterface(registry);
  vector::registerConvertVectorToLLVMInterface(registry);
}

static void buildPipeline(OpPassManager &manager,
                          const KernelBackend &backend) {
  manager.addPass(createExpandMath());
  manager.addPass(createLegalizeFloats());
  manager.addPass(createLowerAffinePass());
  manager.addPass(arith::createArithExpandOpsPass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addPass(createPrepareKernels());
  manager.addPass(createSCFToControlFlowPass());
  ConvertControlFlowToLLVMPassOptions branches;
  branches.indexBitwidth = backend.indexBits;
  manager.addPass(createConvertControlFlowToLLVMPass(branches));
  OpPassManager &kernels = manager.nest<gpu::GPUModuleOp>();
  backend.convert(kernels);
  kernels.addPass(createReconcileUnrealizedCastsPass());
}

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createMachine(TargetAttr target, StringRef features) {
  llvm::InitializeAllTargetInfos();
  llvm::InitializeAllTargets();
  llvm::InitializeAllTargetMCs();
  llvm::InitializeAllAsmPrinters();
  llvm::Triple triple(target.getTriple());
  std::string message;
  const llvm::Target *found =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!found)
    return llvm::createStringError(message);
  std::unique_ptr<llvm::TargetMachine> machine(found->createTargetMachine(
      triple, target.getCpu(), features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return llvm::createStringError(llvm::Twine("no code generator for ") +
                                   target.getTriple());
  return machine;
}

/// Devices have no library of functions.
static LogicalResult checkCalls(ModuleOp module, const llvm::Module &code) {
  for (const llvm::Function &function : code)
    if (function.isDeclaration() && !function.isIntrinsic() &&
        !function.use_empty())
      return module.emitError("a kernel needs the function '")
             << function.getName() << "', which no device has";
  return success();
}

static std::unique_ptr<llvm::Module> translate(ModuleOp device,
                                               llvm::LLVMContext &context) {
  MLIRContext &mlir = *device.getContext();
  registerBuiltinDialectTranslation(mlir);
  registerLLVMDialectTranslation(mlir);
  registerGPUDialectTranslation(mlir);
  registerNVVMDialectTranslation(mlir);
  registerROCDLDialectTranslation(mlir);
  return translateModuleToLLVMIR(*device.getOps<gpu::GPUModuleOp>().begin(),
                                 context, "kernels");
}

LogicalResult bitnet::emitLLVMKernels(ModuleOp module,
                                      const KernelBackend &backend,
                                      ArtifactVariant &variant,
                                      std::string *assembly) {
  auto target = module->getAttrOfType<TargetAttr>("bitnet.target");
  SmallVector<gpu::GPUFuncOp> kernels = getKernels(module);
  OwningOpRef<ModuleOp> device = cloneKernels(kernels, target);
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  buildPipeline(manager, backend);
  if (failed(manager.run(*device)))
    return failure();
  auto machine = createMachine(target, backend.features);
  if (!machine)
    return module.emitError(llvm::toString(machine.takeError()));
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code = translate(*device, context);
  if (!code)
    return failure();
  code->setTargetTriple((*machine)->getTargetTriple());
  code->setDataLayout((*machine)->createDataLayout());
  if (failed(checkCalls(module, *code)))
    return failure();
  optimize(*code, **machine);
  auto emit = [&](CodeGenOutput output, std::string &text) {
    std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*code);
    CodeGenBuffer buffer;
    llvm::Error error = emitMachineCode(*copy, **machine, output, buffer);
    text.assign(buffer.data(), buffer.size());
    return error;
  };
  llvm::Error error = emit(backend.output, variant.codes.emplace_back());
  if (!error && assembly)
    error = emit(CodeGenOutput::Assembly, *assembly);
  if (error)
    return module.emitError(llvm::toString(std::move(error)));
  for (gpu::GPUFuncOp kernel : kernels) {
    variant.kernels.push_back(describeKernel(kernel));
    variant.kernels.back().code = variant.codes.size() - 1;
  }
  return success();
}
