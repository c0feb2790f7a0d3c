//===- LowerMatmul.cpp - The tiled nest of low-bit matmuls ----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"
#include "VectorEpilogue.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// One nest for every inner loop:
///
///   parallel over tiles of packed rows
///     for vectors of the tile
///       for tokens, several at a time
///         for groups of K that share scales (mostly one)
///           for blocks of K                     <- the inner loop
///         epilogue: scales, bias, activation function, factor,
///             addend, store
class MatmulLowering {
public:
  MatmulLowering(KernelBuilder &b, const LowBitMatmul &op,
                 const VectorTarget &target, Lowering lowering)
      : b(b), op(op), target(target), lowering(lowering), packing(*op.packing),
        n(op.n), k(op.k), lanes(target.getLanes(32)), groups(op.getGroups()),
        isWide(!op.getLhsElement().isInteger(8)), rest(b.index(0)) {
    // Tokens that are left over from blocks have no tables.
    if (!op.tokenBlocks.empty())
      this->lowering = getPlainLowering(target);
    bool scattered = !llvm::all_of(op.op->getOperands(), [](Value operand) {
      return !isa<MemRefType>(operand.getType()) ||
             isInnermostContiguous(operand);
    });
    if (usesMatrixProducts() || isPrepared() || scattered ||
        !op.tokenBlocks.empty())
      this->target = target.withFixedVectors();
  }

  void run() {
    overTokenBlocks();
    overPanels();
    if (staticTokens() && staticTokens() == KernelBuilder::constant(rest))
      return;
    b.parallel(b.index(tiles()), [&](Value tile) {
      b.setScalable(target.isScalable());
      laneRows = b.scale(lanes);
      overVectors(tile);
      b.setScalable(false);
    });
  }

private:
  std::optional<int64_t> staticTokens() {
    return KernelBuilder::constant(b.dim(op.lhs, 0));
  }

  /// Tokens that are in no block and no panel, where it is known how many.
  std::optional<int64_t> countLeft() {
    std::optional<int64_t> count = staticTokens();
    return count ? std::optional(*count - *KernelBuilder::constant(rest))
                 : std::nullopt;
  }

  /// Whether sums of activations are not at hand.
  bool hasOwnSums() const { return groups > 1 || !op.sum; }

  /// Whether several tokens are multiplied as matrices.
  bool usesMatrixProducts() {
    return target.hasMatrixProduct() && packing.getUnit() == 8 && !isWide &&
           !hasOwnSums() && lowering == Lowering::Dot && staticTokens() != 1;
  }

  /// Whether activations are read in another form.
  bool isPrepared() const {
    return !isWide &&
           (lowering == Lowering::LUT || lowering == Lowering::Popcount);
  }

  void choosePreparedTile() {
    bool many = target.getRegisters() == 32;
    if (lowering == Lowering::Popcount) {
      // Counting by table takes registers for the table and its indices.
      vectorsAtOnce = many ? 4 : staticTokens() == 1 ? 2 : 1;
      tokensAtOnce = many ? 4 : 2;
    } else {
      vectorsAtOnce = 4;
      bool whole = target.getLookupKind() == LookupKind::SixtyFour;
      // With 128 bits, more tokens would spill: SSE has two operands, and ARM
      // none in memory.
      bool narrow = target.getVectorBits() == 128;
      tokensAtOnce = whole ? 4 : narrow ? 1 : many ? 6 : 2;
    }
    if (staticTokens() == 1)
      tokensAtOnce = 1;
  }

  /// A field has two masks beside its activations, and LLVM begins several
  /// fields at a time: more sums would leave for the stack.
  void chooseAddSubTile() {
    bool many = target.getVectorBits() == 512, one = staticTokens() == 1;
    vectorsAtOnce = !many ? 1 : one ? 4 : 2;
    tokensAtOnce = many && !one ? 2 : 1;
  }

