//===- Dimensions.h - Named dimensions --*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_IMPORT_DIMENSIONS_H
#define BITNET_LIB_IMPORT_DIMENSIONS_H

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include <onnx/onnx_pb.h>

namespace bitnet::import {

/// The value of an expression of +, -, *, // and parentheses over numbers and
/// the names in `values`; nothing if it has other names or is none.
std::optional<int64_t>
evaluateDimension(llvm::StringRef expression,
                  const llvm::StringMap<int64_t> &values);

/// Gives named dimensions their values, in expressions too: with seq = 1,
/// `past + seq` becomes `past + 1`.
void fixDimensions(::onnx::GraphProto &graph,
                   const llvm::StringMap<int64_t> &values);

} // namespace bitnet::import

#endif // BITNET_LIB_IMPORT_DIMENSIONS_H
