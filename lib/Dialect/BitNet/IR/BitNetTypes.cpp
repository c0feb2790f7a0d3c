//===- BitNetTypes.cpp - Element types of low-bit weights -----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/IR/BitNetTypes.h"

#include "bitnet/Dialect/BitNet/IR/BitNetDialect.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#define GET_TYPEDEF_CLASSES
#include "bitnet/Dialect/BitNet/IR/BitNetTypes.cpp.inc"

bool bitnet::isLowBitType(Type type) {
  return isa<TernaryType, BinaryType>(type);
}

unsigned bitnet::getCodeBitWidth(Type lowBitType) {
  return isa<BinaryType>(lowBitType) ? 1 : 2;
}

void bitnet::BitNetDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "bitnet/Dialect/BitNet/IR/BitNetTypes.cpp.inc"
      >();
}