  /// Whether tokens are so many that fewer vectors of codes for all of them at
  /// once cost less than more vectors, twice.
  bool sharesCodes() {
    int64_t few = packing.getScheme() == PackingScheme::Base3 ? 4 : 5;
    int64_t left = countLeft().value_or(0);
    return hasRoom() && !isWide && !hasOwnSums() && left > few &&
           left < leastOfVectors;
  }
  bool hasRoom() const {
    return target.getRegisters() == 32 &&
           target.getDotKind() == DotKind::DotX86;
  }
  /// The fewest tokens for which unpacking codes beforehand pays; of vectors,
  /// where registers leave room.
  static constexpr int64_t leastOfVectors = 17;
  int64_t getLeastPanel() const {
    return target.hasTileProduct() ? 4 : hasRoom() ? leastOfVectors : 12;
  }

  /// Accumulators, codes and activations must fit the registers.
  void chooseTile() {
    if (isPrepared())
      return choosePreparedTile();
    bool one = staticTokens() == 1, many = target.getRegisters() == 32;
    if (lowering == Lowering::AddSub && !isWide)
      return chooseAddSubTile();
    bool pairs = target.hasPartialSums();
    if (one)
      vectorsAtOnce = many || !pairs ? 4 : 2;
    else if (many && !pairs)
      vectorsAtOnce = 4;
    else
      vectorsAtOnce = many ? 2 : 1;
    // SSE has two operands: a copy of the codes for each token.
    bool copies = !target.has("avx") && !target.has("neon");
    tokensAtOnce = one ? 1 : many ? (pairs ? 4 : 5) : copies ? 3 : 4;
    if (sharesCodes()) {
      vectorsAtOnce = 2;
      tokensAtOnce = 12;
    }
    // Eight fields, in vectors that have no operands by element.
    if (one && target.isScalable() && packing.getCodeBits() == 1)
      vectorsAtOnce = packing.getUnit() == 8 ? 1 : 2;
    if (one || !target.has("neon"))
      return;
    // ARM has no operands in memory: activations take registers too, and so do
    // both halves of a packing for matrix products.
    if (usesMatrixProducts()) {
      vectorsAtOnce = 2;
      tokensAtOnce = 6;
    } else if (pairs) {
      tokensAtOnce = 3;
    } else {
      vectorsAtOnce = packing.getUnit() == 8 ? 2 : 4;
      tokensAtOnce = packing.getUnit() == 8 ? 6 : 4;
    }
  }

  /// Digits to base 3 take registers too, for tables or what is left of bytes.
  void makeRoomForDigits() {
    if (packing.getScheme() != PackingScheme::Base3)
      return;
    bool many = target.has("avx512f") && lowering == Lowering::Dot;
    if (tokensAtOnce > 1)
      tokensAtOnce = std::max<int64_t>(
          tokensAtOnce - (target.hasPartialSums() ? 2 : 1), 1);
    else if (!many)
      vectorsAtOnce = std::max<int64_t>(vectorsAtOnce / 2, 1);
  }

  /// Visits the vectors of outputs of a tile, several at a time. How many a
  /// scalable vector leaves is not known: the rest comes one by one.
  void overVectors(Value tile) {
    chooseTile();
    makeRoomForDigits();
    auto visit = [&](Value from, Value to) {
      b.loop(from, to, vectorsAtOnce, [&](Value vector) {
        overTokens([&](Value token, int64_t count) {
          micro(tile, vector, token, count);
        });
      });
    };
    if (!target.isScalable()) {
      vectorsAtOnce = std::min(vectorsAtOnce, packing.getRows() / lanes);
      return visit(b.index(0), b.index(packing.getRows() / lanes));
    }
    Value count =
        b.createOrFold<arith::DivUIOp>(b.index(packing.getRows()), laneRows);
    Value bulk = b.mul(b.floorDiv(count, vectorsAtOnce), vectorsAtOnce);
    visit(b.index(0), bulk);
    vectorsAtOnce = 1;
    visit(bulk, count);
  }

