//===- BitNetAttributes.h - Attributes of the bitnet dialect ----*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_DIALECT_BITNET_IR_BITNETATTRIBUTES_H
#define BITNET_DIALECT_BITNET_IR_BITNETATTRIBUTES_H

#include "mlir/IR/Attributes.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/TensorEncoding.h"

#include "bitnet/Dialect/BitNet/IR/BitNetEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "bitnet/Dialect/BitNet/IR/BitNetAttributes.h.inc"

#endif // BITNET_DIALECT_BITNET_IR_BITNETATTRIBUTES_H
