//===- LowerAttention.cpp - Loops of bitnet.attention ---------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

using namespace mlir;
using namespace bitnet;

namespace {

/// Online softmax (Milakov and Gimelshein, arXiv 1805.02867): keys are visited
/// in blocks; the running maximum, sum and weighted values are rescaled
/// whenever the maximum grows. No row of scores is ever stored whole.
///
/// A parallel iteration has a tile of queries: heads that share keys, of a
/// block of tokens, so that a row of the cache is read once for all of them.
/// Within a block of keys, few queries and keys (or parts of values) at a time
/// are multiplied in registers.
class AttentionLowering {
public:
  AttentionLowering(KernelBuilder &b, AttentionOp op,
                    const VectorTarget &target)
      : b(b), op(op), lanes(target.getLanes(32)),
        sums(target.getRegisters() / 2), tokens(b.dim(op.getQuery(), 2)) {
    depth = staticDim(op.getQuery(), 3);
    valueDepth = staticDim(op.getValue(), 3);
    keyLanes = lanesFor(depth);
    valueLanes = lanesFor(valueDepth);
    isSingle = KernelBuilder::constant(tokens) == 1;
    keyBlock = isSingle ? 128 : 64;
    chooseQueries();
  }

  void run() {
    Value heads = b.dim(op.getQuery(), 1), groups = b.dim(op.getKey(), 1);
    Value headsAGroup = b.createOrFold<arith::DivUIOp>(heads, groups);
    Value headTiles = b.floorDiv(heads, headsAtOnce);
    Value tokenTiles = b.ceilDiv(tokens, tokensAtOnce);
    Value tiles = b.mul(b.mul(b.dim(op.getQuery(), 0), headTiles), tokenTiles);
    b.parallel(tiles, [&](Value tile) {
      Value rest = b.createOrFold<arith::DivUIOp>(tile, tokenTiles);
      firstToken =
          b.mul(b.createOrFold<arith::RemUIOp>(tile, tokenTiles), tokensAtOnce);
      tileTokens = isSingle
                       ? b.index(1)
                       : b.create<arith::MinSIOp>(b.sub(tokens, firstToken),
                                                  b.index(tokensAtOnce));
      batch = b.createOrFold<arith::DivUIOp>(rest, headTiles);
      firstHead =
          b.mul(b.createOrFold<arith::RemUIOp>(rest, headTiles), headsAtOnce);
      group = b.createOrFold<arith::DivUIOp>(firstHead, headsAGroup);
      auto scope = b.create<memref::AllocaScopeOp>(TypeRange());
      OpBuilder::InsertionGuard guard(b);
      b.createBlock(&scope.getBodyRegion());
      attend();
      b.create<memref::AllocaScopeReturnOp>(ValueRange());
    });
  }

private:
  /// A query of the tile.
  struct Query {
    Value head, token; // in the tile
  };

  static int64_t staticDim(Value memref, int64_t dim) {
    return cast<MemRefType>(memref.getType()).getDimSize(dim);
  }

  /// The widest vector that a row is a whole number of.
  int64_t lanesFor(int64_t extent) const {
    int64_t result = lanes;
    while (extent % result)
      result /= 2;
    return result;
  }

  /// The heads and tokens of a tile. Where the cache is large, its rows come
  /// from memory once a tile; what the tile holds should stay in a cache.
  void chooseQueries() {
    int64_t heads = staticDim(op.getQuery(), 1),
            groups = staticDim(op.getKey(), 1);
    if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(groups)) {
      headsAtOnce = std::min<int64_t>(heads / groups, 8);
      while (heads / groups % headsAtOnce)
        --headsAtOnce;
    }
    tokensAtOnce = isSingle ? 1 : std::max<int64_t>(1, 64 / headsAtOnce);
  }

  //===--------------------------------------------------------------------===//
  // Queries
  //===--------------------------------------------------------------------===//