  /// Tokens in blocks share lookups; overVectors gets the rest. All tiles meet
  /// the tables of a block before the next block's, which the caches may not
  /// hold beside them.
  void overTokenBlocks() {
    laneRows = b.index(lanes);
    Value tokens = b.dim(op.lhs, 0);
    // More rows use a chunk of tables before it leaves the nearest cache, but
    // work for many threads must be left.
    int64_t tilesAtOnce = std::clamp<int64_t>(tiles() / 16, 1, 4);
    int64_t groups = llvm::divideCeil(tiles(), tilesAtOnce);
    for (TokenBlocks part : splitTokens(b, tokens, op.tokenBlocks, rest))
      b.parallel(b.mul(part.count, groups), [&](Value i) {
        Value token = b.mul(b.floorDiv(i, groups), part.size);
        blockOfTokens(b.mul(b.rem(i, groups), tilesAtOnce), tilesAtOnce,
                      b.add(part.first, token), part.size);
      });
  }

  void blockOfTokens(Value firstTile, int64_t tilesAtOnce, Value token,
                     int64_t size) {
    int64_t rows = packing.getRows();
    Value sums = b.allocaVectors(
        MemRefType::get({tilesAtOnce * rows, size}, b.getI32Type()));
    Value count = b.createOrFold<arith::MinUIOp>(
        b.sub(b.index(tiles()), firstTile), b.index(tilesAtOnce));
    emitTokenBlockSums(b, op, firstTile, count, token, sums);
    Value zero = b.index(0), firstRow = b.mul(firstTile, rows);
    b.loop(zero, b.mul(count, rows), lanes, [&](Value row) {
      b.loop(zero, b.index(size), lanes, [&](Value t) {
        SmallVector<Value> part;
        for (int64_t i = 0; i < lanes; ++i)
          part.push_back(b.loadVector(sums, {b.add(row, i), t}, lanes));
        epilogue(b.transpose(part), b.add(firstRow, row), b.add(token, t));
      });
    });
  }

  /// Whether enough tokens share codes that are unpacked for them.
  bool usesPanels() {
    return lowering == Lowering::Dot && target.hasDotX86() && !isWide &&
           !hasOwnSums() && op.tokenBlocks.empty() && packing.getUnit() == 4 &&
           isInnermostContiguous(op.lhs) &&
           staticTokens().value_or(getLeastPanel()) >= getLeastPanel();
  }
  /// Sizes of panels: about equal ones, or for an unknown number of tokens
  /// large and small ones, which leave fewer than those.
  SmallVector<int64_t> getPanels() {
    int64_t step = getPanelStep(target);
    bool isOfTiles = target.hasTileProduct();
    int64_t steps =
        std::clamp<int64_t>(panelBytes / (k * step), isOfTiles ? 2 : leastSteps,
                            isOfTiles ? 4 : mostSteps);
    int64_t largest = steps * step;
    std::optional<int64_t> tokens = staticTokens();
    if (!tokens && isOfTiles)
      return {largest, step, step / 4};
    if (!tokens)
      return {largest, 4 * step};
    int64_t size =
        llvm::divideCeil(*tokens, llvm::divideCeil(*tokens, largest));
    if (int64_t last = *tokens % size)
      return {size, last};
    return {size};
  }

  /// All tiles meet the activations of a panel, which the second cache holds,
  /// before the next panel's; overVectors gets the tokens that are left.
  void overPanels() {
    if (!usesPanels())
      return;
    for (TokenBlocks part : splitTokens(b, b.dim(op.lhs, 0), getPanels(), rest))
      b.parallel(b.mul(part.count, tiles()), [&](Value i) {
        Value token = b.mul(b.floorDiv(i, tiles()), part.size);
        panel(b.rem(i, tiles()), b.add(part.first, token), part.size);
      });
  }

  void panel(Value tile, Value token, int64_t size) {
    Value firstRow = b.mul(tile, packing.getRows());
    VectorEpilogue last(b, op, lanes);
    SmallVector<Value> touched = last.getTouched();
    auto fetch = [&](Value memref, Value t, int64_t count, Value vector,
                     int64_t some) {
      last.prefetch(memref, b.add(firstRow, b.mul(vector, lanes)),
                    b.add(token, t), count, some);
    };
    auto finish = [&](ArrayRef<Value> sums, Value t, Value vector,
                      int64_t some) {
      vectorsAtOnce = some;
      Value first = b.add(token, t);
      SmallVector<Value> totals(sums);
      for (size_t i = 0; i < totals.size(); ++i) {
        Value sum = b.load(op.sum, b.add(first, i / some));
        totals[i] = removeOffset(b, totals[i], b.splat(sum, lanes),
                                 packing.getCodeBits());
      }
      epilogue(totals, b.add(firstRow, b.mul(vector, lanes)), first);
    };
    emitPanel(b, {op, target, tile, token, size, touched, fetch, finish});
  }

