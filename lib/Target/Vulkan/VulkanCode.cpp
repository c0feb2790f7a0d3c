//===- VulkanCode.cpp - SPIR-V modules of kernels -------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/CPU/Passes.h"
#include "bitnet/Target/GPU/DeviceCode.h"
#include "bitnet/Target/GPU/DeviceTarget.h"
#include "bitnet/Target/Vulkan/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/SPIRV/Serialization.h"
#include "mlir/Transforms/Passes.h"
#include <set>

using namespace mlir;
using namespace bitnet;

void bitnet::buildSPIRVPipeline(OpPassManager &manager) {
  manager.addPass(createExpandMath());
  manager.addPass(createLegalizeFloats());
  manager.addPass(createLowerAffinePass());
  manager.addPass(arith::createArithExpandOpsPass());
  manager.addPass(createPrepareShaders());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addPass(createConvertKernelsToSPIRV());
  OpPassManager &shaders = manager.nest<spirv::ModuleOp>();
  shaders.addPass(spirv::createSPIRVLowerABIAttributesPass());
  shaders.addPass(spirv::createSPIRVUpdateVCEPass());
  manager.addPass(createFinishShaders());
}

/// The words of the runtime for what a shader asks of a device.
static void addFeatures(spirv::ModuleOp shader, const ArtifactKernel &kernel,
                        std::set<std::string> &features) {
  using spirv::Capability;
  static constexpr std::pair<Capability, llvm::StringLiteral> words[] = {
      {Capability::Int8, "int8"},
      {Capability::Int16, "int16"},
      {Capability::Int64, "int64"},
      {Capability::Float64, "float64"},
      {Capability::StorageBuffer8BitAccess, "storage8bit"},
      {Capability::StorageBuffer16BitAccess, "storage16bit"}};
  features.insert("vulkan1.2");
  if (std::optional<spirv::VerCapExtAttr> triple = shader.getVceTriple())
    for (Capability capability : triple->getCapabilities())
      for (auto [known, word] : words)
        if (known == capability)
          features.insert(word.str());
  // 128 threads are what every device has.
  uint32_t threads = kernel.block[0] * kernel.block[1] * kernel.block[2];
  if (threads > 128)
    features.insert("workgroup:" + std::to_string(threads));
}

/// Bytes of a storage buffer that every device can bind.
static constexpr int64_t everyRange = 1 << 27;

/// The largest buffer of known size that a launch passes. Of the others the
/// entry asks the device (check_buffer).
static int64_t getLargestBuffer(ModuleOp module) {
  int64_t largest = 0;
  module.walk([&](gpu::LaunchFuncOp launch) {
    for (Value operand : launch.getKernelOperands()) {
      auto cast = operand.getDefiningOp<UnrealizedConversionCastOp>();
      auto type = dyn_cast<MemRefType>(cast ? cast.getOperand(0).getType()
                                            : operand.getType());
      if (!type || !type.getElementType().isIntOrIndexOrFloat())
        continue;
      Type element = type.getElementType();
      int64_t bits = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
      if (std::optional<int64_t> reach = getStaticReach(type))
        largest =
            std::max(largest, *reach * int64_t(llvm::divideCeil(bits, 8)));
    }
  });
  return largest;
}

static std::string toBytes(ArrayRef<uint32_t> words) {
  return std::string(reinterpret_cast<const char *>(words.data()),
                     words.size() * sizeof(uint32_t));
}

LogicalResult bitnet::emitVulkan(ModuleOp module, ArtifactVariant &variant,
                                 std::string *assembly) {
  SmallVector<gpu::GPUFuncOp> kernels = getKernels(module);
  OwningOpRef<ModuleOp> device =
      cloneKernels(kernels, module->getAttrOfType<TargetAttr>("bitnet.target"));
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  buildSPIRVPipeline(manager);
  if (failed(manager.run(*device)))
    return failure();
  if (assembly) {
    llvm::raw_string_ostream os(*assembly);
    device->print(os);
  }
  SmallVector<spirv::ModuleOp> shaders(device->getOps<spirv::ModuleOp>());
  std::set<std::string> features;
  for (auto [kernel, shader] : llvm::zip_equal(kernels, shaders)) {
    ArtifactKernel &described =
        variant.kernels.emplace_back(describeKernel(kernel));
    described.code = variant.codes.size();
    SmallVector<uint32_t> binary;
    if (failed(spirv::serialize(shader, binary)))
      return kernel.emitOpError("has no SPIR-V form");
    variant.codes.push_back(toBytes(binary));
    addFeatures(shader, described, features);
  }
  if (int64_t bytes = getLargestBuffer(module); bytes > everyRange)
    features.insert("bufferbytes:" + std::to_string(bytes));
  variant.device = BN_DEVICE_VULKAN;
  variant.features.assign(features.begin(), features.end());
  return success();
}
