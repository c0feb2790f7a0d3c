//===- Passes.h - From kernels to SPIR-V ------------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_VULKAN_PASSES_H
#define BITNET_TARGET_VULKAN_PASSES_H

#include "mlir/Pass/Pass.h"

namespace bitnet {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "bitnet/Target/Vulkan/Passes.h.inc"

/// Adds the passes from the kernels of a module to SPIR-V modules.
void buildSPIRVPipeline(mlir::OpPassManager &manager);
} // namespace bitnet

#endif // BITNET_TARGET_VULKAN_PASSES_H