  void overTokens(llvm::function_ref<void(Value, int64_t)> body) {
    if (std::optional<int64_t> count = countLeft())
      return b.groups(rest, *count, tokensAtOnce, body);
    Value from = rest, tokens = b.dim(op.lhs, 0);
    for (int64_t size : {tokensAtOnce, int64_t(2), int64_t(1)}) {
      if (size == 2 && tokensAtOnce <= 2)
        continue;
      Value count = b.floorDiv(b.sub(tokens, from), size);
      Value to = b.add(from, b.mul(count, size));
      b.loop(from, to, size, [&](Value token) { body(token, size); });
      from = to;
    }
  }

  std::unique_ptr<InnerLoop> makeInnerLoop(const MicroTile &tile) {
    if (isWide)
      return makeWideLoop(b, tile, target);
    if (lowering == Lowering::AddSub)
      return makeAddSubLoop(b, tile, target);
    if (lowering == Lowering::LUT)
      return makeLUTLoop(b, tile, target);
    if (lowering == Lowering::Popcount)
      return makePopcountLoop(b, tile, target);
    if (usesMatrixProducts() && tile.tokens > 1)
      return makeMatrixLoop(b, tile, target);
    // The sum of a fifth of K products of 84 * 2 * 128 must stay below 2^31.
    bool spread = tile.tokens == 1 && target.getRegisters() == 32 &&
                  (tile.codeBits() == 2 || !target.has("neon")) &&
                  k < int64_t(1) << 18;
    return makeDotLoop(b, tile, target, spread);
  }

  void micro(Value tileIndex, Value vector, Value token, int64_t count) {
    MicroTile tile{count,        vectorsAtOnce, lanes,       packing,
                   hasOwnSums(), op.lhs,        op.prepared, token};
    std::unique_ptr<InnerLoop> inner = makeInnerLoop(tile);
    SmallVector<Value> rowSums;
    if (op.sum)
      for (int64_t t = 0; t < count; ++t)
        rowSums.push_back(b.load(op.sum, b.add(token, t)));
    Value row =
        b.add(b.mul(tileIndex, packing.getRows()), b.mul(vector, laneRows));

    SmallVector<Value> totals;
    if (groups == 1) {
      totals = sumBlocks(*inner, tile, tileIndex, vector, b.index(0),
                         op.getBlocks());
      totals = inner->finish(totals, rowSums);
    } else {
      SmallVector<Value> zero(count * vectorsAtOnce,
                              b.zeroVector(lanes, b.getF32Type()));
      int64_t perGroup = k / groups / packing.getBlock();
      VectorEpilogue epilogue(b, op, lanes);
      totals = b.reduce(
          b.index(0), b.index(groups), 1, zero,
          [&](Value group, ValueRange so) {
            Value first = b.mul(group, perGroup);
            SmallVector<Value> part = inner->finish(
                sumBlocks(*inner, tile, tileIndex, vector, first, perGroup),
                rowSums);
            for (auto [i, value] : llvm::enumerate(part)) {
              Value scale = epilogue.loadOutputs(
                  op.scale, group, laneRow(row, i % vectorsAtOnce));
              part[i] = b.fma(epilogue.toFloat(value), scale, so[i]);
            }
            return part;
          });
    }
    epilogue(totals, row, token);
  }

  int64_t tiles() const { return llvm::divideCeil(n, packing.getRows()); }
  void epilogue(ArrayRef<Value> totals, Value row, Value token) {
    VectorEpilogue(b, op, lanes)
        .store(totals, row, token, vectorsAtOnce, laneRows);
  }
  Value laneRow(Value row, int64_t vector) {
    return b.add(row, b.mul(laneRows, vector));
  }

