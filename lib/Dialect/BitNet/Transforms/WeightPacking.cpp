//===- WeightPacking.cpp - Codes of low-bit weights -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightPacking.h"
#include "bitnet/Support/RawElements.h"

using namespace mlir;
using namespace bitnet;

WeightReader::WeightReader(ConstantOp op) : data(getRawBytes(op.getValue())) {
  auto type = cast<RankedTensorType>(op.getType());
  numRows = type.getDimSize(0);
  numColumns = type.getDimSize(1);
  binary = isa<BinaryType>(type.getElementType());
}

void bitnet::packWeights(const WeightReader &weights, PackingAttr packing,
                         MutableArrayRef<char> bytes) {
  int64_t codeBits = packing.getCodeBits(), unit = packing.getUnit();
  int64_t tile = packing.getRows(), block = packing.getBlock();
  int64_t blocks = packing.getPaddedColumns(weights.columns()) / block;
  // Padding is the weight 0, or -1 where there is no 0; no activation other
  // than zero meets it.
  char padding = codeBits == 2 ? 0x55 : 0;
  std::fill(bytes.begin(), bytes.end(), padding);
  for (int64_t n = 0; n < weights.rows(); ++n) {
    for (int64_t k = 0; k < weights.columns(); ++k) {
      int64_t within = k % block, field = within / unit;
      int64_t offset =
          ((n / tile * blocks + k / block) * tile + n % tile) * unit +
          within % unit;
      int weight = weights.get(n, k);
      uint8_t code = codeBits == 2 ? weight + 1 : weight > 0;
      uint8_t mask = codeBits == 2 ? 3 : 1;
      uint8_t old = bytes[offset] & ~(mask << (field * codeBits));
      bytes[offset] = char(old | (code << (field * codeBits)));
    }
  }
}