  using QueryBody = llvm::function_ref<void(ArrayRef<Query>)>;

  /// Visits all queries of the tile, up to four at a time: heads of one token,
  /// or several tokens of few heads.
  void forQueries(QueryBody body) {
    int64_t steps = llvm::divideCeil(headsAtOnce, 4);
    int64_t heads = llvm::divideCeil(headsAtOnce, steps);
    int64_t together = std::min(tokensAtOnce, std::max<int64_t>(1, 4 / heads));
    auto visit = [&](Value token, int64_t count) {
      for (int64_t h = 0; h < headsAtOnce; h += heads) {
        SmallVector<Query> queries;
        for (int64_t i = h; i < std::min(h + heads, headsAtOnce); ++i)
          for (int64_t t = 0; t < count; ++t)
            queries.push_back({b.index(i), b.add(token, t)});
        body(queries);
      }
    };
    Value whole = b.mul(b.floorDiv(tileTokens, together), together);
    b.loop(b.index(0), whole, together,
           [&](Value token) { visit(token, together); });
    if (together > 1)
      b.loop(whole, tileTokens, 1, [&](Value token) { visit(token, 1); });
  }

  void forEachQuery(llvm::function_ref<void(Query)> body) {
    b.loop(b.index(0), b.index(headsAtOnce), 1, [&](Value head) {
      b.loop(b.index(0), tileTokens, 1,
             [&](Value token) { body({head, token}); });
    });
  }

  Value headOf(Query query) { return b.add(firstHead, query.head); }
  Value tokenOf(Query query) { return b.add(firstToken, query.token); }

  /// How many keys exist for a token of the tile.
  Value visibleKeys(Value token) {
    Value position = op.getPosition() ? op.getPosition() : b.index(0);
    if (op.getCausal())
      return b.add(b.add(position, b.add(firstToken, token)), 1);
    return op.getPosition() ? b.add(position, tokens) : b.dim(op.getKey(), 2);
  }

  //===--------------------------------------------------------------------===//
  // Scores
  //===--------------------------------------------------------------------===//

  /// An index of the mask, which broadcasts; a dynamic extent may turn out to
  /// be 1.
  Value alongMask(int64_t dim, Value i) {
    int64_t extent = staticDim(op.getMask(), dim);
    if (extent == 1)
      return b.index(0);
    return ShapedType::isDynamic(extent)
               ? b.createOrFold<arith::RemUIOp>(i, b.dim(op.getMask(), dim))
               : i;
  }

  /// Vectors of a row between two fetches: as many as fill a line.
  int64_t vectorsALine(Value memref, int64_t extent, int64_t width) const {
    auto type = cast<MemRefType>(memref.getType());
    int64_t count =
        KernelBuilder::cacheLine * 8 / type.getElementTypeBitWidth() / width;
    return count > 1 && extent % (count * width) == 0 ? count : 1;
  }

  Value loadPart(Value memref, Value key, Value d, int64_t width) {
    return b.toFloat(b.loadVector(memref, {batch, group, key, d}, width));
  }

  /// For each query, the products with keys [key, key + count) before their
  /// lanes are summed. A single token's values are fetched meanwhile; a prompt
  /// reads each row for many tokens.
  SmallVector<Value> multiply(ArrayRef<Query> queries, Value key,
                              int64_t count) {
    int64_t vectors = vectorsALine(op.getKey(), depth, keyLanes);
    SmallVector<Value> zeros(queries.size() * count,
                             b.zeroVector(keyLanes, b.getF32Type()));
    return b.reduce(
        b.index(0), b.index(depth), vectors * keyLanes, zeros,
        [&](Value d, ValueRange so) {
          SmallVector<Value> next(so);
          for (int64_t k = 0; isSingle && k < count; ++k)
            b.prefetch(op.getValue(), {batch, group, b.add(key, k), d});
          for (int64_t i = 0; i < vectors; ++i) {
            Value at = b.add(d, i * keyLanes);
            SmallVector<Value> parts;
            for (const Query &query : queries)
              parts.push_back(b.toFloat(b.loadVector(
                  op.getQuery(), {batch, headOf(query), tokenOf(query), at},
                  keyLanes)));
            for (int64_t k = 0; k < count; ++k) {
              Value row = loadPart(op.getKey(), b.add(key, k), at, keyLanes);
              for (auto [q, part] : llvm::enumerate(parts)) {
                Value &sum = next[q * count + k];
                sum = b.fma(part, row, sum);
              }
            }
          }
          return next;
        });
  }

