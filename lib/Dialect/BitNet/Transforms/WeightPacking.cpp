//===- WeightPacking.cpp - Codes of low-bit weights -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightPacking.h"
#include "bitnet/Support/RawElements.h"
#include "llvm/Support/Endian.h"

#include <cstring>

using namespace mlir;
using namespace bitnet;

/// 16 codes of 1 bit, (w + 1) / 2, as codes of 2 bits, w + 1.
static uint32_t spreadBits(uint32_t word) {
  uint32_t result = 0;
  for (int i = 0; i < 16; ++i)
    result |= ((word >> i) & 1) << (2 * i + 1);
  return result;
}

WeightReader::WeightReader(ConstantOp op) : data(getRawBytes(op.getValue())) {
  auto type = cast<RankedTensorType>(op.getType());
  numRows = type.getDimSize(0);
  numColumns = type.getDimSize(1);
  binary = isa<BinaryType>(type.getElementType());
}

uint32_t WeightReader::getWord(int64_t row, int64_t column,
                               int64_t codeBits) const {
  // Padding is the weight 0, or -1 where there is no 0; no activation other
  // than zero meets it.
  uint32_t padding = codeBits == 2 ? 0x55555555 : 0;
  int64_t left = numColumns - column;
  if (left <= 0)
    return padding;
  uint32_t word = readBits(row * numColumns + column);
  if (binary && codeBits == 2)
    word = spreadBits(word);
  if (left * codeBits >= 32)
    return word;
  uint32_t mask = (1u << (left * codeBits)) - 1;
  return (word & mask) | (padding & ~mask);
}

uint32_t WeightReader::readBits(int64_t index) const {
  int64_t bit = index * (binary ? 1 : 2);
  // Rows are not padded: a word may begin within a byte, and at the end lack
  // some.
  uint64_t word = 0;
  size_t count = std::min<size_t>(5, data.size() - bit / 8);
  std::memcpy(&word, data.data() + bit / 8, count);
  return llvm::support::endian::byte_swap<uint64_t>(word,
                                                    llvm::endianness::little) >>
         (bit % 8);
}

/// Codes of 2 bits, of which the one at 4 * i + j moves to 4 * j + i: a 4 x 4
/// matrix transposed by exchanging pairs of elements, then pairs of pairs.
static uint32_t transposeQuads(uint32_t word) {
  uint32_t change = ((word >> 6) ^ word) & 0x00cc00cc;
  word ^= change ^ (change << 6);
  change = ((word >> 12) ^ word) & 0x0000f0f0;
  return word ^ change ^ (change << 12);
}

/// Bit 4 * i + j moves to 8 * j + i.
static uint32_t gatherFourths(uint32_t word) {
  uint32_t result = 0;
  for (int j = 0; j < 4; ++j)
    for (int i = 0; i < 8; ++i)
      result |= ((word >> (4 * i + j)) & 1) << (8 * j + i);
  return result;
}

/// Of the codes of a row's block, every `units`-th run of four, from run `part`
/// on.
static uint32_t pickRuns(uint64_t codes, int64_t units, int64_t part,
                         int64_t codeBits) {
  if (units == 1)
    return uint32_t(codes);
  int64_t bits = 4 * codeBits;
  uint32_t result = 0;
  for (int64_t field = 0; field < 8 / codeBits; ++field) {
    uint64_t run = codes >> ((field * units + part) * bits);
    result |= uint32_t(run & ((1u << bits) - 1)) << (field * bits);
  }
  return result;
}

/// Writes the words of a row's block, which begins at `column`.
using PackBlock = void (*)(const WeightReader &weights, PackingAttr packing,
                           int64_t row, int64_t column,
                           MutableArrayRef<uint32_t> words);

static void packPlanes(const WeightReader &weights, PackingAttr packing,
                       int64_t row, int64_t column,
                       MutableArrayRef<uint32_t> words) {
  int64_t codeBits = packing.getCodeBits(), units = words.size();
  uint64_t codes = weights.getWord(row, column, codeBits);
  if (units == 2)
    codes |= uint64_t(weights.getWord(row, column + packing.getBlock() / 2,
                                      codeBits))
             << 32;
  for (auto [part, word] : llvm::enumerate(words)) {
    uint32_t runs = pickRuns(codes, units, part, codeBits);
    word = codeBits == 2 ? transposeQuads(runs) : gatherFourths(runs);
  }
}

static void packBase3(const WeightReader &weights, PackingAttr packing,
                      int64_t row, int64_t column,
                      MutableArrayRef<uint32_t> words) {
  for (auto [part, word] : llvm::enumerate(words)) {
    word = 0;
    // Four numbers at once: none exceeds its byte.
    for (auto [field, place] : llvm::enumerate(PackingAttr::getPlaceValues())) {
      uint32_t run = weights.getWord(
          row, column + field * packing.getUnit() + 4 * part, /*codeBits=*/2);
      uint32_t digits = (run & 3) | (run & 0xc) << 6 | (run & 0x30) << 12 |
                        (run & 0xc0) << 18;
      word += uint32_t(place) * digits;
    }
  }
}

void bitnet::packWeights(const WeightReader &weights, PackingAttr packing,
                         MutableArrayRef<char> bytes) {
  int64_t units = packing.getUnit() / 4;
  int64_t tile = packing.getRows(), block = packing.getBlock();
  int64_t blocks = packing.getPaddedColumns(weights.columns()) / block;
  PackBlock pack =
      packing.getScheme() == PackingScheme::Base3 ? packBase3 : packPlanes;
  // Rows beyond the last: those of codes of padding.
  uint32_t words[2];
  pack(weights, packing, 0, weights.columns(), {words, size_t(units)});
  std::fill(bytes.begin(), bytes.end(), char(words[0]));
  for (int64_t n = 0; n < weights.rows(); ++n)
    for (int64_t i = 0; i < blocks; ++i) {
      pack(weights, packing, n, i * block, {words, size_t(units)});
      int64_t at = ((n / tile * blocks + i) * tile + n % tile) * units * 4;
      for (int64_t part = 0; part < units; ++part)
        llvm::support::endian::write32le(&bytes[at + 4 * part], words[part]);
    }
}
