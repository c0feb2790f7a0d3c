//===- FinishShaders.cpp - Decorations of SPIR-V modules ------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/Vulkan/Passes.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"

namespace bitnet {
#define GEN_PASS_DEF_FINISHSHADERS
#include "bitnet/Target/Vulkan/Passes.h.inc"
} // namespace bitnet

using namespace mlir;

namespace {
struct FinishShaders : bitnet::impl::FinishShadersBase<FinishShaders> {
  void runOnOperation() override {
    auto unit = UnitAttr::get(&getContext());
    getOperation().walk([&](Operation *op) {
      if (isa<spirv::FAddOp, spirv::FSubOp, spirv::FMulOp>(op))
        op->setAttr("no_contraction", unit);
      auto variable = dyn_cast<spirv::GlobalVariableOp>(op);
      if (!variable ||
          variable.storageClass() != spirv::StorageClass::PushConstant)
        return;
      variable.removeDescriptorSetAttr();
      variable.removeBindingAttr();
    });
  }
};
} // namespace
