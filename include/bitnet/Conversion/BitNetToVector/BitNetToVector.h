//===- BitNetToVector.h - Loops of the bitnet dialect -------------*- C++
//-*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_CONVERSION_BITNETTOVECTOR_BITNETTOVECTOR_H
#define BITNET_CONVERSION_BITNETTOVECTOR_BITNETTOVECTOR_H

#include "bitnet/Dialect/BitNet/IR/BitNetAttributes.h"
#include "mlir/Pass/Pass.h"

namespace bitnet {
/// The unit of a packing that serves loops for all of these targets: the
/// variants of an artifact share its weights.
int64_t getPackingUnit(llvm::ArrayRef<TargetAttr> targets);

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "bitnet/Conversion/BitNetToVector/Passes.h.inc"
} // namespace bitnet

#endif // BITNET_CONVERSION_BITNETTOVECTOR_BITNETTOVECTOR_H
