//===- CUDACode.cpp - PTX of kernels --------------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../GPU/LLVMKernels.h"

#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace bitnet;

/// The first driver that takes the version of PTX that LLVM writes for a chip.
static StringRef getDriver(StringRef chip) {
  return llvm::StringSwitch<StringRef>(chip)
      .Case("sm_80", "cuda11.0")
      .Case("sm_86", "cuda11.1")
      .Cases({"sm_89", "sm_90"}, "cuda11.8")
      .Case("sm_100", "cuda12.7")
      .Default("cuda12.8");
}

LogicalResult bitnet::emitCUDA(ModuleOp module, ArtifactVariant &variant,
                               std::string *assembly) {
  KernelBackend backend;
  auto convert = [](OpPassManager &kernels) {
    ConvertGpuOpsToNVVMOpsOptions options;
    options.indexBitwidth = 32;
    options.useBarePtrCallConv = true;
    kernels.addPass(createConvertGpuOpsToNVVMOps(options));
  };
  backend.convert = convert;
  variant.device = BN_DEVICE_CUDA;
  auto target = module->getAttrOfType<TargetAttr>("bitnet.target");
  variant.features = {target.getCpu().str(), getDriver(target.getCpu()).str()};
  return emitLLVMKernels(module, backend, variant, assembly);
}
