//===- FlattenMemRefs.h - Device functions on plain buffers ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_CONVERSION_BITNETTOGPU_FLATTENMEMREFS_H
#define BITNET_LIB_CONVERSION_BITNETTOGPU_FLATTENMEMREFS_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace bitnet {

/// Gives a device function the arguments of the device interface: buffers, as
/// rank-1 memrefs of storage elements, and then scalars. `operands` are the
/// launch's, which `builder` stands before, and become those of the new
/// arguments. Fails with a diagnostic where an op has no form on plain buffers.
mlir::LogicalResult
flattenMemRefs(mlir::gpu::GPUFuncOp function, mlir::OpBuilder &builder,
               llvm::SmallVectorImpl<mlir::Value> &operands);

} // namespace bitnet

#endif // BITNET_LIB_CONVERSION_BITNETTOGPU_FLATTENMEMREFS_H
