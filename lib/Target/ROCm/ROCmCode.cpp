//===- ROCmCode.cpp - Code objects of kernels -----------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../GPU/LLVMKernels.h"

#include "mlir/Conversion/GPUToROCDL/GPUToROCDLPass.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
using namespace bitnet;

/// A code object is a shared object of the device.
static llvm::Error linkCodeObject(std::string &object) {
  llvm::SmallString<128> path;
  if (std::error_code code =
          llvm::sys::fs::createTemporaryFile("bitnet", "hsaco", path))
    return llvm::createFileError("temporary file", code);
  llvm::scope_exit cleanUp([&] { llvm::sys::fs::remove(path); });
  if (llvm::Error error =
          linkSharedObject(llvm::MemoryBufferRef(object, "kernels"), path))
    return error;
  auto linked = llvm::MemoryBuffer::getFile(path);
  if (!linked)
    return llvm::createFileError(path, linked.getError());
  object = (*linked)->getBuffer().str();
  return llvm::Error::success();
}

LogicalResult bitnet::emitROCm(ModuleOp module, ArtifactVariant &variant,
                               std::string *assembly) {
  auto target = module->getAttrOfType<TargetAttr>("bitnet.target");
  KernelBackend backend;
  auto convert = [&](OpPassManager &kernels) {
    ConvertGpuOpsToROCDLOpsOptions options;
    options.chipset = target.getCpu().str();
    options.indexBitwidth = 64;
    options.useBarePtrCallConv = true;
    kernels.addPass(createConvertGpuOpsToROCDLOps(options));
  };
  backend.convert = convert;
  // Upstream's workgroup indices have no other width.
  backend.indexBits = 64;
  backend.output = CodeGenOutput::Object;
  variant.device = BN_DEVICE_ROCM;
  variant.features = {target.getCpu().str()};
  if (failed(emitLLVMKernels(module, backend, variant, assembly)))
    return failure();
  if (llvm::Error error = linkCodeObject(variant.codes.back()))
    return module.emitError(llvm::toString(std::move(error)));
  return success();
}
