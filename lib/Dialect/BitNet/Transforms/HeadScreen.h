//===- HeadScreen.h - A low-bit copy of a head's weights --------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_DIALECT_BITNET_TRANSFORMS_HEADSCREEN_H
#define BITNET_LIB_DIALECT_BITNET_TRANSFORMS_HEADSCREEN_H

#include "mlir/IR/BuiltinAttributes.h"

namespace bitnet {

/// The constants of a bitnet.top_logits, which documents them.
struct HeadScreen {
  mlir::ElementsAttr high, low, scale, bounds;
};

/// The screen of weights `[V, K]` of f32, f16 or bf16; none where their bytes
/// are not at hand.
std::optional<HeadScreen> makeHeadScreen(mlir::ElementsAttr weights);

} // namespace bitnet

#endif // BITNET_LIB_DIALECT_BITNET_TRANSFORMS_HEADSCREEN_H
