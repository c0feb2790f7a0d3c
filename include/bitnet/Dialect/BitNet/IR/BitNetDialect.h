//===- BitNetDialect.h - The bitnet dialect ---------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_BITNET_IR_BITNETDIALECT_H
#define BITNET_DIALECT_BITNET_IR_BITNETDIALECT_H

#include "mlir/IR/Dialect.h"

#include "bitnet/Dialect/BitNet/IR/BitNetDialect.h.inc"

#endif // BITNET_DIALECT_BITNET_IR_BITNETDIALECT_H
