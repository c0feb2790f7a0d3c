//===- FieldReader.cpp - Unpacking codes of weights -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

/// Bytes by so many bits. Where the machine has no shifts of bytes, words are
/// shifted, and the upper bits are a neighbour's.
static Value shiftDown(KernelBuilder &b, const VectorTarget &target,
                       Value packed, int64_t amount) {
  int64_t bytes = cast<VectorType>(packed.getType()).getNumElements();
  if (target.hasByteShifts())
    return b.create<arith::ShRUIOp>(
        packed, b.constantVector(bytes, b.getI8Type(), amount));
  Value words = b.bitcast(packed, b.getI32Type());
  Value shifted = b.create<arith::ShRUIOp>(
      words, b.constantVector(bytes / 4, b.getI32Type(), amount));
  return b.bitcast(shifted, b.getI8Type());
}

Value bitnet::extractField(KernelBuilder &b, const VectorTarget &target,
                           Value weights, int64_t field, int64_t codeBits) {
  int64_t bytes = cast<VectorType>(weights.getType()).getNumElements();
  if (field)
    weights = ::shiftDown(b, target, weights, field * codeBits);
  if (field == 8 / codeBits - 1 && target.hasByteShifts())
    return weights;
  // The mask removes what crosses from the neighbour too.
  return b.create<arith::AndIOp>(
      weights, b.constantVector(bytes, b.getI8Type(), (1 << codeBits) - 1));
}

Value FieldReader::take(Value &packed, int64_t field) {
  if (scheme != PackingScheme::Base3)
    return extractField(b, target, packed, field,
                        scheme == PackingScheme::Planes2 ? 2 : 1);
  if (usesTables(field))
    return lookUp(packed, field);
  Value digit = takeDigit(packed, field);
  auto mask = [&](Value value, int64_t bits) -> Value {
    return b.create<arith::AndIOp>(value, bytes(value, bits));
  };
  auto atMost = [&](Value value, int64_t limit) -> Value {
    return b.create<arith::MinUIOp>(value, bytes(value, limit));
  };
  switch (field) {
  case 0: // Of 0, 84, 168 bits 2 and 3.
    return shiftDown(mask(digit, 12), 2);
  case 1: // Of 0, 28, 56 bits 2 and 5 are 0, 4, 32.
    return shiftDown(atMost(mask(digit, 36), 8), 2);
  case 2: // Of 0, 9, 18 bits 0 and 1.
    return mask(digit, 3);
  case 3: // Of 0, 3, 6 bits 0 and 2 are 0, 1, 4.
    return atMost(mask(digit, 5), 2);
  default:
    return digit;
  }
}

Value FieldReader::takeScaled(Value &packed, int64_t field) {
  int64_t scale = getScale(field);
  if (scheme == PackingScheme::Planes1 && field >= 4 && scale > 1)
    return b.create<arith::AndIOp>(shiftDown(packed, 4), bytes(packed, scale));
  if (scale == 1)
    return take(packed, field);
  if (scheme != PackingScheme::Base3) {
    int64_t largest = scheme == PackingScheme::Planes1 ? 1 : 3;
    return b.create<arith::AndIOp>(packed,
                                   bytes(packed, int8_t(largest * scale)));
  }
  if (!usesTables(field))
    return takeDigit(packed, field);
  Value multiples = lookUpMultiples(packed);
  return b.create<arith::AndIOp>(multiples,
                                 bytes(multiples, int8_t(3 * scale)));
}

int64_t FieldReader::getScale(int64_t field) const {
  int64_t largest = scheme == PackingScheme::Planes1 ? 1 : 2;
  int64_t scale = getPlainScale(field);
  bool fits = largest * scale < target.getCodeLimit();
  return fits && !target.hasPartialSums() ? scale : 1;
}

int64_t FieldReader::getPlainScale(int64_t field) const {
  // Bits of both halves of a byte have four scales, to spare accumulators.
  if (scheme == PackingScheme::Planes1)
    return int64_t(1) << field % 4;
  if (scheme == PackingScheme::Planes2)
    return int64_t(1) << 2 * field;
  if (!usesTables(field))
    return PackingAttr::getPlaceValues()[field];
  return field == 0 ? 64 : 1;
}

bool FieldReader::usesTables(int64_t field) const {
  switch (target.getLookupKind()) {
  case LookupKind::SixtyFour:
    return true;
  case LookupKind::Sixteen: // of the last two digits, which are below 9
    return field >= 3 && !target.isScalable();
  case LookupKind::None:
    return false;
  }
  llvm_unreachable("unknown kind of lookups");
}

Value FieldReader::takeDigit(Value &packed, int64_t field) {
  int64_t place = PackingAttr::getPlaceValues()[field];
  if (place == 1)
    return packed;
  // Of x, x - p and x - 2 p modulo 256, the least is x modulo p.
  Value once = b.create<arith::SubIOp>(packed, bytes(packed, place));
  Value twice =
      b.create<arith::SubIOp>(packed, bytes(packed, int8_t(2 * place)));
  Value rest =
      b.create<arith::MinUIOp>(packed, b.create<arith::MinUIOp>(once, twice));
  Value digit = b.create<arith::SubIOp>(packed, rest);
  packed = rest;
  return digit;
}

Value FieldReader::lookUp(Value &packed, int64_t field) {
  if (field >= 2) {
    int64_t place = PackingAttr::getPlaceValues()[field];
    return lookUp(packed, [&](int64_t rest) { return rest / place % 3; });
  }
  Value upper = shiftDown(packed, 2);
  // A multiple of 28 is one of 7 here.
  if (field == 0)
    return lookUp(upper, [](int64_t index) { return index / 21 % 3; });
  packed = b.create<arith::SubIOp>(packed, lookUpMultiples(packed));
  return lookUp(upper, [](int64_t index) { return index / 7 % 3; });
}

Value FieldReader::lookUpMultiples(Value packed) {
  return lookUp(shiftDown(packed, 2), [](int64_t index) {
    return index / 21 << 6 | (index / 7 * 28 & 63);
  });
}

Value FieldReader::lookUp(Value indices,
                          llvm::function_ref<int64_t(int64_t)> entry) {
  auto type = cast<VectorType>(indices.getType());
  int64_t size = target.getLookupKind() == LookupKind::SixtyFour ? 64 : 16;
  SmallVector<int8_t> table;
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    table.push_back(int8_t(entry(i % size)));
  Value constant = b.create<arith::ConstantOp>(
      DenseElementsAttr::get(type, ArrayRef(table)));
  return emitTableLookup(b, target, constant, indices);
}

Value FieldReader::shiftDown(Value packed, int64_t amount) {
  return ::shiftDown(b, target, packed, amount);
}

Value FieldReader::bytes(Value like, int64_t value) {
  int64_t count = cast<VectorType>(like.getType()).getNumElements();
  return b.constantVector(count, b.getI8Type(), value);
}
