//===- RawElements.h - The bytes of a constant ------------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_SUPPORT_RAWELEMENTS_H
#define BITNET_SUPPORT_RAWELEMENTS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace bitnet {

/// The raw bytes of a constant's elements, of either storage; a splat has those
/// of one element only. Empty where they cannot be had.
inline llvm::ArrayRef<char> getRawBytes(mlir::Attribute value) {
  if (auto dense = mlir::dyn_cast_or_null<mlir::DenseElementsAttr>(value))
    return dense.getRawData();
  if (auto resource =
          mlir::dyn_cast_or_null<mlir::DenseResourceElementsAttr>(value))
    if (mlir::AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      return blob->getData();
  return {};
}

} // namespace bitnet

#endif // BITNET_SUPPORT_RAWELEMENTS_H
