//===- Targets.cpp - CPUs and devices as variants of an artifact ----------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Pipelines/Targets.h"

#include "bitnet/Target/CPU/CPUTarget.h"
#include "bitnet/Target/GPU/DeviceCode.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;
using namespace bitnet;

llvm::Expected<SmallVector<TargetAttr>>
bitnet::parseTargets(MLIRContext *context, StringRef list) {
  SmallVector<StringRef> names, cpus;
  list.split(names, ',');
  SmallVector<TargetAttr> devices;
  for (StringRef name : names) {
    if (!isDeviceTargetName(name)) {
      cpus.push_back(name);
      continue;
    }
    llvm::Expected<TargetAttr> device = parseDeviceTarget(context, name);
    if (!device)
      return device.takeError();
    if (llvm::is_contained(devices, *device))
      return llvm::createStringError(llvm::Twine("target '") +
                                     device->getName() + "' is given twice");
    devices.push_back(*device);
  }
  sortTargets(devices, isBetterDeviceTarget);
  SmallVector<TargetAttr> targets;
  if (!cpus.empty()) {
    auto parsed = parseCPUTargets(context, llvm::join(cpus, ","));
    if (!parsed)
      return parsed.takeError();
    targets = std::move(*parsed);
  }
  for (TargetAttr cpu : targets)
    if (!devices.empty() && !llvm::Triple(cpu.getTriple()).isX86())
      return llvm::createStringError(llvm::Twine("target '") +
                                     devices.front().getName() +
                                     "' has its host code for x86-64 and "
                                     "cannot be in one artifact with '" +
                                     cpu.getName() + "'");
  llvm::append_range(targets, devices);
  return targets;
}

llvm::Expected<TargetAttr> bitnet::getHostTarget(TargetAttr variant) {
  if (!isDevice(variant))
    return variant;
  auto plain = parseCPUTargets(variant.getContext(), "x86-64");
  if (!plain)
    return plain.takeError();
  TargetAttr host = plain->front();
  return TargetAttr::get(variant.getContext(), variant.getName(),
                         host.getTriple(), host.getCpu(), host.getFeatures());
}

/// Kernels are named by launches until these become calls.
static void removeBodies(ModuleOp module) {
  for (gpu::GPUFuncOp kernel : getKernels(module)) {
    Block &body = kernel.getBody().front();
    while (!llvm::hasSingleElement(body))
      std::prev(body.end(), 2)->erase();
  }
}

FailureOr<ArtifactVariant> bitnet::emitDeviceCode(ModuleOp module,
                                                  TargetAttr variant,
                                                  std::string *assembly) {
  ArtifactVariant described;
  described.name = variant.getName().str();
  LogicalResult result = success();
  switch (getDeviceKind(variant)) {
  case DeviceKind::CPU:
    for (StringAttr feature : variant.getFeatures())
      described.features.push_back(feature.str());
    return described;
  case DeviceKind::Vulkan:
    result = emitVulkan(module, described, assembly);
    break;
  case DeviceKind::CUDA:
    result = emitCUDA(module, described, assembly);
    break;
  case DeviceKind::ROCm:
    result = emitROCm(module, described, assembly);
    break;
  }
  if (failed(result))
    return failure();
  removeBodies(module);
  llvm::Expected<TargetAttr> host = getHostTarget(variant);
  if (!host)
    return module.emitError(llvm::toString(host.takeError()));
  if (llvm::Error error = setTarget(module, *host))
    return module.emitError(llvm::toString(std::move(error)));
  return described;
}
