//===- TableLookup.cpp - Byte shuffles and bit counts of the machine ------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace bitnet;

LookupKind VectorTarget::getLookupKind() const {
  // A table of 64 is summed by dot products.
  if (has("avx512vbmi") && getVectorBits() == 512 && hasDot())
    return LookupKind::SixtyFour;
  return has("ssse3") || has("neon") ? LookupKind::Sixteen : LookupKind::None;
}

Value bitnet::emitTableLookup(KernelBuilder &b, const VectorTarget &target,
                              Value table, Value indices) {
  int64_t bytes = cast<VectorType>(indices.getType()).getNumElements();
  StringRef name = target.getLookupKind() == LookupKind::SixtyFour
                       ? "llvm.x86.avx512.permvar.qi.512"
                   : target.has("neon") ? "llvm.aarch64.neon.tbl1.v16i8"
                   : bytes == 64        ? "llvm.x86.avx512.pshuf.b.512"
                   : bytes == 32        ? "llvm.x86.avx2.pshuf.b"
                                        : "llvm.x86.ssse3.pshuf.b.128";
  return b
      .create<LLVM::CallIntrinsicOp>(indices.getType(), b.getStringAttr(name),
                                     ValueRange{table, indices})
      .getResult(0);
}

Value bitnet::emitBitCount(KernelBuilder &b, const VectorTarget &target,
                           Value accumulator, Value bits) {
  auto count = [&](Value vector) -> Value {
    return b.create<LLVM::CtPopOp>(vector.getType(), vector);
  };
  DotKind kind = target.getDotKind();
  bool whole = kind == DotKind::None || kind == DotKind::PairsNeon ||
               target.has("avx512vpopcntdq");
  if (whole)
    return b.create<arith::AddIOp>(accumulator, count(bits));
  // LLVM counts the bits of bytes by table or instruction; adding up a lane's
  // four is what a dot product does best.
  Value bytes = count(b.bitcast(bits, b.getI8Type()));
  int64_t lanes = cast<VectorType>(bytes.getType()).getNumElements();
  PartialSums partial;
  emitDot(b, kind, accumulator, partial, bytes,
          b.constantVector(lanes, b.getI8Type(), 1));
  return emitWiden(b, accumulator, partial);
}
