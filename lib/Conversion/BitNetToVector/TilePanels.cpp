//===- TilePanels.cpp - Products of tiles by unpacked codes ---------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// x86's AMX: eight registers hold tiles of up to 16 rows of 64 bytes, and an
// instruction adds the product of two of them to a third. Codes as panels
// unpack them, four K of sixteen rows a vector, are the rows of such a tile;
// those of activations are tokens, as they lie in memory.
//
// Registers are named by number: their shapes change within a function, which
// LLVM's allocation of them does not allow for.
//
//===----------------------------------------------------------------------===//

#include "TokenPanels.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <numeric>

using namespace mlir;
using namespace bitnet;

namespace {

class TilePanel : Panel {
public:
  TilePanel(KernelBuilder &b, const PanelTask &task) : Panel(b, task) {
    // Chunks end where tiles do.
    int64_t whole = tileRows / std::gcd(fields, tileRows);
    // As many accumulators as leave registers for operands, but for packings
    // whose chunks are so long that the codes of two of them would be too many.
    bool few = task.tokens <= tileRows && whole * fields == tileRows;
    vectorsAtOnce = few ? 4 : 2;
    while (vectors % vectorsAtOnce != 0)
      --vectorsAtOnce;
    isPipelined = task.tokens <= getPanelStep(target);
    int64_t steps = codeBytes / (vectorsAtOnce * vectorBytes);
    chunk = isPipelined ? whole
                        : std::max<int64_t>(steps / fields / whole, 1) * whole;
    depth = std::min(tileRows, matmul.getBlocks() * fields);
    if (depth == tileRows)
      tail = matmul.getBlocks() * fields % tileRows;
  }

  void run() {
    shape = b.allocaVectors(MemRefType::get({shapeBytes}, b.getI8Type()));
    codes = b.allocaVectors(MemRefType::get(
        {(isPipelined ? 2 : 1) * getSlotBytes()}, b.getI8Type()));
    sums = b.allocaVectors(
        MemRefType::get({task.tokens, vectorsAtOnce * lanes}, b.getI32Type()));
    clearTail();
    int64_t groups = llvm::divideCeil(task.tokens, getPanelStep(target));
    isUniform = task.tokens % groups == 0;
    if (isUniform)
      configure(task.tokens / groups);
    b.loop(b.index(0), b.index(vectors), vectorsAtOnce, [&](Value vector) {
      if (isPipelined)
        return overPipeline({b.index(0), task.tokens, vector});
      overChunks(
          [&](Value first, Value count) {
            overParts(first, count, vector,
                      [&](const Part &part) { fetchTouched(first, part); });
          },
          [&](Value first, Value count) {
            overParts(first, count, vector,
                      [&](const Part &part) { finish(part); });
          });
    });
    call("tilerelease", {});
  }

private:
  /// Of a register, in vectors of `vectorBytes`.
  static constexpr int64_t tileRows = 16, vectorBytes = 64;
  static constexpr int64_t shapeBytes = 64;
  /// Of unpacked codes: more, and stores of them miss the nearest cache.
  static constexpr int64_t codeBytes = 16384;
  /// The registers: sums by tile of tokens, then by vector.
  static constexpr int64_t firstSum = 0, firstToken = 4, firstCode = 6;

  //===--------------------------------------------------------------------===//
  // Instructions
  //===--------------------------------------------------------------------===//

  void call(const Twine &name, ValueRange operands) {
    b.create<LLVM::CallIntrinsicOp>(b.getStringAttr("llvm.x86." + name),
                                    operands);
  }

  Value tile(int64_t number) {
    return b.create<arith::ConstantIntOp>(b.getI8Type(), number);
  }

  /// Loads or stores rows that are `stride` bytes apart.
  void move(StringRef name, int64_t number, Value memref, ValueRange indices,
            Value stride) {
    Value bytes = b.create<arith::IndexCastOp>(b.getI64Type(), stride);
    call(name, {tile(number), b.address(memref, indices), bytes});
  }

  /// Gives the registers the shapes that products of `tokens` tokens take. They
  /// are lost where tiles are released, and tiles where shapes are given.
  void configure(int64_t tokens) {
    SmallVector<int8_t> bytes(shapeBytes, 0);
    auto set = [&](int64_t number, int64_t rows, int64_t columns) {
      bytes[16 + 2 * number] = columns;
      bytes[48 + number] = rows;
    };
    bytes[0] = 1; // the palette
    for (int64_t t = 0; t < countTiles(tokens); ++t) {
      int64_t rows = std::min(tokens - t * tileRows, tileRows);
      set(firstToken + t, rows, 4 * depth);
      for (int64_t v = 0; v < vectorsAtOnce; ++v)
        set(sumOf(t, v), rows, vectorBytes);
    }
    for (int64_t i : {0, 1})
      set(firstCode + i, depth, vectorBytes);
    Value shapes = b.create<arith::ConstantOp>(DenseElementsAttr::get(
        b.vectorType(shapeBytes, b.getI8Type()), ArrayRef<int8_t>(bytes)));
    b.storeVector(shapes, shape, b.index(0));
    call("ldtilecfg", b.address(shape, b.index(0)));
  }

