//===- DeviceCode.cpp - Kernels of a module -------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/GPU/DeviceCode.h"

using namespace mlir;
using namespace bitnet;

SmallVector<gpu::GPUFuncOp> bitnet::getKernels(ModuleOp module) {
  SmallVector<gpu::GPUFuncOp> kernels;
  for (auto device : module.getOps<gpu::GPUModuleOp>())
    llvm::append_range(kernels, device.getOps<gpu::GPUFuncOp>());
  return kernels;
}

static bn_argument_kind getArgumentKind(Type type) {
  if (isa<MemRefType>(type))
    return BN_ARGUMENT_BUFFER;
  if (type.isF32())
    return BN_ARGUMENT_F32;
  // Indices of a device have 32 bits.
  return type.isInteger(64) ? BN_ARGUMENT_I64 : BN_ARGUMENT_I32;
}

ArtifactKernel bitnet::describeKernel(gpu::GPUFuncOp kernel) {
  ArtifactKernel described;
  described.name = kernel.getName().str();
  if (std::optional<ArrayRef<int32_t>> block = kernel.getKnownBlockSize())
    for (auto [extent, known] : llvm::zip(described.block, *block))
      extent = known;
  for (Type type : kernel.getArgumentTypes())
    described.arguments.push_back(getArgumentKind(type));
  return described;
}

OwningOpRef<ModuleOp> bitnet::cloneKernels(ArrayRef<gpu::GPUFuncOp> kernels,
                                           TargetAttr target) {
  MLIRContext *context = target.getContext();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  (*module)->setAttr("bitnet.target", target);
  OpBuilder builder(module->getBodyRegion());
  auto device = gpu::GPUModuleOp::create(builder, module->getLoc(), "kernels");
  builder.setInsertionPointToStart(device.getBody());
  for (gpu::GPUFuncOp kernel : kernels)
    builder.clone(*kernel);
  return module;
}