  /// Neighbouring lanes of [lhs, rhs] summed.
  Value addPairs(Value lhs, Value rhs) {
    SmallVector<int64_t> even, odd;
    for (int64_t i = 0; i < keyLanes; ++i) {
      even.push_back(2 * i);
      odd.push_back(2 * i + 1);
    }
    return b.reduceAdd(b.create<vector::ShuffleOp>(lhs, rhs, even),
                       b.create<vector::ShuffleOp>(lhs, rhs, odd));
  }

  /// For each query, the products with `count` keys, summed as far as fits one
  /// vector: with keyLanes keys, lane i is the score of the i-th. Halves are
  /// finished one after the other, so that few vectors are alive.
  SmallVector<Value> multiplyKeys(ArrayRef<Query> queries, Value key,
                                  int64_t count) {
    int64_t most =
        llvm::bit_floor<uint64_t>(std::max<int64_t>(1, sums / queries.size()));
    SmallVector<Value> result;
    if (count > most) {
      SmallVector<Value> high;
      result = multiplyKeys(queries, key, count / 2);
      high = multiplyKeys(queries, b.add(key, count / 2), count / 2);
      for (auto [sum, other] : llvm::zip(result, high))
        sum = addPairs(sum, other);
      return result;
    }
    SmallVector<Value> products = multiply(queries, key, count);
    for (size_t q = 0; q < queries.size(); ++q) {
      SmallVector<Value> parts(ArrayRef(products).slice(q * count, count));
      for (; parts.size() > 1; parts.resize(parts.size() / 2))
        for (size_t i = 0; i < parts.size() / 2; ++i)
          parts[i] = addPairs(parts[2 * i], parts[2 * i + 1]);
      result.push_back(parts[0]);
    }
    return result;
  }

  /// The keys from the first of a block on that are read in whole vectors, of
  /// which the last may have more than `count` where there is memory.
  Value wholeVectors(Value first, Value count, int64_t width) {
    if (width == 1)
      return b.index(0);
    Value most = b.create<arith::MinSIOp>(b.mul(b.ceilDiv(count, width), width),
                                          b.sub(b.dim(op.getKey(), 2), first));
    return b.mul(b.floorDiv(most, width), width);
  }

  /// Products of a single token's queries with the keys of a block: lanes are
  /// elements of a row, which is read once.
  void multiplyRows(Value first, Value count) {
    Value whole = wholeVectors(first, count, keyLanes);
    b.loop(b.index(0), whole, keyLanes, [&](Value j) {
      forQueries([&](ArrayRef<Query> queries) {
        SmallVector<Value> products =
            multiplyKeys(queries, b.add(first, j), keyLanes);
        for (auto [query, sum] : llvm::zip(queries, products))
          b.storeVector(sum, scores, {query.head, query.token, j});
      });
    });
    b.loop(whole, count, 1, [&](Value j) {
      forQueries([&](ArrayRef<Query> queries) {
        SmallVector<Value> products = multiply(queries, b.add(first, j), 1);
        for (auto [query, sum] : llvm::zip(queries, products))
          b.store(b.sumLanes(sum), scores, {query.head, query.token, j});
      });
    });
  }

