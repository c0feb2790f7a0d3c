//===- ConvertKernelsToSPIRV.cpp - Device functions to SPIR-V -------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/Vulkan/Passes.h"

#include "mlir/Conversion/ArithToSPIRV/ArithToSPIRV.h"
#include "mlir/Conversion/FuncToSPIRV/FuncToSPIRV.h"
#include "mlir/Conversion/GPUToSPIRV/GPUToSPIRV.h"
#include "mlir/Conversion/MathToSPIRV/MathToSPIRV.h"
#include "mlir/Conversion/MemRefToSPIRV/MemRefToSPIRV.h"
#include "mlir/Conversion/SCFToSPIRV/SCFToSPIRV.h"
#include "mlir/Conversion/UBToSPIRV/UBToSPIRV.h"
#include "mlir/Conversion/VectorToSPIRV/VectorToSPIRV.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/SPIRV/Transforms/SPIRVConversion.h"

namespace bitnet {
#define GEN_PASS_DEF_CONVERTKERNELSTOSPIRV
#include "bitnet/Target/Vulkan/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

/// What kernels may use; a module ends up asking for what it does use.
static spirv::TargetEnvAttr getEnvironment(MLIRContext *context) {
  using spirv::Capability;
  using spirv::Extension;
  auto triple = spirv::VerCapExtAttr::get(
      spirv::Version::V_1_3,
      {Capability::Shader, Capability::Int8, Capability::Int16,
       Capability::Int64, Capability::Float64,
       Capability::StorageBuffer8BitAccess,
       Capability::StorageBuffer16BitAccess},
      {Extension::SPV_KHR_storage_buffer_storage_class,
       Extension::SPV_KHR_8bit_storage, Extension::SPV_KHR_16bit_storage},
      context);
  return spirv::TargetEnvAttr::get(
      triple, spirv::getDefaultResourceLimits(context),
      spirv::ClientAPI::Vulkan, spirv::Vendor::Unknown,
      spirv::DeviceType::Unknown, spirv::TargetEnvAttr::kUnknownDeviceID);
}

namespace {
struct ConvertKernelsToSPIRV
    : bitnet::impl::ConvertKernelsToSPIRVBase<ConvertKernelsToSPIRV> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    spirv::TargetEnvAttr environment = getEnvironment(context);
    getOperation()->setAttr(spirv::getTargetEnvAttrName(), environment);
    std::unique_ptr<ConversionTarget> target =
        SPIRVConversionTarget::get(environment);
    target->addLegalOp<ModuleOp>();
    SPIRVConversionOptions options;
    SPIRVTypeConverter converter(environment, options);
    ScfToSPIRVContext structured;
    RewritePatternSet patterns(context);
    populateGPUToSPIRVPatterns(converter, patterns);
    populateSCFToSPIRVPatterns(converter, structured, patterns);
    arith::populateArithToSPIRVPatterns(converter, patterns);
    populateMathToSPIRVPatterns(converter, patterns);
    populateMemRefToSPIRVPatterns(converter, patterns);
    populateFuncToSPIRVPatterns(converter, patterns);
    populateVectorToSPIRVPatterns(converter, patterns);
    ub::populateUBToSPIRVConversionPatterns(converter, patterns);
    SmallVector<Operation *> kernels;
    for (auto device : getOperation().getOps<gpu::GPUModuleOp>())
      kernels.push_back(device);
    if (failed(applyFullConversion(kernels, *target, std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
