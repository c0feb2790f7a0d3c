//===- TokenPanels.cpp - Dot products of many tokens by unpacked codes ----===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenPanels.h"

using namespace mlir;
using namespace bitnet;

namespace {

class TokenPanel : Panel {
public:
  TokenPanel(KernelBuilder &b, const PanelTask &task) : Panel(b, task) {
    narrow = target.hasPartialSums();
    // Sums of pairs in 16 bits, of codes to 2 (1) by activations to -128: 512
    // (256) each step. 60 (120) steps stay within 30720.
    chunk = narrow ? 120 / (packing.getCodeBits() * fields)
                   : codeBytes / getBlockCodes();
    vectorsAtOnce = target.getRegisters() == 32 ? 4 : 2;
  }

  void run() {
    codes = b.allocaVectors(
        MemRefType::get({chunk * getBlockCodes()}, b.getI8Type()));
    sums = b.allocaVectors(
        MemRefType::get({task.tokens, packing.getRows()}, b.getI32Type()));
    overChunks(
        [&](Value first, Value count) {
          overParts(first, count, [&](const Part &part, ValueRange values) {
            for (auto [i, sum] : llvm::enumerate(values))
              b.storeVector(sum, sums, place(part, i));
            fetchTouched(first, part);
          });
        },
        // While the next tokens are multiplied, the stores of these can wait.
        [&](Value first, Value count) {
          overParts(first, count, [&](const Part &part, ValueRange values) {
            task.finish(llvm::to_vector(values), part.token, part.vector,
                        vectorsAtOnce);
          });
        });
  }

private:
  int64_t getBlockCodes() const { return fields * packing.getRows() * 4; }

  SmallVector<Value> place(const Part &part, int64_t i) {
    return {b.add(part.token, i / vectorsAtOnce),
            b.mul(b.add(part.vector, i % vectorsAtOnce), lanes)};
  }

  /// Visits sums up to a chunk's end, by [token][vector].
  void overParts(Value first, Value count,
                 llvm::function_ref<void(const Part &, ValueRange)> visit) {
    unpack(first, count, b.index(0), vectors, [&](Value step, int64_t vector) {
      return codesAt(step, b.index(vector));
    });
    int64_t bytes = chunk * packing.getBlockBytes();
    Value next = b.add(blockAt(first), bytes);
    b.groups(b.index(0), task.tokens, getPanelStep(target),
             [&](Value token, int64_t some) {
               fetchCodes(next, bytes, token, some);
               b.loop(b.index(0), b.index(vectors), vectorsAtOnce,
                      [&](Value vector) {
                        Part part{token, some, vector};
                        visit(part, multiply(first, count, part));
                      });
             });
  }

  /// Asks for `bytes` from `next` on in the weights, a part of them with each
  /// few tokens: the machine queues few requests, and nothing else until there
  /// is room.
  void fetchCodes(Value next, int64_t bytes, Value token, int64_t tokens) {
    constexpr int64_t line = KernelBuilder::cacheLine;
    int64_t each = llvm::divideCeil(bytes, line * task.tokens) * line;
    for (int64_t at = 0; at < tokens * each; at += line)
      b.prefetch(matmul.weight, b.add(b.add(next, b.mul(token, each)), at));
  }

  /// Where the codes of a step and of a vector begin.
  Value codesAt(Value step, Value vector) {
    return b.mul(b.add(b.mul(step, vectors), vector), 4 * lanes);
  }

  /// Sums of the chunks before, which there are unless `first` is 0.
  SmallVector<Value> loadSums(Value first, const Part &part) {
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
  SmallVector<Value> multiply(Value first, Value count, const Part &part) {
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
    if (!narrow)
      return so;
    SmallVector<Value> totals = loadSums(first, part);
    for (auto [sum, pairs] : llvm::zip(totals, so))
      sum = emitWiden(b, sum, {pairs});
    return totals;
  }

  void step(Value at, Value k, const Part &part, MutableArrayRef<Value> sums) {
    SmallVector<Value> weights;
    for (int64_t v = 0; v < vectorsAtOnce; ++v)
      weights.push_back(
          b.loadVector(codes, codesAt(at, b.add(part.vector, v)), 4 * lanes));
    for (int64_t i = 0; i < part.tokens; ++i) {
      Value bytes = b.broadcastWord(
          matmul.lhs, {b.add(task.token, b.add(part.token, i)), k}, lanes);
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

  Value sums;
  bool narrow;
};

} // namespace

//===----------------------------------------------------------------------===//
// Panel
//===----------------------------------------------------------------------===//

void Panel::overChunks(llvm::function_ref<void(Value, Value)> visit,
                       llvm::function_ref<void(Value, Value)> visitLast) {
  int64_t last = getLastChunk();
  b.loop(b.index(0), b.index(last), chunk,
         [&](Value first) { visit(first, b.index(chunk)); });
  visitLast(b.index(last), b.index(matmul.getBlocks() - last));
}

void Panel::unpack(Value first, Value count, Value vector, int64_t some,
                   llvm::function_ref<Value(Value, int64_t)> place,
                   bool streams) {
  Value base = b.add(blockAt(first), b.mul(vector, 4 * lanes));
  FieldReader reader(b, target, packing.getScheme());
  b.loop(b.index(0), count, 1, [&](Value block) {
    for (int64_t v = 0; v < some; ++v) {
      Value at = b.add(b.add(base, b.mul(block, packing.getBlockBytes())),
                       4 * lanes * v);
      Value packed = b.loadVector(matmul.weight, at, 4 * lanes);
      if (streams)
        b.prefetchStream(matmul.weight, at);
      for (int64_t field = 0; field < fields; ++field)
        b.storeVector(reader.take(packed, field), codes,
                      place(b.add(b.mul(block, fields), field), v));
    }
  });
}

Value Panel::blockAt(Value block) {
  return b.mul(b.add(b.mul(task.tile, matmul.getBlocks()), block),
               packing.getBlockBytes());
}

void Panel::fetchTouched(Value first, const Part &part) {
  int64_t begin = getLastChunk();
  for (Value memref : task.touched) {
    begin = std::max<int64_t>(begin - chunk, 0);
    Value isTurn = b.create<arith::CmpIOp>(arith::CmpIPredicate::eq, first,
                                           b.index(begin));
    b.conditional(
        isTurn,
        [&] {
          task.fetch(memref, part.token, part.tokens, part.vector,
                     vectorsAtOnce);
        },
        [] {});
  }
}

int64_t bitnet::getPanelStep(const VectorTarget &target) {
  if (target.hasTileProduct())
    return 32;
  // Sums, codes and activations must fit the registers; SSE's products
  // overwrite an operand.
  if (target.getRegisters() == 32 || !target.hasPartialSums())
    return 6;
  return target.getVectorBits() == 128 ? 3 : 4;
}

void bitnet::emitPanel(KernelBuilder &b, const PanelTask &task) {
  if (task.target.hasTileProduct())
    return emitTilePanel(b, task);
  TokenPanel(b, task).run();
}
