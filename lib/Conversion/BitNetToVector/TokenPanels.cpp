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
             const VectorTarget &target, Value tile, Value token,
             ArrayRef<Value> touched, PanelFetch fetch)
      : b(b), matmul(matmul), packing(*matmul.packing), target(target),
        tile(tile), token(token), touched(touched), fetch(fetch),
        lanes(target.getLanes(32)) {
    fields = packing.getFields();
    vectors = packing.getRows() / lanes;
    narrow = target.hasPartialSums();
    // Sums of pairs in 16 bits, of codes to 2 (1) by activations to -128: 512
    // (256) each step. 60 (120) steps stay within 30720.
    chunk = narrow ? 120 / (packing.getCodeBits() * fields)
                   : codeBytes / getBlockCodes();
    bool many = target.getRegisters() == 32;
    vectorsAtOnce = many ? 4 : 2;
  }

  void run(int64_t tokens, PanelFinish finish) {
    codes = b.allocaVectors(
        MemRefType::get({chunk * getBlockCodes()}, b.getI8Type()));
    sums = b.allocaVectors(
        MemRefType::get({tokens, packing.getRows()}, b.getI32Type()));
    int64_t blocks = matmul.getBlocks();
    int64_t last = (llvm::divideCeil(blocks, chunk) - 1) * chunk;
    b.loop(b.index(0), b.index(last), chunk, [&](Value first) {
      overSums(tokens, first, b.index(chunk), [&](const Sums &part) {
        for (auto [i, sum] : llvm::enumerate(part.values))
          b.storeVector(sum, sums, place(part, i));
        fetchTouched(last, first, part);
      });
    });
    // While the next tokens are multiplied, the stores of these can wait.
    overSums(tokens, b.index(last), b.index(blocks - last),
             [&](const Sums &part) {
               finish(part.values, part.token, part.vector, vectorsAtOnce);
             });
  }