  SmallVector<Value> sumBlocks(InnerLoop &inner, const MicroTile &tile,
                               Value tileIndex, Value vector, Value first,
                               int64_t count) {
    Value last = b.add(first, count);
    int64_t chunk = inner.getChunk();
    if (!chunk)
      return overBlocks(inner, tile, tileIndex, vector, first, last,
                        inner.start());
    return b.reduce(
        first, last, chunk, inner.start(), [&](Value begin, ValueRange so) {
          Value end = b.createOrFold<arith::MinUIOp>(b.add(begin, chunk), last);
          return inner.flush(overBlocks(inner, tile, tileIndex, vector, begin,
                                        end, inner.startChunk()),
                             so);
        });
  }

  SmallVector<Value> overBlocks(InnerLoop &inner, const MicroTile &tile,
                                Value tileIndex, Value vector, Value first,
                                Value last, ValueRange initial) {
    int64_t blockBytes = packing.getBlockBytes();
    Value base = b.add(b.mul(tileIndex, op.getBlocks() * blockBytes),
                       b.mul(vector, b.mul(laneRows, packing.getUnit())));
    if (lowering == Lowering::LUT && !isWide &&
        inner.unit() != packing.getUnit())
      return overHalfBlocks(inner, tile, base, first, last, initial);
    return b.reduce(first, last, 1, initial, [&](Value block, ValueRange so) {
      Value offset = b.add(base, b.mul(block, blockBytes));
      Value k = b.mul(block, packing.getBlock());
      SmallVector<Value> next;
      if (inner.unit() == packing.getUnit()) {
        next = inner.block(loadWeights(offset, tile.vectors), k, 0, so);
      } else {
        auto [low, high] = loadHalves(offset, tile.vectors);
        next = inner.block(high, k, 4, inner.block(low, k, 0, so));
      }
      prefetchBlock(offset, tile);
      return next;
    });
  }

  /// Asks for the bytes that a block some way ahead will read, and again for
  /// those of one nearby. The machine queues few requests: they are spread over
  /// the work of the block, the end of which is where the builder inserts, and
  /// its offset its begin.
  void prefetchBlock(Value offset, const MicroTile &tile) {
    Block *body = b.getInsertionBlock();
    auto first =
        offset.getDefiningOp() && offset.getDefiningOp()->getBlock() == body
            ? std::next(offset.getDefiningOp()->getIterator())
            : body->begin();
    int64_t bytes = tile.vectors * lanes * packing.getUnit();
    int64_t lines = llvm::divideCeil(bytes, KernelBuilder::cacheLine);
    int64_t ops = std::distance(first, b.getInsertionPoint());
    OpBuilder::InsertionGuard guard(b);
    for (int64_t line = 0; line < lines; ++line) {
      b.setInsertionPoint(body, first);
      Value at = b.add(offset, line * KernelBuilder::cacheLine);
      if (asksRuntime(tile)) {
        b.prefetchAhead(op.weight, at);
        b.prefetchAhead(op.weight, at, /*nearest=*/true);
      } else {
        b.prefetchStream(op.weight, at);
      }
      std::advance(first, ops / lines);
    }
  }

  /// Whether the runtime says how far ahead weights are fetched: machines
  /// differ in how well they follow, by themselves, a loop that does little but
  /// read. Loops that multiply more are too slow for any to keep memory busy.
  bool asksRuntime(const MicroTile &tile) const {
    return target.hasDotX86() && lowering == Lowering::Dot &&
           tile.tokens == 1 && packing.getScheme() == PackingScheme::Planes2;
  }

  /// Blocks of eight bytes a row in halves of four: lookups leave no registers
  /// for the other half. Tables of halves follow one another.
  SmallVector<Value> overHalfBlocks(InnerLoop &inner, const MicroTile &tile,
                                    Value base, Value first, Value last,
                                    ValueRange initial) {
    Value begin = b.mul(first, 2), end = b.mul(last, 2);
    return b.reduce(begin, end, 1, initial, [&](Value half, ValueRange so) {
      Value block = b.mul(b.floorDiv(half, 2), packing.getBlockBytes());
      Value offset = b.add(base, block);
      Value second = b.rem(half, 2), part = b.mul(second, 32);
      Value ahead = b.add(offset, b.mul(second, KernelBuilder::cacheLine));
      if (tile.tokens == 1)
        b.prefetch(op.weight, b.add(ahead, KernelBuilder::farBytes));
      return inner.block(loadHalf(offset, tile.vectors, part),
                         b.mul(half, packing.getBlock() / 2), 0, so);
    });
  }

