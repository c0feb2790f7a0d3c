//===- TokenPanels.cpp - Dot products of many tokens by unpacked codes ----===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where a few tokens at a time meet packed codes, each few unpack them again,
// on the ports that multiply. A panel of tokens unpacks a chunk of a tile once,
// into memory that the nearest cache holds.
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

using namespace mlir;
using namespace bitnet;

namespace {

class TokenPanel {
public:
  TokenPanel(KernelBuilder &b, const LowBitMatmul &matmul,
             const VectorTarget &target, Value tile, Value token)
      : b(b), matmul(matmul), packing(*matmul.packing), target(target),
        tile(tile), token(token), lanes(target.getLanes(32)) {
    fields = 8 / packing.getCodeBits();
    vectors = packing.getRows() / lanes;
    narrow = target.hasPartialSums();
    // Sums of pairs in 16 bits, of codes to 2 (1) by activations to -128: 512
    // (256) each step. 60 (120) steps stay within 30720.
    chunk = narrow ? 15 : codeBytes / getBlockCodes();
    bool many = target.getRegisters() == 32;
    vectorsAtOnce = many ? 4 : 2;
  }

  void run(int64_t tokens, Value sums) {
    Type i8 = b.getI8Type();
    codes = b.allocaVectors(MemRefType::get({chunk * getBlockCodes()}, i8));
    Value zero = b.index(0), blocks = b.index(matmul.getBlocks());
    Value none = b.zeroVector(lanes, b.getI32Type());
    b.loop(zero, b.index(tokens), 1, [&](Value t) {
      for (int64_t v = 0; v < vectors; ++v)
        b.storeVector(none, sums, {t, b.index(v * lanes)});
    });
    b.loop(zero, blocks, chunk, [&](Value first) {
      Value count =
          b.createOrFold<arith::MinUIOp>(b.sub(blocks, first), b.index(chunk));
      unpack(first, count);
      overTokens(tokens, [&](Value t, int64_t some) {
        b.loop(zero, b.index(vectors), vectorsAtOnce, [&](Value vector) {
          multiply(first, count, t, some, vector, sums);
        });
      });
    });
  }

private:
  int64_t getBlockCodes() const { return fields * packing.getRows() * 4; }

  /// Groups of equal size, but for one token more in the first ones.
  void overTokens(int64_t tokens,
                  llvm::function_ref<void(Value, int64_t)> visit) {
    int64_t groups = llvm::divideCeil(tokens, getPanelStep(target));
    int64_t size = tokens / groups, longer = tokens % groups;
    b.loop(b.index(0), b.index(longer * (size + 1)), size + 1,
           [&](Value t) { visit(t, size + 1); });
    b.loop(b.index(longer * (size + 1)), b.index(tokens), size,
           [&](Value t) { visit(t, size); });
  }

  /// Where the codes of a step and of a vector begin.
  Value codesAt(Value step, Value vector) {
    return b.mul(b.add(b.mul(step, vectors), vector), 4 * lanes);
  }

  void unpack(Value first, Value count) {
    int64_t blockBytes = packing.getBlockBytes();
    Value base =
        b.mul(b.add(b.mul(tile, matmul.getBlocks()), first), blockBytes);
    b.loop(b.index(0), count, 1, [&](Value block) {
      for (int64_t v = 0; v < vectors; ++v) {
        Value at = b.add(b.add(base, b.mul(block, blockBytes)), 4 * lanes * v);
        Value packed = b.loadVector(matmul.weight, at, 4 * lanes);
        // The next chunk comes after a while of multiplications.
        if (4 * lanes * v % 64 == 0)
          b.prefetch(matmul.weight, b.add(at, chunk * blockBytes));
        for (int64_t field = 0; field < fields; ++field)
          b.storeVector(
              extractField(b, target, packed, field, packing.getCodeBits()),
              codes, codesAt(b.add(b.mul(block, fields), field), b.index(v)));
      }
    });
  }

  /// Adds the products of a chunk to the sums of some tokens and vectors.
  void multiply(Value first, Value count, Value t, int64_t some, Value vector,
                Value sums) {
    auto place = [&](int64_t i) {
      return SmallVector<Value>{b.add(t, i / vectorsAtOnce),
                                b.mul(b.add(vector, i % vectorsAtOnce), lanes)};
    };
    SmallVector<Value> so;
    for (int64_t i = 0; i < some * vectorsAtOnce; ++i)
      so.push_back(narrow ? b.zeroVector(2 * lanes, b.getI16Type())
                          : b.loadVector(sums, place(i), lanes));
    // A field of a block meets the next activations: steps are alike.
    so = b.reduce(b.index(0), b.mul(count, fields), 1, so,
                  [&](Value at, ValueRange so) {
                    Value k = b.add(b.mul(first, packing.getBlock()),
                                    b.mul(at, packing.getUnit()));
                    SmallVector<Value> next(so);
                    step(at, k, t, some, vector, next);
                    return next;
                  });
    for (auto [i, sum] : llvm::enumerate(so)) {
      if (narrow)
        sum = emitWiden(b, b.loadVector(sums, place(i), lanes), {sum});
      b.storeVector(sum, sums, place(i));
    }
  }

  void step(Value at, Value k, Value t, int64_t some, Value vector,
            MutableArrayRef<Value> sums) {
    SmallVector<Value> weights;
    for (int64_t v = 0; v < vectorsAtOnce; ++v)
      weights.push_back(
          b.loadVector(codes, codesAt(at, b.add(vector, v)), 4 * lanes));
    for (int64_t i = 0; i < some; ++i) {
      Value bytes =
          b.broadcastWord(matmul.lhs, {b.add(token, b.add(t, i)), k}, lanes);
      for (int64_t v = 0; v < vectorsAtOnce; ++v) {
        Value &sum = sums[i * vectorsAtOnce + v];
        PartialSums partial;
        if (narrow)
          partial.push_back(sum);
        emitDot(b, target.getDotKind(), sum, partial, weights[v], bytes);
        if (narrow)
          sum = partial.front();
      }
    }
  }

  /// Of unpacked codes, which the nearest cache holds beside activations.
  static constexpr int64_t codeBytes = 32768;

  KernelBuilder &b;
  const LowBitMatmul &matmul;
  PackingAttr packing;
  const VectorTarget &target;
  Value tile, token, codes;
  int64_t lanes, fields, vectors, chunk, vectorsAtOnce;
  bool narrow;
};

} // namespace

int64_t bitnet::getPanelStep(const VectorTarget &target) {
  // Sums, codes and activations must fit the registers; SSE's products
  // overwrite an operand.
  if (target.getRegisters() == 32 || !target.hasPartialSums())
    return 6;
  return target.getVectorBits() == 128 ? 3 : 4;
}

void bitnet::emitPanelSums(KernelBuilder &b, const LowBitMatmul &matmul,
                           const VectorTarget &target, Value tile, Value token,
                           int64_t tokens, Value sums) {
  TokenPanel(b, matmul, target, tile, token).run(tokens, sums);
}
