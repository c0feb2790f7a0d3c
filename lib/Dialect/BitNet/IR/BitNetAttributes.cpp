//===- BitNetAttributes.cpp - Attributes of the bitnet dialect ------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/BitNet/IR/BitNetAttributes.h"

#include "bitnet/Dialect/BitNet/IR/BitNetDialect.h"
#include "bitnet/Dialect/BitNet/IR/BitNetTypes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace bitnet;

#include "bitnet/Dialect/BitNet/IR/BitNetEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "bitnet/Dialect/BitNet/IR/BitNetAttributes.cpp.inc"

void BitNetDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "bitnet/Dialect/BitNet/IR/BitNetAttributes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// PackingAttr
//===----------------------------------------------------------------------===//

/// A tile of more rows than this is a mistake; it also keeps sizes in range.
static constexpr int64_t kMaxTileRows = 4096;

LogicalResult PackingAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  PackingScheme scheme, int64_t rows,
                                  int64_t unit) {
  if (rows < 1 || rows > kMaxTileRows)
    return emitError() << "expected between 1 and " << kMaxTileRows
                       << " rows in a tile, got " << rows;
  if (unit != 4 && unit != 8)
    return emitError() << "expected a unit of 4 or 8 bytes, got " << unit;
  return success();
}

int64_t PackingAttr::getCodeBits() const {
  return getScheme() == PackingScheme::Planes1 ? 1 : 2;
}

int64_t PackingAttr::getFields() const {
  return getScheme() == PackingScheme::Base3 ? 5 : 8 / getCodeBits();
}

ArrayRef<int64_t> PackingAttr::getPlaceValues() {
  static constexpr int64_t values[] = {84, 28, 9, 3, 1};
  return values;
}

int64_t PackingAttr::getPaddedRows(int64_t n) const {
  return llvm::divideCeil(n, getRows()) * getRows();
}

int64_t PackingAttr::getPaddedColumns(int64_t k) const {
  return llvm::divideCeil(k, getBlock()) * getBlock();
}

int64_t PackingAttr::getByteSize(int64_t n, int64_t k) const {
  return getPaddedRows(n) * (getPaddedColumns(k) / getBlock()) * getUnit();
}

LogicalResult PackingAttr::verifyEncoding(
    ArrayRef<int64_t> shape, Type elementType,
    function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != 2)
    return emitError() << "a packing needs a tensor of rank 2, got rank "
                       << shape.size();
  if (llvm::any_of(shape, ShapedType::isDynamic))
    return emitError() << "a packing needs static extents";
  bool fits =
      getScheme() == PackingScheme::Base3     ? isa<TernaryType>(elementType)
      : getScheme() == PackingScheme::Planes1 ? isa<BinaryType>(elementType)
                                              : isLowBitType(elementType);
  if (!fits)
    return emitError() << "packing " << stringifyPackingScheme(getScheme())
                       << " does not hold elements of type " << elementType;
  return success();
}

//===----------------------------------------------------------------------===//
// TargetAttr
//===----------------------------------------------------------------------===//

bool TargetAttr::hasFeature(StringRef feature) const {
  return llvm::any_of(getFeatures(), [&](StringAttr each) {
    return each.getValue() == feature;
  });
}
