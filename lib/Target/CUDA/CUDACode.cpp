//===- CUDACode.cpp - PTX of kernels --------------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../GPU/LLVMKernels.h"

#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"

using namespace mlir;
using namespace bitnet;

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
  variant.features = {target.getCpu().str()};
  return emitLLVMKernels(module, backend, variant, assembly);
}
