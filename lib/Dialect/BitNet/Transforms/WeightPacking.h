//===- WeightPacking.h - Codes of low-bit weights ---------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_LIB_DIALECT_BITNET_TRANSFORMS_WEIGHTPACKING_H
#define BITNET_LIB_DIALECT_BITNET_TRANSFORMS_WEIGHTPACKING_H

#include "bitnet/Dialect/BitNet/IR/BitNetOps.h"

namespace bitnet {

/// Reads the weights of a bitnet.constant: row-major codes of 2 bits (ternary)
/// or 1 bit (binary), the lowest first.
class WeightReader {
public:
  explicit WeightReader(ConstantOp op);

  int64_t rows() const { return numRows; }
  int64_t columns() const { return numColumns; }
  /// 32 bits of codes of `codeBits` from a weight on, the first lowest; where
  /// the row ends before, padding. 2 bits hold any weight, 1 bit binary ones.
  uint32_t getWord(int64_t row, int64_t column, int64_t codeBits) const;

private:
  /// The 32 bits of the blob from the element `index` on.
  uint32_t readBits(int64_t index) const;

  llvm::ArrayRef<char> data;
  int64_t numRows, numColumns;
  bool binary;
};

/// The bytes of the weights in a packing, `packing.getByteSize(rows, columns)`
/// of them. The layouts are described at #bitnet.packing.
void packWeights(const WeightReader &weights, PackingAttr packing,
                 llvm::MutableArrayRef<char> bytes);

} // namespace bitnet

#endif // BITNET_LIB_DIALECT_BITNET_TRANSFORMS_WEIGHTPACKING_H
