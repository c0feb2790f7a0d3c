//===- BufferRoots.h - The allocations behind memrefs -----------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_DIALECT_BITNET_TRANSFORMS_BUFFERROOTS_H
#define BITNET_LIB_DIALECT_BITNET_TRANSFORMS_BUFFERROOTS_H

#include "mlir/IR/Value.h"

namespace bitnet {

/// The buffer that `memref` is a view of, through any number of views.
mlir::Value findBufferRoot(mlir::Value memref);

/// Two roots are known to be memory that does not overlap.
bool areDistinctRoots(mlir::Value a, mlir::Value b);

} // namespace bitnet

#endif // BITNET_LIB_DIALECT_BITNET_TRANSFORMS_BUFFERROOTS_H