private:
  int64_t getBlockCodes() const { return fields * packing.getRows() * 4; }

  /// Of a few tokens from `token` on and vectors from `vector` on, by
  /// [token][vector].
  struct Sums {
    Value token;
    int64_t tokens;
    Value vector;
    SmallVector<Value> values;
  };

  SmallVector<Value> place(const Sums &part, int64_t i) {
    return {b.add(part.token, i / vectorsAtOnce),
            b.mul(b.add(part.vector, i % vectorsAtOnce), lanes)};
  }

  /// One memref a chunk, the last of them in that before the last one: few
  /// lines at a time.
  void fetchTouched(int64_t last, Value first, const Sums &part) {
    for (auto [i, memref] : llvm::enumerate(touched)) {
      int64_t begin = std::max<int64_t>(last - (i + 1) * chunk, 0);
      Value isTurn = b.create<arith::CmpIOp>(arith::CmpIPredicate::eq, first,
                                             b.index(begin));
      b.conditional(
          isTurn,
          [&] {
            fetch(memref, part.token, part.tokens, part.vector, vectorsAtOnce);
          },
          [] {});
    }
  }

  /// Visits sums up to a chunk's end.
  void overSums(int64_t tokens, Value first, Value count,
                llvm::function_ref<void(const Sums &)> visit) {
    unpack(first, count);
    int64_t most = getPanelStep(target);
    // Its requests spread over the multiplications of this one: the machine
    // queues few, and nothing else until there is room.
    constexpr int64_t line = KernelBuilder::cacheLine;
    int64_t bytes = chunk * packing.getBlockBytes();
    int64_t each = llvm::divideCeil(bytes, line * tokens) * line;
    Value next = b.add(blockAt(first), bytes);
    b.groups(b.index(0), tokens, most, [&](Value token, int64_t some) {
      for (int64_t at = 0; at < some * each; at += line)
        b.prefetch(matmul.weight, b.add(b.add(next, b.mul(token, each)), at));
      b.loop(b.index(0), b.index(vectors), vectorsAtOnce, [&](Value vector) {
        Sums part{token, some, vector, {}};
        multiply(first, count, part);
        visit(part);
      });
    });
  }

  /// Where the codes of a step and of a vector begin.
  Value codesAt(Value step, Value vector) {
    return b.mul(b.add(b.mul(step, vectors), vector), 4 * lanes);
  }

  /// Where a block of the tile is in the weights.
  Value blockAt(Value block) {
    return b.mul(b.add(b.mul(tile, matmul.getBlocks()), block),
                 packing.getBlockBytes());
  }

  void unpack(Value first, Value count) {
    int64_t blockBytes = packing.getBlockBytes();
    Value base = blockAt(first);
    FieldReader reader(b, target, packing.getScheme());
    b.loop(b.index(0), count, 1, [&](Value block) {
      for (int64_t v = 0; v < vectors; ++v) {
        Value at = b.add(b.add(base, b.mul(block, blockBytes)), 4 * lanes * v);
        Value packed = b.loadVector(matmul.weight, at, 4 * lanes);
        for (int64_t field = 0; field < fields; ++field)
          b.storeVector(
              reader.take(packed, field), codes,
              codesAt(b.add(b.mul(block, fields), field), b.index(v)));
      }
    });
  }

  /// Sums of the chunks before, which there are unless `first` is 0.
  SmallVector<Value> loadSums(Value first, const Sums &part) {
    int64_t count = part.tokens * vectorsAtOnce;
    SmallVector<Value> none(count, b.zeroVector(lanes, b.getI32Type()));
    auto load = [&] {
      SmallVector<Value> values;
      for (int64_t i = 0; i < count; ++i)
        values.push_back(b.loadVector(sums, place(part, i), lanes));
      return values;
    };
    if (std::optional<int64_t> at = KernelBuilder::constant(first))
      return *at ? load() : none;
    Value begin =
        b.create<arith::CmpIOp>(arith::CmpIPredicate::eq, first, b.index(0));
    return b.choose(begin, [&] { return none; }, load);
  }

  /// The sums with the products of a chunk.
  void multiply(Value first, Value count, Sums &part) {
    SmallVector<Value> so =
        narrow ? SmallVector<Value>(part.tokens * vectorsAtOnce,
                                    b.zeroVector(2 * lanes, b.getI16Type()))
               : loadSums(first, part);
    // A field of a block meets the next activations: steps are alike.
    so = b.reduce(b.index(0), b.mul(count, fields), 1, so,
                  [&](Value at, ValueRange so) {
                    Value k = b.add(b.mul(first, packing.getBlock()),
                                    b.mul(at, packing.getUnit()));
                    SmallVector<Value> next(so);
                    step(at, k, part, next);
                    return next;
                  });
    part.values = so;
    if (!narrow)
      return;
    part.values = loadSums(first, part);
    for (auto [sum, pairs] : llvm::zip(part.values, so))
      sum = emitWiden(b, sum, {pairs});
  }

  void step(Value at, Value k, const Sums &part, MutableArrayRef<Value> sums) {
    SmallVector<Value> weights;
    for (int64_t v = 0; v < vectorsAtOnce; ++v)
      weights.push_back(
          b.loadVector(codes, codesAt(at, b.add(part.vector, v)), 4 * lanes));
    for (int64_t i = 0; i < part.tokens; ++i) {
      Value bytes = b.broadcastWord(
          matmul.lhs, {b.add(token, b.add(part.token, i)), k}, lanes);
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
  static constexpr int64_t codeBytes = 24576;

  KernelBuilder &b;
  const LowBitMatmul &matmul;
  PackingAttr packing;
  const VectorTarget &target;
  Value tile, token, codes, sums;
  ArrayRef<Value> touched;
  PanelFetch fetch;
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

void bitnet::emitPanel(KernelBuilder &b, const LowBitMatmul &matmul,
                       const VectorTarget &target, Value tile, Value token,
                       int64_t tokens, ArrayRef<Value> touched,
                       PanelFetch fetch, PanelFinish finish) {
  TokenPanel(b, matmul, target, tile, token, touched, fetch)
      .run(tokens, finish);
}
