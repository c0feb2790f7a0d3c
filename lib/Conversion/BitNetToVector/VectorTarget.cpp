//===- VectorTarget.cpp - Vectors and dot products of the machine ---------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace bitnet;

int64_t VectorTarget::getVectorBits() const {
  if (has("avx512f") && has("avx512bw"))
    return 512;
  return has("avx2") ? 256 : 128;
}

int64_t VectorTarget::getRegisters() const { return has("avx512f") ? 32 : 16; }

bool VectorTarget::hasDot() const { return getDotKind(*this) != DotKind::None; }

DotKind bitnet::getDotKind(const VectorTarget &target) {
  if (target.has("avx512vnni") && target.has("avx512vl"))
    return DotKind::DotAccumulate;
  if (target.has("avxvnni") && target.getVectorBits() == 256)
    return DotKind::DotAccumulate;
  return target.has("ssse3") ? DotKind::MultiplyAddPairs : DotKind::None;
}

static Value callIntrinsic(KernelBuilder &b, StringRef name, Type result,
                           ValueRange operands) {
  return b
      .create<LLVM::CallIntrinsicOp>(result, b.getStringAttr(name), operands)
      .getResult(0);
}

static unsigned bitsOf(Value vector) {
  auto type = cast<VectorType>(vector.getType());
  return type.getNumElements() * type.getElementTypeBitWidth();
}

Value bitnet::emitDotAccumulate(KernelBuilder &b, Value accumulator,
                                Value codes, Value bytes) {
  std::string name =
      "llvm.x86.avx512.vpdpbusd." + std::to_string(bitsOf(codes));
  return callIntrinsic(b, name, accumulator.getType(),
                       {accumulator, codes, bytes});
}

Value bitnet::emitMultiplyAddPairs(KernelBuilder &b, Value codes, Value bytes) {
  unsigned bits = bitsOf(codes);
  StringRef name = bits == 512   ? "llvm.x86.avx512.pmaddubs.w.512"
                   : bits == 256 ? "llvm.x86.avx2.pmadd.ub.sw"
                                 : "llvm.x86.ssse3.pmadd.ub.sw.128";
  return callIntrinsic(b, name, b.vectorType(bits / 16, b.getI16Type()),
                       {codes, bytes});
}

Value bitnet::emitAddPairs(KernelBuilder &b, Value words) {
  unsigned bits = bitsOf(words);
  StringRef name = bits == 512   ? "llvm.x86.avx512.pmaddw.d.512"
                   : bits == 256 ? "llvm.x86.avx2.pmadd.wd"
                                 : "llvm.x86.sse2.pmadd.wd";
  Value ones = b.constantVector(bits / 16, b.getI16Type(), 1);
  return callIntrinsic(b, name, b.vectorType(bits / 32, b.getI32Type()),
                       {words, ones});
}
