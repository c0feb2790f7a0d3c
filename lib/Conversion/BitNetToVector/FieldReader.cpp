//===- FieldReader.cpp - Unpacking codes of weights -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

Value bitnet::extractField(KernelBuilder &b, const VectorTarget &target,
                           Value weights, int64_t field, int64_t codeBits) {
  int64_t bytes = cast<VectorType>(weights.getType()).getNumElements();
  Type byte = b.getI8Type();
  if (field && target.hasByteShifts()) {
    weights = b.create<arith::ShRUIOp>(
        weights, b.constantVector(bytes, byte, field * codeBits));
    if (field == 8 / codeBits - 1)
      return weights;
  } else if (field) {
    // Shifted as words: there are no shifts of bytes, and the mask removes what
    // crosses from the neighbour.
    Value words = b.bitcast(weights, b.getI32Type());
    Value amount =
        b.constantVector(bytes / 4, b.getI32Type(), field * codeBits);
    weights = b.bitcast(b.create<arith::ShRUIOp>(words, amount), byte);
  }
  return b.create<arith::AndIOp>(
      weights, b.constantVector(bytes, byte, (1 << codeBits) - 1));
}

static constexpr int64_t powersOf3[] = {81, 27, 9, 3, 1};

Value FieldReader::take(Value &packed, int64_t field) {
  if (scheme != PackingScheme::Base3)
    return extractField(b, target, packed, field,
                        scheme == PackingScheme::Planes2 ? 2 : 1);
  if (usesTable(field))
    return extractField(b, target, packed, field - 1, 2);
  Value digit = takeDigit(packed, field);
  if (field == 4)
    return digit;
  // Of 0, 81, 162 and 0, 9, 18 the lowest bits are the code.
  if (field % 2 == 0)
    return b.create<arith::AndIOp>(digit, bytes(digit, 3));
  // Of 0, 27, 54 and 0, 3, 6 bits 0 and 2 are 0, 1, 4.
  Value bits = b.create<arith::AndIOp>(digit, bytes(digit, 5));
  return b.create<arith::MinUIOp>(bits, bytes(bits, 2));
}

Value FieldReader::takeScaled(Value &packed, int64_t field) {
  if (getScale(field) == 1)
    return take(packed, field);
  if (scheme == PackingScheme::Base3 && !usesTable(field))
    return takeDigit(packed, field);
  int64_t largest = scheme == PackingScheme::Planes1 ? 1 : 3;
  return b.create<arith::AndIOp>(
      packed, bytes(packed, int8_t(largest * getScale(field))));
}

int64_t FieldReader::getScale(int64_t field) const {
  int64_t largest = scheme == PackingScheme::Planes1 ? 1 : 2;
  int64_t scale = getPlainScale(field);
  bool fits = largest * scale < target.getCodeLimit();
  return fits && !target.hasPartialSums() ? scale : 1;
}

int64_t FieldReader::getPlainScale(int64_t field) const {
  if (scheme != PackingScheme::Base3)
    return int64_t(1) << (scheme == PackingScheme::Planes2 ? 2 * field : field);
  return usesTable(field) ? int64_t(1) << (2 * (field - 1)) : powersOf3[field];
}

bool FieldReader::usesTable(int64_t field) const {
  return field > 0 && target.has("avx512vbmi") && target.getVectorBits() == 512;
}

Value FieldReader::takeDigit(Value &packed, int64_t field) {
  if (field == 4)
    return packed;
  // Of x, x - p and x - 2 p modulo 256, the least is x modulo p.
  int64_t power = powersOf3[field];
  Value once = b.create<arith::SubIOp>(packed, bytes(packed, power));
  Value twice =
      b.create<arith::SubIOp>(packed, bytes(packed, int8_t(2 * power)));
  Value rest =
      b.create<arith::MinUIOp>(packed, b.create<arith::MinUIOp>(once, twice));
  Value digit = b.create<arith::SubIOp>(packed, rest);
  packed = rest;
  if (!usesTable(field + 1))
    return digit;
  // Four digits to base 3 as four fields of two bits.
  SmallVector<int8_t> table(128);
  for (int64_t entry = 0; entry < 81; ++entry)
    table[entry] = int8_t(entry / 27 | entry / 9 % 3 << 2 | entry / 3 % 3 << 4 |
                          entry % 3 << 6);
  auto type = cast<VectorType>(packed.getType());
  auto half = [&](int64_t first) {
    return b.create<arith::ConstantOp>(
        DenseElementsAttr::get(type, ArrayRef(table).slice(first, 64)));
  };
  packed = emitTableLookup(b, half(0), half(64), packed);
  return digit;
}

Value FieldReader::bytes(Value like, int64_t value) {
  int64_t count = cast<VectorType>(like.getType()).getNumElements();
  return b.constantVector(count, b.getI8Type(), value);
}