  /// Writes the keys of a block as columns, and zeros where there is no key:
  /// what memory holds there may be denormal numbers, which are slow.
  void transposeKeys(Value first, Value count) {
    Value zero = b.zeroVector(lanes, b.getF32Type());
    b.loop(b.mul(b.floorDiv(count, lanes), lanes), b.index(keyBlock), lanes,
           [&](Value j) {
             b.loop(b.index(0), b.index(depth), 1,
                    [&](Value d) { b.storeVector(zero, columns, {d, j}); });
           });
    Value whole =
        keyLanes == 1 ? b.index(0) : wholeVectors(first, count, lanes);
    b.loop(b.index(0), whole, lanes, [&](Value j) {
      b.loop(b.index(0), b.index(depth), keyLanes, [&](Value d) {
        SmallVector<Value> rows;
        for (int64_t i = 0; i < lanes; ++i)
          rows.push_back(
              loadPart(op.getKey(), b.add(first, b.add(j, i)), d, keyLanes));
        for (auto [i, part] : llvm::enumerate(b.transpose(rows)))
          b.storeVector(
              part, columns,
              {b.add(d, i * keyLanes / lanes), b.add(j, i * keyLanes % lanes)});
      });
    });
    b.loop(whole, count, 1, [&](Value j) {
      b.loop(b.index(0), b.index(depth), 1, [&](Value d) {
        Value key = b.add(first, j);
        b.store(b.toFloat(b.load(op.getKey(), {batch, group, key, d})), columns,
                {d, j});
      });
    });
  }

  /// Products of several tokens' queries with the keys of a block: lanes are
  /// keys. The last block may have few.
  void multiplyColumns(Value first, Value count) {
    transposeKeys(first, count);
    Value isFull = b.create<arith::CmpIOp>(arith::CmpIPredicate::sgt, count,
                                           b.index(keyBlock / 2));
    b.conditional(
        isFull, [&] { multiplyColumns(keyBlock); },
        [&] { multiplyColumns(keyBlock / 2); });
  }

  void multiplyColumns(int64_t keys) {
    int64_t most = sums / 4 * lanes;
    for (int64_t k = 0; k < keys; k += most)
      forQueries([&](ArrayRef<Query> queries) {
        int64_t parts = std::min(most, keys - k) / lanes;
        SmallVector<Value> zeros(queries.size() * parts,
                                 b.zeroVector(lanes, b.getF32Type()));
        SmallVector<Value> products = accumulate(
            queries, b.index(0), b.index(depth), zeros,
            [&](const Query &query, Value d) {
              return b.toFloat(b.load(
                  op.getQuery(), {batch, headOf(query), tokenOf(query), d}));
            },
            [&](Value d) {
              SmallVector<Value> row;
              for (int64_t i = 0; i < parts; ++i)
                row.push_back(
                    b.loadVector(columns, {d, b.index(k + i * lanes)}, lanes));
              return row;
            });
        for (auto [i, sum] : llvm::enumerate(products)) {
          const Query &query = queries[i / parts];
          b.storeVector(
              sum, scores,
              {query.head, query.token, b.index(k + i % parts * lanes)});
        }
      });
  }

  /// For each query, adds rows [low, high) of vectors, by a weight of the
  /// query's.
  SmallVector<Value>
  accumulate(ArrayRef<Query> queries, Value low, Value high, ValueRange initial,
             llvm::function_ref<Value(const Query &, Value)> weight,
             llvm::function_ref<SmallVector<Value>(Value)> row) {
    return b.reduce(low, high, 1, initial, [&](Value i, ValueRange so) {
      SmallVector<Value> parts = row(i), next;
      for (const Query &query : queries) {
        int64_t width = cast<VectorType>(parts[0].getType()).getNumElements();
        Value factor = b.splat(weight(query, i), width);
        for (Value part : parts)
          next.push_back(b.fma(factor, part, so[next.size()]));
      }
      return next;
    });
  }