  //===--------------------------------------------------------------------===//
  // Codes: by vector, then by step. Of a last tile that K does not fill, a copy
  // follows them that ends with the last step and begins with zeros: with it,
  // the last activations are multiplied whether or not they were before.
  //===--------------------------------------------------------------------===//

  int64_t getStepsHeld() const {
    return chunk * fields + (tail ? tileRows : 0);
  }
  /// Of a vector's steps.
  int64_t getPlaneBytes() const { return getStepsHeld() * vectorBytes; }
  int64_t getSlotBytes() const { return vectorsAtOnce * getPlaneBytes(); }

  /// Where a step of the chunk that begins with block `first` is.
  Value codesAt(Value first, Value step, int64_t vector) {
    Value at = b.add(b.mul(step, vectorBytes), vector * getPlaneBytes());
    if (!isPipelined)
      return at;
    Value slot = b.rem(b.floorDiv(first, chunk), 2);
    return b.add(b.mul(slot, getSlotBytes()), at);
  }

  Value tailAt(int64_t row, int64_t vector) {
    return codesAt(b.index(getLastChunk()), b.index(chunk * fields + row),
                   vector);
  }

  void clearTail() {
    for (int64_t v = 0; tail && v < vectorsAtOnce; ++v)
      for (int64_t row = 0; row < tileRows - tail; ++row)
        b.storeVector(b.zeroVector(vectorBytes, b.getI8Type()), codes,
                      tailAt(row, v));
  }

  void copyTail(int64_t steps) {
    for (int64_t v = 0; v < vectorsAtOnce; ++v)
      for (int64_t row = 0; row < tail; ++row) {
        Value from =
            codesAt(b.index(getLastChunk()), b.index(steps - tail + row), v);
        b.storeVector(b.loadVector(codes, from, vectorBytes), codes,
                      tailAt(tileRows - tail + row, v));
      }
  }

  void unpackChunk(Value first, Value count, Value vector) {
    unpack(
        first, count, vector, vectorsAtOnce,
        [&](Value step, int64_t v) { return codesAt(first, step, v); },
        /*streams=*/isPipelined);
    if (tail && KernelBuilder::constant(first) == getLastChunk())
      copyTail(*KernelBuilder::constant(count) * fields);
  }

  //===--------------------------------------------------------------------===//
  // Sums
  //===--------------------------------------------------------------------===//

  static int64_t countTiles(int64_t tokens) {
    return llvm::divideCeil(tokens, tileRows);
  }

  int64_t sumOf(int64_t tokenTile, int64_t vector) const {
    return firstSum + tokenTile * vectorsAtOnce + vector;
  }

  void overSums(const Part &part,
                llvm::function_ref<void(int64_t, SmallVector<Value>)> visit) {
    for (int64_t t = 0; t < countTiles(part.tokens); ++t)
      for (int64_t v = 0; v < vectorsAtOnce; ++v)
        visit(sumOf(t, v),
              {b.add(part.token, t * tileRows), b.index(v * lanes)});
  }

  Value sumStride() { return b.index(vectorsAtOnce * vectorBytes); }

  void loadSums(const Part &part) {
    overSums(part, [&](int64_t number, SmallVector<Value> at) {
      move("tileloadd64", number, sums, at, sumStride());
    });
  }

  void clearSums(const Part &part) {
    overSums(part, [&](int64_t number, SmallVector<Value>) {
      call("tilezero", tile(number));
    });
  }

  void storeSums(const Part &part) {
    overSums(part, [&](int64_t number, SmallVector<Value> at) {
      move("tilestored64", number, sums, at, sumStride());
    });
  }

  /// Sums of the chunks before, which there are unless `first` is 0.
  void startSums(Value first, const Part &part) {
    if (std::optional<int64_t> at = KernelBuilder::constant(first))
      return *at ? loadSums(part) : clearSums(part);
    Value begin =
        b.create<arith::CmpIOp>(arith::CmpIPredicate::eq, first, b.index(0));
    b.conditional(begin, [&] { clearSums(part); }, [&] { loadSums(part); });
  }

  /// Brings the sums of all tokens and some vectors to a chunk's end.
  void overParts(Value first, Value count, Value vector,
                 llvm::function_ref<void(const Part &)> visit) {
    unpackChunk(first, count, vector);
    int64_t steps = *KernelBuilder::constant(count) * fields;
    b.groups(b.index(0), task.tokens, getPanelStep(target),
             [&](Value token, int64_t some) {
               Part part{token, some, vector};
               if (!isUniform)
                 configure(some);
               startSums(first, part);
               multiply(first, steps, part);
               storeSums(part);
               visit(part);
             });
  }

