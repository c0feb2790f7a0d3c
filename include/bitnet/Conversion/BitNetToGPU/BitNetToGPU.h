//===- BitNetToGPU.h - Kernels of a GPU -------------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_CONVERSION_BITNETTOGPU_BITNETTOGPU_H
#define BITNET_CONVERSION_BITNETTOGPU_BITNETTOGPU_H

#include "mlir/Pass/Pass.h"

namespace bitnet {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "bitnet/Conversion/BitNetToGPU/Passes.h.inc"
} // namespace bitnet

#endif // BITNET_CONVERSION_BITNETTOGPU_BITNETTOGPU_H