  /// The scores of `width` keys (1: a scalar) from the sums of products; -inf
  /// for keys that the query does not see.
  Value finishScore(Value sum, Query query, Value key, int64_t width) {
    auto repeat = [&](Value value) {
      return width == 1 ? value : b.splat(value, width);
    };
    Value result = b.create<arith::MulFOp>(
        sum, repeat(b.f32(op.getScale().convertToDouble())));
    if (Value mask = op.getMask()) {
      SmallVector<Value> at{alongMask(0, batch), alongMask(1, headOf(query)),
                            alongMask(2, tokenOf(query)), key};
      Value bias =
          width == 1 ? b.load(mask, at) : b.loadVector(mask, at, width);
      result = b.create<arith::AddFOp>(result, b.toFloat(bias));
    }
    Value left = repeat(b.create<arith::IndexCastOp>(
        b.getI32Type(), b.sub(visibleKeys(query.token), key)));
    Value number = b.i32(0);
    if (width > 1) {
      auto numbers = llvm::to_vector(llvm::seq<int32_t>(0, width));
      number = b.create<arith::ConstantOp>(b.getI32VectorAttr(numbers));
    }
    Value isSeen =
        b.create<arith::CmpIOp>(arith::CmpIPredicate::slt, number, left);
    return b.create<arith::SelectOp>(isSeen, result, repeat(lowest()));
  }

  /// Makes a query's products of a block scores, with -inf up to a whole
  /// vector.
  void finishScores(Query query, Value first, Value count) {
    auto at = [&](Value j) {
      return SmallVector<Value>{query.head, query.token, j};
    };
    // There is no mask for keys beyond the last.
    Value whole = op.getMask() ? b.mul(b.floorDiv(count, lanes), lanes) : count;
    b.loop(b.index(0), whole, lanes, [&](Value j) {
      Value sum = b.loadVector(scores, at(j), lanes);
      b.storeVector(finishScore(sum, query, b.add(first, j), lanes), scores,
                    at(j));
    });
    if (!op.getMask())
      return;
    b.loop(whole, count, 1, [&](Value j) {
      Value sum = b.load(scores, at(j));
      b.store(finishScore(sum, query, b.add(first, j), 1), scores, at(j));
    });
    b.storeVector(b.splat(lowest(), lanes), scores, at(count));
  }

  //===--------------------------------------------------------------------===//
  // Softmax and values
  //===--------------------------------------------------------------------===//

  Value lowest() { return b.f32(-std::numeric_limits<double>::infinity()); }

  Value allocate(ArrayRef<int64_t> extents) {
    SmallVector<int64_t> shape{headsAtOnce, tokensAtOnce};
    llvm::append_range(shape, extents);
    return b.allocaVectors(MemRefType::get(shape, b.getF32Type()));
  }

  void attend() {
    scores = allocate({keyBlock + lanes});
    weighted = allocate({valueDepth});
    if (!isSingle)
      columns =
          b.allocaVectors(MemRefType::get({depth, keyBlock}, b.getF32Type()));
    if (!isSingle && !getElementTypeOrSelf(op.getValue()).isF32())
      values = b.allocaVectors(
          MemRefType::get({keyBlock, valuesAtOnce()}, b.getF32Type()));
    maxima = allocate({});
    totals = allocate({});
    factors = allocate({});
    Value zero = b.zeroVector(valueLanes, b.getF32Type());
    forEachQuery([&](Query query) {
      b.store(lowest(), maxima, {query.head, query.token});
      b.store(b.f32(0), totals, {query.head, query.token});
      b.loop(b.index(0), b.index(valueDepth), valueLanes, [&](Value e) {
        b.storeVector(zero, weighted, {query.head, query.token, e});
      });
    });
    Value keys = visibleKeys(b.sub(tileTokens, b.index(1)));
    b.loop(b.index(0), keys, keyBlock, [&](Value first) {
      Value count =
          b.create<arith::MinSIOp>(b.sub(keys, first), b.index(keyBlock));
      if (isSingle)
        multiplyRows(first, count);
      else
        multiplyColumns(first, count);
      forEachQuery([&](Query query) {
        finishScores(query, first, count);
        weigh(query, count);
      });
      addValues(first, count);
    });
    forEachQuery([&](Query query) { writeOutput(query); });
  }