  /// Of the eight bytes of each row the four from bit `shift` on.
  SmallVector<Value> loadHalf(Value offset, int64_t vectors, Value shift) {
    SmallVector<Value> result;
    Value amount =
        b.splat(b.create<arith::IndexCastOp>(b.getI64Type(), shift), lanes);
    for (int64_t v = 0; v < vectors; ++v) {
      Value bytes = b.loadVector(
          op.weight, b.add(offset, b.mul(laneRows, 8 * v)), lanes * 8);
      Value rows = b.bitcast(bytes, b.getI64Type());
      rows = b.create<arith::ShRUIOp>(rows, amount);
      Value words =
          b.create<arith::TruncIOp>(b.vectorType(lanes, b.getI32Type()), rows);
      result.push_back(b.bitcast(words, b.getI8Type()));
    }
    return result;
  }

  /// The packing's bytes, a vector at a time.
  SmallVector<Value> loadWeights(Value offset, int64_t vectors) {
    SmallVector<Value> weights;
    for (int64_t v = 0; v < vectors * packing.getUnit() / 4; ++v)
      weights.push_back(b.loadVector(
          op.weight, b.add(offset, b.mul(laneRows, 4 * v)), lanes * 4));
    return weights;
  }

  /// The first and the last four of the eight bytes of each row.
  std::pair<SmallVector<Value>, SmallVector<Value>>
  loadHalves(Value offset, int64_t vectors) {
    std::pair<SmallVector<Value>, SmallVector<Value>> halves;
    for (int64_t v = 0; v < vectors; ++v) {
      Value bytes = b.loadVector(
          op.weight, b.add(offset, b.mul(laneRows, 8 * v)), lanes * 8);
      auto words =
          b.create<vector::DeinterleaveOp>(b.bitcast(bytes, b.getI32Type()));
      halves.first.push_back(b.bitcast(words.getRes1(), b.getI8Type()));
      halves.second.push_back(b.bitcast(words.getRes2(), b.getI8Type()));
    }
    return halves;
  }

  /// A panel's activations, which the second cache holds beside weights and
  /// outputs; but codes are unpacked for no fewer tokens than the least.
  static constexpr int64_t panelBytes = 1 << 20;
  static constexpr int64_t leastSteps = 6, mostSteps = 24;

  KernelBuilder &b;
  const LowBitMatmul &op;
  VectorTarget target;
  Lowering lowering;
  PackingAttr packing;
  int64_t n, k, lanes, groups;
  bool isWide;
  Value rest;     // the first token that is in no block
  Value laneRows; // rows of a vector: lanes, times vscale
  int64_t vectorsAtOnce = 1, tokensAtOnce = 1;
};

} // namespace

LogicalResult bitnet::lowerMatmul(KernelBuilder &b, const LowBitMatmul &matmul,
                                  const VectorTarget &target,
                                  Lowering lowering) {
  int64_t lanes = target.getLanes(32), rows = matmul.packing->getRows();
  if (rows % lanes != 0)
    return matmul.op->emitOpError("has tiles of ")
           << rows << " packed rows; expected a multiple of " << lanes;
  bool isPrepared = lowering == Lowering::LUT || lowering == Lowering::Popcount;
  if (isPrepared && !matmul.prepared)
    return matmul.op->emitOpError("has the lowering '")
           << stringifyLowering(lowering)
           << "' but no prepared activations: run bitnet-prepare-activations "
              "on tensors first";
  for (int64_t size : matmul.tokenBlocks)
    if (size % lanes != 0)
      return matmul.op->emitOpError("has blocks of ")
             << size << " tokens; expected multiples of " << lanes;
  if (!matmul.tokenBlocks.empty() && !TokenTables::fit(matmul.prepared))
    return matmul.op->emitOpError(
        "has 'token_blocks' of prepared activations with gaps");
  MatmulLowering(b, matmul, target, lowering).run();
  return success();
}
