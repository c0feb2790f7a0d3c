//===- Attention.cpp - Rotary embedding and attention ---------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <cmath>

using namespace mlir;
using namespace bitnet::onnx;

static bool isGiven(Value value) { return value && !isAbsent(value); }

static Value sizeIn(Scalars &s, OpFoldResult size) {
  return getValueOrCreateConstantIndexOp(s.b, s.loc, size);
}

/// [B, S, heads * D] as [B, S, heads, D].
static Value splitHeads(Emitter &e, Value x, int64_t heads) {
  Sizes sizes = e.sizes(x);
  Scalars s(e.b, e.loc);
  OpFoldResult depth = e.asSize(s.div(e.asValue(sizes[2]), s.index(heads)));
  return e.reshape(x, {sizes[0], sizes[1], e.asSize(heads), depth});
}

//===----------------------------------------------------------------------===//
// RotaryEmbedding
//===----------------------------------------------------------------------===//

static LogicalResult lowerRotary(Emitter &e, RotaryEmbeddingOp op) {
  Value x = e.get(op.getX());
  Sizes given = e.sizes(x);
  int64_t seqDim = 2;
  if (given.size() == 3) {
    if (op.getNumHeads().value_or(0) < 1)
      return e.unsupported(op, "num_heads is missing");
    x = splitHeads(e, x, *op.getNumHeads());
    seqDim = 1;
  }
  Sizes sizes = e.sizes(x);
  Value cosines = e.get(op.getCosCache()), sines = e.get(op.getSinCache());
  bool byPosition = isGiven(op.getPositionIds());
  if (sizes.size() != 4 || Emitter::rank(cosines) != (byPosition ? 2 : 3))
    return e.unsupported(op, "the ranks of its inputs do not fit");
  Value ids = byPosition ? e.get(op.getPositionIds()) : Value();
  bool interleaved = op.getInterleaved();
  Scalars outer(e.b, e.loc);
  Value rotated = op.getRotaryEmbeddingDim() > 0
                      ? outer.index(op.getRotaryEmbeddingDim())
                      : e.asValue(sizes[3]);
  Value half = outer.div(rotated, outer.index(2));
  Sizes cacheSizes = e.sizes(cosines);
  Sizes idSizes = byPosition ? e.sizes(ids) : Sizes();
  Type element = Emitter::element(x), wide = computeType(element);

  auto body = [&](Scalars &s, Values &at) {
    Value depth = at[3], two = s.index(2), isFirst, pair;
    Value inside = s.compare(Compare::LT, depth, rotated);
    if (interleaved) {
      isFirst = s.compare(Compare::EQ, s.rem(depth, two), s.index(0));
      pair = s.div(depth, two);
    } else {
      isFirst = s.compare(Compare::LT, depth, half);
      pair = s.select(isFirst, depth, s.sub(depth, half));
    }
    // Beyond the rotated part the pair only has to be a valid one.
    pair = s.select(inside, pair, s.index(0));
    auto read = [&](Value position) {
      Values from = at;
      from[3] = position;
      return s.cast(e.extract(s.b, x, from), wide);
    };
    Value base = interleaved ? s.mul(pair, two) : pair;
    Value x1 = read(base);
    Value x2 = read(s.add(base, interleaved ? s.index(1) : half));
    Values angle = {at[0], at[seqDim]};
    for (auto [i, position] : llvm::enumerate(angle))
      position = wrapIndex(s, position,
                           sizeIn(s, byPosition ? idSizes[i] : cacheSizes[i]));
    if (byPosition)
      angle = {wrapIndex(s, s.toIndex(e.extract(s.b, ids, angle)),
                         sizeIn(s, cacheSizes[0]))};
    angle.push_back(wrapIndex(s, pair, sizeIn(s, cacheSizes.back())));
    Value cosine = s.cast(e.extract(s.b, cosines, angle), wide);
    Value sine = s.cast(e.extract(s.b, sines, angle), wide);
    Value first = s.sub(s.mul(cosine, x1), s.mul(sine, x2));
    Value second = s.add(s.mul(sine, x1), s.mul(cosine, x2));
    Value turned = s.select(isFirst, first, second);
    return s.select(inside, turned, read(depth));
  };
  Value y = e.generate(sizes, element, body);
  e.set(op.getY(), e.reshape(y, given));
  return success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {

/// The parts of an Attention with its tensors as [B, heads, S, D].
struct AttentionLowering {
  Emitter &e;
  AttentionOp op;
  Value q, k, v;
  OpFoldResult pastLength;

  LogicalResult run();

private:
  LogicalResult readInputs();
  Value headsFirst(Value x, std::optional<int64_t> heads);
  /// The product of grouped query heads with their key or value head.
  Value groupedMatMul(Value x, Value y, bool transposed);
  Value paddedMask();
  Value bias(Scalars &s, Value mask);
  Value probabilities(Value scores, Value biases);
};

} // namespace

Value AttentionLowering::headsFirst(Value x, std::optional<int64_t> heads) {
  if (Emitter::rank(x) == 4)
    return x;
  if (Emitter::rank(x) != 3 || heads.value_or(0) < 1)
    return nullptr;
  return e.transpose(splitHeads(e, x, *heads), {0, 2, 1, 3});
}

LogicalResult AttentionLowering::readInputs() {
  q = headsFirst(e.get(op.getQ()), op.getQNumHeads());
  k = headsFirst(e.get(op.getK()), op.getKvNumHeads());
  v = headsFirst(e.get(op.getV()), op.getKvNumHeads());
  if (!q || !k || !v)
    return e.unsupported(op, "its numbers of heads are missing");
  pastLength = e.asSize(0);
  if (isGiven(op.getPastKey()) && isGiven(op.getPastValue())) {
    Value pastKey = e.get(op.getPastKey());
    pastLength = e.sizes(pastKey)[2];
    k = e.concat({pastKey, k}, 2);
    v = e.concat({e.get(op.getPastValue()), v}, 2);
  }
  auto heads = getConstantIntValue(e.sizes(q)[1]);
  auto kvHeads = getConstantIntValue(e.sizes(k)[1]);
  if (heads && kvHeads && (*kvHeads < 1 || *heads % *kvHeads != 0))
    return e.unsupported(op, "its query heads do not divide by its key heads");
  return success();
}

Value AttentionLowering::groupedMatMul(Value x, Value y, bool transposed) {
  Sizes sizes = e.sizes(x);
  OpFoldResult groups = e.sizes(y)[1];
  Scalars s(e.b, e.loc);
  OpFoldResult repeat =
      Emitter::areEqual(sizes[1], groups)
          ? e.asSize(1)
          : e.asSize(s.div(e.asValue(sizes[1]), e.asValue(groups)));
  Sizes grouped = sizes;
  grouped[1] = groups;
  grouped.insert(grouped.begin() + 2, repeat);
  Value result = emitMatMul(
      e, {e.reshape(x, grouped), {}},
      {e.insertUnits(y, 2), transposed ? Ints{0, 1, 2, 4, 3} : Ints()},
      computeType(Emitter::element(y)));
  sizes[3] = e.sizes(result).back();
  return e.reshape(result, sizes);
}

/// The mask with as many columns as there are keys; missing ones are masked.
Value AttentionLowering::paddedMask() {
  Value mask = e.get(op.getAttnMask());
  Sizes sizes = e.sizes(mask);
  OpFoldResult keys = e.sizes(k)[2];
  if (sizes.empty() || Emitter::areEqual(sizes.back(), keys))
    return mask;
  Type type = Emitter::element(mask);
  Scalars s(e.b, e.loc);
  Value fill = s.lowest(type);
  Sizes low(sizes.size(), e.asSize(0)), high = low;
  high.back() = e.maxSizes(e.subSizes(keys, sizes.back()), e.asSize(0));
  Value padded = tensor::PadOp::create(e.b, e.loc, Type(), mask, low, high,
                                       fill, /*nofold=*/false);
  Sizes target = sizes;
  target.back() = keys;
  Value result = e.slice(padded, low, target);
  return result;
}

/// What is added to the score at a position: 0, the mask, or -inf.
Value AttentionLowering::bias(Scalars &s, Value mask) {
  Type type = computeType(Emitter::element(q));
  Value hidden = s.lowest(type), total = s.constant(type, 0);
  if (mask && mask.getType().isInteger(1))
    total = s.select(mask, total, hidden);
  else if (mask)
    total = s.cast(mask, type);
  Value row = s.position(2), column = s.position(3);
  Value valid, offset = sizeIn(s, pastLength);
  if (isGiven(op.getNonpadKvSeqlen())) {
    valid =
        s.toIndex(e.extract(s.b, e.get(op.getNonpadKvSeqlen()), s.position(0)));
    offset = s.sub(valid, sizeIn(s, e.sizes(q)[2]));
  }
  Value at = s.add(row, offset);
  auto hideUnless = [&](Value condition) {
    total = s.select(condition, total, hidden);
  };
  if (op.getIsCausal())
    hideUnless(s.compare(Compare::LE, column, at));
  int64_t left = op.getLeftWindowSize(), right = op.getRightWindowSize();
  if (left >= 0)
    hideUnless(s.compare(Compare::LE, s.sub(at, column), s.index(left)));
  if (right >= 0)
    hideUnless(s.compare(Compare::LE, s.sub(column, at), s.index(right)));
  if (valid)
    hideUnless(s.compare(Compare::LT, column, valid));
  return total;
}

/// The softmax, 0 in rows that are masked altogether.
Value AttentionLowering::probabilities(Value scores, Value biases) {
  Value soft = emitSoftmax(e, scores, 3);
  Value open = e.reduce(biases, {3}, /*keepDims=*/true, Reduction::Max);
  return e.map({soft, open}, Emitter::element(soft),
               [](Scalars &s, ArrayRef<Value> x) {
                 Type type = x[0].getType();
                 Value masked = s.compare(Compare::EQ, x[1], s.lowest(type));
                 return s.select(masked, s.constant(type, 0), x[0]);
               });
}

LogicalResult AttentionLowering::run() {
  if (failed(readInputs()))
    return failure();
  Type element = Emitter::element(q), type = computeType(element);
  Sizes sizes = e.sizes(q);
  Scalars outer(e.b, e.loc);
  Value scale;
  if (op.getScale()) {
    scale = outer.constant(type, op.getScale()->convertToDouble());
  } else {
    Value depth = outer.cast(e.asValue(sizes[3]), type);
    scale =
        outer.div(outer.constant(type, 1), outer.apply<math::SqrtOp>(depth));
  }
  double softcap = op.getSoftcap().convertToDouble();
  Value raw = groupedMatMul(q, k, /*transposed=*/true);
  Sizes scoreSizes = e.sizes(raw);
  Value scaled = e.map(raw, type, [&](Scalars &s, ArrayRef<Value> x) {
    return s.mul(x[0], scale);
  });
  Value capped = scaled;
  if (softcap > 0)
    capped = e.map(scaled, type, [&](Scalars &s, ArrayRef<Value> x) {
      Value cap = s.constant(type, softcap);
      return s.mul(s.apply<math::TanhOp>(s.div(x[0], cap)), cap);
    });
  Value mask = isGiven(op.getAttnMask()) ? paddedMask() : Value();
  Value biases;
  if (mask)
    biases = e.map(
        mask, type,
        [&](Scalars &s, ArrayRef<Value> x) { return bias(s, x[0]); }, false,
        scoreSizes);
  else
    biases = e.generate(scoreSizes, type,
                        [&](Scalars &s, Values &) { return bias(s, nullptr); });
  Value biased =
      e.map({capped, biases}, type,
            [](Scalars &s, ArrayRef<Value> x) { return s.add(x[0], x[1]); });
  Value weights = probabilities(biased, biases);
  Value y = groupedMatMul(weights, v, /*transposed=*/false);
  if (Emitter::rank(op.getQ()) == 3) {
    y = e.transpose(y, {0, 2, 1, 3});
    Sizes split = e.sizes(y);
    y = e.reshape(y, {split[0], split[1], e.product({split[2], split[3]})});
  }
  e.set(op.getY(), e.castElements(y, element));
  if (!isAbsent(op.getPresentKey()))
    e.set(op.getPresentKey(), k);
  if (!isAbsent(op.getPresentValue()))
    e.set(op.getPresentValue(), v);
  if (!isAbsent(op.getQkMatmulOutput())) {
    Value shown[] = {scaled, capped, biased, weights};
    int64_t mode = std::clamp<int64_t>(op.getQkMatmulOutputMode(), 0, 3);
    e.set(op.getQkMatmulOutput(), e.castElements(shown[mode], element));
  }
  return success();
}

static LogicalResult lowerAttention(Emitter &e, AttentionOp op) {
  return AttentionLowering{e, op, {}, {}, {}, {}}.run();
}

void bitnet::onnx::addAttentionLowerings(LoweringTable &table) {
  table.add(lowerRotary);
  table.add(lowerAttention);
}