  void writeOutput(Query query) {
    // A row whose keys are all masked by -inf is 0.
    Value sum = b.load(totals, {query.head, query.token});
    Value empty =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, sum, b.f32(0));
    Value inverse = b.create<arith::SelectOp>(
        empty, b.f32(0), b.create<arith::DivFOp>(b.f32(1), sum));
    b.loop(b.index(0), b.index(valueDepth), valueLanes, [&](Value e) {
      Value part =
          b.loadVector(weighted, {query.head, query.token, e}, valueLanes);
      b.storeVector(b.create<arith::MulFOp>(part, b.splat(inverse, valueLanes)),
                    op.getOutput(), {batch, headOf(query), tokenOf(query), e});
    });
  }

  /// Replaces a query's scores of a block by their exponentials.
  void weigh(Query query, Value count) {
    SmallVector<Value> place{query.head, query.token};
    auto each = [&](Value initial, auto body) {
      return b.reduce(b.index(0), count, lanes, initial,
                      [&](Value j, ValueRange so) {
                        SmallVector<Value> at{query.head, query.token, j};
                        return SmallVector<Value>{
                            body(at, b.loadVector(scores, at, lanes), so[0])};
                      })[0];
    };
    Value largest = b.load(maxima, place);
    Value highest =
        each(b.splat(largest, lanes), [&](ValueRange, Value score, Value so) {
          return b.maximum(score, so);
        });
    Value next = b.maximumLane(highest);
    // While every key so far is masked by -inf there is nothing to subtract.
    Value infinite =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, next, lowest());
    Value shift = b.create<arith::SelectOp>(infinite, b.f32(0), next);
    Value shifts = b.splat(shift, lanes);
    Value zero = b.zeroVector(lanes, b.getF32Type());
    Value partial = each(zero, [&](ValueRange at, Value score, Value so) {
      Value weight =
          b.create<math::ExpOp>(b.create<arith::SubFOp>(score, shifts));
      b.storeVector(weight, scores, at);
      return b.reduceAdd(so, weight);
    });
    Value factor =
        b.create<math::ExpOp>(b.create<arith::SubFOp>(largest, shift));
    Value total = b.create<arith::MulFOp>(b.load(totals, place), factor);
    b.store(b.create<arith::AddFOp>(total, b.sumLanes(partial)), totals, place);
    b.store(next, maxima, place);
    b.store(factor, factors, place);
  }

  /// How many keys of a block a query sees. The values of others must not be
  /// added, not even by a weight of 0: they may be infinite.
  Value seenKeys(const Query &query, Value first, Value count) {
    if (isSingle || !op.getCausal())
      return count;
    Value left = b.sub(visibleKeys(query.token), first);
    return b.create<arith::MaxSIOp>(b.create<arith::MinSIOp>(left, count),
                                    b.index(0));
  }

  int64_t valuesAtOnce() const { return sums / 4 * valueLanes; }

  /// Writes a part of the values of a block as f32, once for all queries of the
  /// tile.
  void widenValues(Value first, Value count, int64_t begin, int64_t width) {
    b.loop(b.index(0), count, 1, [&](Value j) {
      for (int64_t e = 0; e < width; e += valueLanes)
        b.storeVector(loadPart(op.getValue(), b.add(first, j),
                               b.index(begin + e), valueLanes),
                      values, {j, b.index(e)});
    });
  }

  /// Adds the values of a block by their weights, parts of them at a time.
  void addValues(Value first, Value count) {
    int64_t most = valuesAtOnce();
    for (int64_t e = 0; e < valueDepth; e += most) {
      int64_t width = std::min(most, valueDepth - e);
      if (values)
        widenValues(first, count, e, width);
      forQueries([&](ArrayRef<Query> queries) {
        addParts(queries, first, count, e, width);
      });
    }
  }

  /// The same for elements [begin, begin + width) of the values.
  void addParts(ArrayRef<Query> queries, Value first, Value count,
                int64_t begin, int64_t width) {
    SmallVector<Value> state;
    auto forParts = [&](auto body) {
      for (const Query &query : queries)
        for (int64_t e = begin; e < begin + width; e += valueLanes)
          body(query, SmallVector<Value>{query.head, query.token, b.index(e)});
    };
    forParts([&](const Query &query, ArrayRef<Value> at) {
      Value factor = b.load(factors, {query.head, query.token});
      state.push_back(b.create<arith::MulFOp>(
          b.loadVector(weighted, at, valueLanes), b.splat(factor, valueLanes)));
    });
    auto add = [&](ArrayRef<Query> some, Value low, Value high, ValueRange so) {
      return accumulate(
          some, low, high, so,
          [&](const Query &query, Value j) {
            return b.load(scores, {query.head, query.token, j});
          },
          [&](Value j) { return loadValues(first, j, begin, width); });
    };
    // The first query is of the earliest token; later ones see more.
    Value shared = seenKeys(queries.front(), first, count);
    state = add(queries, b.index(0), shared, state);
    int64_t parts = state.size() / queries.size();
    for (auto [i, query] : llvm::enumerate(queries)) {
      if (shared == count || query.token == queries.front().token)
        continue;
      auto own = MutableArrayRef(state).slice(i * parts, parts);
      llvm::copy(add(query, shared, seenKeys(query, first, count), own),
                 own.begin());
    }
    size_t next = 0;
    forParts([&](const Query &, ArrayRef<Value> at) {
      b.storeVector(state[next++], weighted, at);
    });
  }

  SmallVector<Value> loadValues(Value first, Value j, int64_t begin,
                                int64_t width) {
    SmallVector<Value> row;
    if (values) {
      for (int64_t e = 0; e < width; e += valueLanes)
        row.push_back(b.loadVector(values, {j, b.index(e)}, valueLanes));
      return row;
    }
    Value key = b.add(first, j);
    int64_t line = vectorsALine(op.getValue(), width, valueLanes);
    for (int64_t e = begin; e < begin + width; e += valueLanes) {
      row.push_back(loadPart(op.getValue(), key, b.index(e), valueLanes));
      // A key of the next block; a prompt reads each for many tokens.
      if (isSingle && (e - begin) / valueLanes % line == 0)
        b.prefetch(op.getKey(),
                   {batch, group, b.add(key, keyBlock), b.index(e)});
    }
    return row;
  }

  KernelBuilder &b;
  AttentionOp op;
  int64_t lanes; // of the machine's vectors
  int64_t sums;  // vectors of sums that leave room in the registers
  Value tokens;
  bool isSingle; // one token, known as such
  int64_t depth, valueDepth, keyLanes, valueLanes;
  int64_t keyBlock; // keys whose scores are held at a time; whole vectors
  int64_t headsAtOnce = 1, tokensAtOnce = 1;
  // Of the tile at hand:
  Value batch, group, firstHead, firstToken, tileTokens;
  // By head and token of the tile; then key of the block, or element.
  Value scores, weighted, maxima, totals, factors;
  Value columns; // by element and key of the block
  Value values;  // by key of the block and element of a part; null: as stored
};

} // namespace

LogicalResult bitnet::lowerAttention(KernelBuilder &b, AttentionOp op,
                                     const VectorTarget &target) {
  for (Value memref : {op.getQuery(), op.getValue()})
    if (cast<MemRefType>(memref.getType()).isDynamicDim(3))
      return op.emitOpError("needs static head dimensions");
  AttentionLowering(b, op, target).run();
  return success();
}
