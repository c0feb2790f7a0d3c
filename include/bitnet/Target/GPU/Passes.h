//===- Passes.h - From kernels to LLVM's GPU back ends ----------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_GPU_PASSES_H
#define BITNET_TARGET_GPU_PASSES_H

#include "mlir/Pass/Pass.h"

namespace bitnet {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "bitnet/Target/GPU/Passes.h.inc"
} // namespace bitnet

#endif // BITNET_TARGET_GPU_PASSES_H
