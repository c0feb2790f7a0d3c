//===- VectorTarget.cpp - Vectors and products of bytes of the machine ----===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"
#include "bitnet/Conversion/BitNetToVector/BitNetToVector.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

int64_t VectorTarget::getVectorBits() const {
  if (has("avx512f") && has("avx512bw"))
    return 512;
  return has("avx2") ? 256 : 128;
}

int64_t VectorTarget::getRegisters() const {
  return has("avx512f") || has("neon") ? 32 : 16;
}

DotKind VectorTarget::getDotKind() const {
  if (scalable)
    return DotKind::DotSVE;
  if (has("dotprod"))
    return DotKind::DotNeon;
  if (has("neon"))
    return DotKind::PairsNeon;
  if (has("avx512vnni") && has("avx512vl"))
    return DotKind::DotX86;
  if (has("avxvnni") && getVectorBits() == 256)
    return DotKind::DotX86;
  return has("ssse3") ? DotKind::PairsX86 : DotKind::None;
}

int64_t bitnet::getPackingUnit(ArrayRef<TargetAttr> targets) {
  return llvm::any_of(targets,
                      [](TargetAttr target) {
                        return VectorTarget(target).hasMatrixProduct();
                      })
             ? 8
             : 4;
}

//===----------------------------------------------------------------------===//
// Products of bytes
//===----------------------------------------------------------------------===//

static Value callIntrinsic(KernelBuilder &b, const Twine &name, Type result,
                           ValueRange operands) {
  return b
      .create<LLVM::CallIntrinsicOp>(result, b.getStringAttr(name), operands)
      .getResult(0);
}

static unsigned bitsOf(Value vector) {
  auto type = cast<VectorType>(vector.getType());
  return type.getNumElements() * type.getElementTypeBitWidth();
}

/// The products of bytes, codes unsigned, summed in pairs to i16, saturating.
static Value multiplyPairsX86(KernelBuilder &b, Value codes, Value bytes) {
  unsigned bits = bitsOf(codes);
  StringRef name = bits == 512   ? "llvm.x86.avx512.pmaddubs.w.512"
                   : bits == 256 ? "llvm.x86.avx2.pmadd.ub.sw"
                                 : "llvm.x86.ssse3.pmadd.ub.sw.128";
  return callIntrinsic(b, name, b.vectorType(bits / 16, b.getI16Type()),
                       {codes, bytes});
}

/// The sums of neighbouring i16 as i32.
static Value addPairsX86(KernelBuilder &b, Value words) {
  unsigned bits = bitsOf(words);
  StringRef name = bits == 512   ? "llvm.x86.avx512.pmaddw.d.512"
                   : bits == 256 ? "llvm.x86.avx2.pmadd.wd"
                                 : "llvm.x86.sse2.pmadd.wd";
  Value ones = b.constantVector(bits / 16, b.getI16Type(), 1);
  return callIntrinsic(b, name, b.vectorType(bits / 32, b.getI32Type()),
                       {words, ones});
}

/// The products of the lower or upper halves, as i16.
static Value multiplyHalfNeon(KernelBuilder &b, Value codes, Value bytes,
                              int64_t half) {
  auto take = [&](Value vector) -> Value {
    return b.create<vector::ExtractStridedSliceOp>(
        vector, ArrayRef<int64_t>{8 * half}, ArrayRef<int64_t>{8},
        ArrayRef<int64_t>{1});
  };
  return callIntrinsic(b, "llvm.aarch64.neon.smull.v8i16",
                       b.vectorType(8, b.getI16Type()),
                       {take(codes), take(bytes)});
}

/// The sums of neighbours of both halves, as i32.
static Value addPairsNeon(KernelBuilder &b, Value low, Value high) {
  Value words = callIntrinsic(b, "llvm.aarch64.neon.addp.v8i16",
                              b.vectorType(8, b.getI16Type()), {low, high});
  return callIntrinsic(b, "llvm.aarch64.neon.saddlp.v4i32.v8i16",
                       b.vectorType(4, b.getI32Type()), words);
}

void bitnet::emitDot(KernelBuilder &b, DotKind kind, Value &sum,
                     PartialSums &partial, Value codes, Value bytes) {
  auto accumulate = [&](const Twine &name) {
    sum = callIntrinsic(b, name, sum.getType(), {sum, codes, bytes});
  };
  SmallVector<Value, 2> products;
  switch (kind) {
  case DotKind::None:
    llvm_unreachable("a target without products of bytes");
  case DotKind::DotX86:
    return accumulate("llvm.x86.avx512.vpdpbusd." + Twine(bitsOf(codes)));
  case DotKind::DotNeon:
    return accumulate("llvm.aarch64.neon.sdot.v4i32.v16i8");
  case DotKind::DotSVE:
    return accumulate("llvm.aarch64.sve.sdot.nxv4i32");
  case DotKind::PairsX86:
    products = {multiplyPairsX86(b, codes, bytes)};
    break;
  case DotKind::PairsNeon:
    products = {multiplyHalfNeon(b, codes, bytes, 0),
                multiplyHalfNeon(b, codes, bytes, 1)};
    break;
  }
  if (partial.empty()) {
    partial = products;
    return;
  }
  for (auto [part, product] : llvm::zip(partial, products))
    part = b.create<arith::AddIOp>(part, product);
}

Value bitnet::emitWiden(KernelBuilder &b, Value sum,
                        const PartialSums &partial) {
  if (partial.empty())
    return sum;
  Value wide = partial.size() == 1 ? addPairsX86(b, partial[0])
                                   : addPairsNeon(b, partial[0], partial[1]);
  return b.create<arith::AddIOp>(sum, wide);
}

Value bitnet::emitMatrixProduct(KernelBuilder &b, Value sum, Value lhs,
                                Value rhs) {
  return callIntrinsic(b, "llvm.aarch64.neon.smmla.v4i32.v16i8", sum.getType(),
                       {sum, lhs, rhs});
}
