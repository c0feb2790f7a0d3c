//===- MemoryFunctions.h - memcpy, memmove and memset of an artifact ------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_TARGET_CPU_MEMORYFUNCTIONS_H
#define BITNET_LIB_TARGET_CPU_MEMORYFUNCTIONS_H

#include "llvm/IR/Module.h"

namespace bitnet {

/// Defines the three functions that LLVM calls for moving and filling memory,
/// for the module alone. An artifact imports no C library that would have them.
void defineMemoryFunctions(llvm::Module &module);

} // namespace bitnet

#endif // BITNET_LIB_TARGET_CPU_MEMORYFUNCTIONS_H