  /// Where the registers hold the sums of all tokens, they stay there, and a
  /// chunk is unpacked while that before it is multiplied.
  void overPipeline(const Part &part) {
    int64_t last = getLastChunk(), left = matmul.getBlocks() - last;
    clearSums(part);
    unpackChunk(b.index(0), b.index(last ? chunk : left), part.vector);
    auto multiplyWhole = [&](Value first) {
      multiply(first, chunk * fields, part);
    };
    b.loop(b.index(0), b.index(last - chunk), chunk, [&](Value first) {
      unpackChunk(b.add(first, chunk), b.index(chunk), part.vector);
      multiplyWhole(first);
    });
    if (last) {
      unpackChunk(b.index(last), b.index(left), part.vector);
      multiplyWhole(b.index(last - chunk));
    }
    multiply(b.index(last), left * fields, part);
    storeSums(part);
    finish(part);
  }

  /// Asks for codes of the next tile while step `i` of a part multiplies: no
  /// more of them than the machine queues beside its other loads.
  void fetchNextTile(Value first, Value i, const Part &part) {
    int64_t blocks = matmul.getBlocks();
    int64_t share = packing.getBlockBytes() * vectorsAtOnce / vectors;
    int64_t partBytes = share * chunk / task.tokens;
    int64_t bytes = partBytes * part.tokens * tileRows / (chunk * fields);
    Value next = blockAt(b.index(blocks));
    next = b.add(next,
                 b.mul(b.floorDiv(part.vector, vectorsAtOnce), share * blocks));
    next = b.add(next, b.mul(first, share));
    next = b.add(next, b.mul(part.token, partBytes));
    next = b.add(next, b.mul(i, bytes));
    for (int64_t at = 0; at < bytes; at += KernelBuilder::cacheLine)
      b.prefetch(matmul.weight, b.add(next, at));
  }

  void multiply(Value first, int64_t steps, const Part &part) {
    Value k = b.mul(first, packing.getBlock());
    if (depth < tileRows)
      return multiplyTile(k, codesAt(first, b.index(0), 0), part);
    b.loop(b.index(0), b.index(steps / tileRows), 1, [&](Value i) {
      if (!isPipelined)
        fetchNextTile(first, i, part);
      multiplyTile(b.add(k, b.mul(i, 4 * tileRows)),
                   codesAt(first, b.mul(i, tileRows), 0), part);
    });
    if (steps % tileRows == 0)
      return;
    int64_t columns = matmul.getBlocks() * packing.getBlock();
    multiplyTile(b.index(columns - 4 * tileRows), tailAt(0, 0), part);
  }

  /// `at` is where the codes of the first vector are.
  void multiplyTile(Value k, Value at, const Part &part) {
    int64_t tiles = countTiles(part.tokens);
    auto multiply = [&](int64_t t, int64_t v, int64_t code) {
      call("tdpbsud",
           {tile(sumOf(t, v)), tile(firstToken + t), tile(firstCode + code)});
    };
    auto loadTokens = [&](int64_t t) {
      Value row = b.add(task.token, b.add(part.token, t * tileRows));
      move("tileloadd64", firstToken + t, matmul.lhs, {row, k},
           b.stride(matmul.lhs, 0));
    };
    auto loadCodes = [&](int64_t v) {
      move("tileloadd64", firstCode + v % 2, codes,
           b.add(at, v * getPlaneBytes()), b.index(vectorBytes));
    };
    // A register is loaded while products of others go on.
    loadTokens(0);
    for (int64_t v = 0; v < vectorsAtOnce; ++v) {
      loadCodes(v);
      multiply(0, v, v % 2);
    }
    if (tiles == 1)
      return;
    loadTokens(1);
    for (int64_t v = 0; v < vectorsAtOnce; ++v)
      multiply(1, v, v);
  }

  void finish(const Part &part) {
    b.groups(part.token, part.tokens, 4, [&](Value token, int64_t some) {
      SmallVector<Value> values;
      for (int64_t t = 0; t < some; ++t)
        for (int64_t v = 0; v < vectorsAtOnce; ++v)
          values.push_back(
              b.loadVector(sums, {b.add(token, t), b.index(v * lanes)}, lanes));
      task.finish(values, token, part.vector, vectorsAtOnce);
    });
  }

  Value shape, sums;
  int64_t depth;    // steps of a tile, fewer than its rows where K has fewer
  int64_t tail = 0; // steps of the last tile, where K does not fill it
  bool isPipelined;
  bool isUniform; // whether all groups of tokens have the same shapes
};

} // namespace

void bitnet::emitTilePanel(KernelBuilder &b, const PanelTask &task) {
  TilePanel(b, task).run();
}
