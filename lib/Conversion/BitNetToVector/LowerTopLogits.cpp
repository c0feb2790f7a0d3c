//===- LowerTopLogits.cpp - Loops of bitnet.top_logits --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InnerLoop.h"

#include <limits>

using namespace mlir;
using namespace bitnet;

namespace {

/// Three rounds over all rows, each with less of them: by the high half bytes,
/// by both, by the weights. After the first two, what cannot be among the
/// largest has an upper bound below the `count`-th largest lower bound. Those
/// that look largest after the first get better lower bounds beforehand.
/// docs/lowerings.md derives the bounds.
class TopLogits {
public:
  TopLogits(KernelBuilder &b, TopLogitsOp op, const VectorTarget &target)
      : b(b), op(op), target(target.withFixedVectors()),
        lanes(target.getLanes(32)) {
    auto weight = cast<MemRefType>(op.getWeight().getType());
    rows = weight.getDimSize(0);
    columns = weight.getDimSize(1);
    rowBytes = TopLogitsOp::getRowBytes(columns);
    logits = op.getLogits();
    lower = op.getLower();
    minusInfinity = b.f32(-std::numeric_limits<double>::infinity());
  }

  void run() {
    quantizeHidden();
    wanted = b.load(op.getCount(), b.index(0));
    overRows([&](Value row) { screenRow(row); });
    Value likely = findLimit(logits);
    overRows([&](Value row) { raiseLower(row, likely); });
    Value limit = findLimit(lower);
    overRows([&](Value row) { refineRow(row, limit); });
    Value refined = countAbove(lower);
    limit = findLimit(lower);
    overRows([&](Value row) { finishRow(row, limit); });
    storeBytesRead(refined, countAbove(logits));
  }

private:
  //===--------------------------------------------------------------------===//
  // The hidden state in 16 bits
  //===--------------------------------------------------------------------===//

  Value vectorOf(double value) { return b.splat(b.f32(value), lanes); }

  /// h is about v * hiddenScale, v = 256 * planes[0] + planes[1].
  void quantizeHidden() {
    Type f32 = b.getF32Type();
    Value hidden = op.getHidden(), zero = b.index(0);
    auto magnitude = [&](Value x) {
      return b.create<math::AbsFOp>(x).getResult();
    };
    Value bulk = b.index(columns / lanes * lanes), end = b.index(columns);
    // The largest magnitude and the sum of squares.
    auto fold = [&](Value x, ValueRange so) {
      return SmallVector<Value>{
          b.create<arith::MaximumFOp>(so[0], magnitude(x)), b.fma(x, x, so[1])};
    };
    Value none = b.zeroVector(lanes, f32);
    SmallVector<Value> so =
        b.reduce(zero, bulk, lanes, {none, none}, [&](Value k, ValueRange so) {
          return fold(b.loadVector(hidden, {zero, k}, lanes), so);
        });
    so[0] =
        b.create<vector::ReductionOp>(vector::CombiningKind::MAXIMUMF, so[0]);
    so[1] = b.sumLanes(so[1]);
    so = b.reduce(bulk, end, 1, so, [&](Value k, ValueRange so) {
      return fold(b.load(hidden, {zero, k}), so);
    });
    // Sums of squares are off by a part in 2^24 a column at most.
    double slack = 1 + double(columns + 64) / (1 << 23);
    norm = b.create<arith::MulFOp>(b.create<math::SqrtOp>(so[1]), b.f32(slack));
    hiddenScale = b.create<arith::DivFOp>(so[0], b.f32(32512));
    Value inverse = b.create<arith::DivFOp>(b.f32(32512), so[0]);
    // Zeros, and what is not finite: v = 0, and bounds hold, or are infinite.
    Value usable = b.create<arith::AndIOp>(
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OGT, hiddenScale,
                                b.f32(0x1p-100)),
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, so[0],
                                b.f32(0x1p100)));
    inverse = b.create<arith::SelectOp>(usable, inverse, b.f32(0));
    hiddenScale = b.create<arith::SelectOp>(usable, hiddenScale, b.f32(0));
    Value isZero =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, so[0], b.f32(0));
    Value unbounded = b.create<arith::SelectOp>(
        isZero, b.f32(0), b.f32(std::numeric_limits<double>::infinity()));
    norm = b.create<arith::SelectOp>(usable, norm, unbounded);

    planes = b.allocaVectors(MemRefType::get({2, 2 * rowBytes}, b.getI8Type()));
    Value total = b.i32(0);
    total = b.reduce(
        zero, b.index(2 * rowBytes), 1, total, [&](Value k, ValueRange so) {
          return SmallVector<Value>{storePlanes(k, inverse, so[0])};
        })[0];
    hiddenSum = b.create<arith::ExtSIOp>(b.getI64Type(), total);
  }

  /// Column k in 16 bits, 0 where there is none; total plus it.
  Value storePlanes(Value k, Value inverse, Value total) {
    Value inside =
        b.create<arith::CmpIOp>(arith::CmpIPredicate::ult, k, b.index(columns));
    Value last = b.create<arith::MinUIOp>(k, b.index(columns - 1));
    Value x = b.create<arith::MulFOp>(
        b.load(op.getHidden(), {b.index(0), last}), inverse);
    x = b.create<math::RoundEvenOp>(x);
    x = b.minimum(b.maximum(x, b.f32(-32512)), b.f32(32512));
    Value v = b.create<arith::FPToSIOp>(b.getI32Type(), x);
    v = b.create<arith::SelectOp>(inside, v, b.i32(0));
    Value high = b.create<arith::ShRSIOp>(
        b.create<arith::AddIOp>(v, b.i32(128)), b.i32(8));
    auto narrow = [&](Value value, int64_t plane) {
      b.store(b.create<arith::TruncIOp>(b.getI8Type(), value), planes,
              {b.index(plane), k});
    };
    narrow(high, 0);
    narrow(v, 1); // the low byte of v - 256 * high
    return b.create<arith::AddIOp>(total, v);
  }

  //===--------------------------------------------------------------------===//
  // Rows
  //===--------------------------------------------------------------------===//

  void overRows(llvm::function_ref<void(Value)> visit) {
    constexpr int64_t share = 64;
    b.parallel(b.index(llvm::divideCeil(rows, share)), [&](Value part) {
      Value first = b.mul(part, share);
      Value last =
          b.createOrFold<arith::MinUIOp>(b.add(first, share), b.index(rows));
      b.loop(first, last, 1, visit);
    });
  }

  Value accumulator() {
    return b.zeroVector(target.hasDot() ? lanes : 4 * lanes, b.getI32Type());
  }

  /// sum + codes * activations, both of bytes.
  Value dot(Value sum, ArrayRef<Value> codes, ArrayRef<Value> activations) {
    if (!target.hasDot()) {
      auto wide = cast<VectorType>(sum.getType());
      for (auto [code, bytes] : llvm::zip(codes, activations))
        sum = b.create<arith::AddIOp>(
            sum,
            b.create<arith::MulIOp>(b.create<arith::ExtUIOp>(wide, code),
                                    b.create<arith::ExtSIOp>(wide, bytes)));
      return sum;
    }
    PartialSums partial; // two products of 15 * 128 in each part: 7680 at most
    for (auto [code, bytes] : llvm::zip(codes, activations))
      emitDot(b, target.getDotKind(), sum, partial, code, bytes);
    return emitWiden(b, sum, partial);
  }

  /// The sum of a row's half bytes times v, as i64. One row at a time: memory
  /// is read in order, which the machine follows by itself. A stream reads all
  /// rows one after the other.
  Value sumOf(Value codes, Value row, bool isStream) {
    SmallVector<Value> sums(2, accumulator());
    sums = b.reduce(
        b.index(0), b.index(rowBytes), 64, sums,
        [&](Value byte, ValueRange so) {
          SmallVector<Value> next(so);
          if (isStream)
            b.prefetchStream(codes, {row, byte});
          for (int64_t part = 0; part < 64; part += 4 * lanes) {
            Value bytes =
                b.loadVector(codes, {row, b.add(byte, part)}, 4 * lanes);
            SmallVector<Value, 2> halves;
            for (int64_t half : {0, 1})
              halves.push_back(extractField(b, target, bytes, half, 4));
            for (int64_t plane : {0, 1}) {
              SmallVector<Value, 2> activations;
              for (int64_t half : {0, 64})
                activations.push_back(b.loadVector(
                    planes,
                    {b.index(plane), b.add(b.mul(byte, 2), half + part)},
                    4 * lanes));
              next[plane] = dot(next[plane], halves, activations);
            }
          }
          return next;
        });
    auto whole = [&](Value vector) {
      return b.create<arith::ExtSIOp>(
          b.getI64Type(),
          b.create<vector::ReductionOp>(vector::CombiningKind::ADD, vector));
    };
    return b.create<arith::AddIOp>(times(whole(sums[0]), 256), whole(sums[1]));
  }

  Value i64(int64_t value) {
    return b.create<arith::ConstantIntOp>(b.getI64Type(), value);
  }
  Value times(Value value, int64_t factor) {
    return b.create<arith::MulIOp>(value, i64(factor));
  }

  /// The logit that a sum of codes stands for, in units of the row's scale.
  Value logitOf(Value row, Value sum, double unit) {
    Value value = b.create<arith::SIToFPOp>(b.getF32Type(), sum);
    Value scale = b.create<arith::MulFOp>(
        b.create<arith::MulFOp>(b.load(op.getScale(), row), hiddenScale),
        b.f32(unit));
    return b.create<arith::MulFOp>(value, scale);
  }

  /// Notes a logit and its lower bound.
  void note(Value row, Value value, int64_t level) {
    b.store(value, logits, {b.index(0), row});
    b.store(b.create<arith::SubFOp>(value, bound(row, level)), lower, row);
  }

  /// How far a logit is from the row's at most.
  Value bound(Value row, int64_t level) {
    Value factor = b.load(op.getBounds(), {b.index(level), row});
    // Products that underflow add next to nothing.
    return b.create<arith::AddFOp>(b.create<arith::MulFOp>(factor, norm),
                                   b.f32(0x1p-120));
  }

  /// A weight is scale / 2 * (32 * u - 241): the low half byte is taken for
  /// 7.5.
  void screenRow(Value row) {
    Value sum = sumOf(op.getHigh(), row, /*isStream=*/true);
    sum = b.create<arith::SubIOp>(times(sum, 32), times(hiddenSum, 241));
    note(row, logitOf(row, sum, 0.5), 0);
  }

  /// What is not comparable is not.
  Value isExcluded(Value row, Value limit, int64_t level) {
    Value logit = b.load(logits, {b.index(0), row});
    Value upper = b.create<arith::AddFOp>(logit, bound(row, level));
    return b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, upper, limit);
  }

  /// Runs `keep` where a row may be among the largest, else excludes it.
  void decide(Value row, Value limit, int64_t level,
              llvm::function_ref<void()> keep) {
    b.conditional(
        isExcluded(row, limit, level),
        [&] {
          b.store(minusInfinity, logits, {b.index(0), row});
          b.store(minusInfinity, lower, row);
        },
        keep);
  }

  /// By both half bytes.
  Value refine(Value row) {
    Value high = sumOf(op.getHigh(), row, /*isStream=*/false);
    Value low = sumOf(op.getLow(), row, /*isStream=*/false);
    Value sum = b.create<arith::AddIOp>(times(high, 16), low);
    return logitOf(row, b.create<arith::SubIOp>(sum, times(hiddenSum, 128)), 1);
  }

  /// A better lower bound for a row that is likely among the largest. Its logit
  /// stays that of the first round, as the upper bound's distance is.
  void raiseLower(Value row, Value likely) {
    Value logit = b.load(logits, {b.index(0), row});
    Value is =
        b.create<arith::CmpFOp>(arith::CmpFPredicate::OGE, logit, likely);
    b.conditional(
        is,
        [&] {
          Value better = b.create<arith::SubFOp>(refine(row), bound(row, 1));
          b.store(b.maximum(better, b.load(lower, row)), lower, row);
        },
        [] {});
  }

  void refineRow(Value row, Value limit) {
    fetchCandidate(row, limit);
    decide(row, limit, 0, [&] { note(row, refine(row), 1); });
  }

  /// Asks for a row that will be refined a few rows later. Few are, which
  /// nothing else asks for. Another thread may decide on it meanwhile: what is
  /// asked for changes no result.
  void fetchCandidate(Value row, Value limit) {
    Value later = b.create<arith::MinUIOp>(b.add(row, candidatesAhead),
                                           b.index(rows - 1));
    b.conditional(
        isExcluded(later, limit, 0), [] {},
        [&] {
          for (Value codes : {op.getHigh(), op.getLow()})
            b.loop(b.index(0), b.index(rowBytes), 64,
                   [&](Value byte) { b.prefetch(codes, {later, byte}); });
        });
  }

  void finishRow(Value row, Value limit) {
    decide(row, limit, 1, [&] {
      FloatDots dots;
      dots.depth = b.index(columns);
      dots.fused = target.hasFusedMultiplyAdd();
      auto load = [&](Value memref, Value at, Value k, int64_t width) {
        return b.toFloat(width ? b.loadVector(memref, {at, k}, width)
                               : b.load(memref, {at, k}));
      };
      dots.lhs = [&](int64_t, Value k, int64_t width) {
        return load(op.getHidden(), b.index(0), k, width);
      };
      dots.rhs = [&](int64_t, Value k, int64_t width) {
        return load(op.getWeight(), row, k, width);
      };
      // The head adds its product to zeros.
      Value logit = b.create<arith::AddFOp>(
          emitFloatDots(b, dots, lanes).front(), b.f32(0));
      b.store(logit, logits, {b.index(0), row});
    });
  }

  //===--------------------------------------------------------------------===//
  // Limits
  //===--------------------------------------------------------------------===//

  /// Folds the rows of a vector `[V]` or `[1, V]`.
  Value foldRows(Value memref, Value initial, vector::CombiningKind kind,
                 llvm::function_ref<Value(Value, int64_t)> map) {
    bool flat = cast<MemRefType>(memref.getType()).getRank() == 1;
    auto load = [&](Value row, int64_t width) {
      SmallVector<Value> at{row};
      if (!flat)
        at.insert(at.begin(), b.index(0));
      return map(width ? b.loadVector(memref, at, width) : b.load(memref, at),
                 width);
    };
    Value bulk = b.index(rows / lanes * lanes);
    auto combine = [&](Value lhs, Value rhs) {
      return vector::makeArithReduction(b, b.getLoc(), kind, lhs, rhs);
    };
    Value vector =
        b.reduce(b.index(0), bulk, lanes, b.splat(initial, lanes),
                 [&](Value row, ValueRange so) {
                   return SmallVector<Value>{combine(so[0], load(row, lanes))};
                 })[0];
    Value scalar = b.create<vector::ReductionOp>(kind, vector);
    return b.reduce(bulk, b.index(rows), 1, scalar,
                    [&](Value row, ValueRange so) {
                      return SmallVector<Value>{combine(so[0], load(row, 0))};
                    })[0];
  }

  /// How many are above, or no less than, a value; NaNs are not.
  Value countRows(Value memref, Value value, arith::CmpFPredicate predicate) {
    Type i32 = b.getI32Type();
    return foldRows(memref, b.i32(0), vector::CombiningKind::ADD,
                    [&](Value x, int64_t width) -> Value {
                      Value than = width ? b.splat(value, width) : value;
                      Value holds = b.create<arith::CmpFOp>(predicate, x, than);
                      Type type = width ? Type(b.vectorType(width, i32)) : i32;
                      return b.create<arith::ExtUIOp>(type, holds);
                    });
  }

  Value countAbove(Value memref) {
    return countRows(memref, minusInfinity, arith::CmpFPredicate::OGT);
  }

  /// The high half bytes, scales and bounds of all rows; both half bytes, then
  /// the weights, of some.
  void storeBytesRead(Value refined, Value finished) {
    auto type = cast<MemRefType>(op.getWeight().getType());
    auto wide = [&](Value count) {
      return b.create<arith::ExtUIOp>(b.getI64Type(), count);
    };
    Value bytes = i64(rows * (rowBytes + 12));
    bytes = b.create<arith::AddIOp>(bytes, times(wide(refined), 2 * rowBytes));
    bytes = b.create<arith::AddIOp>(
        bytes,
        times(wide(finished), columns * type.getElementTypeBitWidth() / 8));
    b.store(bytes, op.getRead(), b.index(0));
  }

  /// No more than the `wanted`-th largest of a value a row, and near it. That
  /// of one is the largest. For more, a distance from it doubles until it takes
  /// in enough.
  Value findLimit(Value values) {
    Value largest =
        foldRows(values, minusInfinity, vector::CombiningKind::MAXNUMF,
                 [](Value x, int64_t) { return x; });
    Value one =
        b.create<arith::CmpIOp>(arith::CmpIPredicate::sle, wanted, i64(1));
    auto enough = [&](Value distance) {
      Value limit = b.create<arith::SubFOp>(largest, distance);
      Value count = b.create<arith::ExtUIOp>(
          b.getI64Type(), countRows(values, limit, arith::CmpFPredicate::OGE));
      return b.create<arith::CmpIOp>(arith::CmpIPredicate::sge, count, wanted);
    };
    Value start = b.create<arith::AddFOp>(
        b.create<arith::MulFOp>(b.create<math::AbsFOp>(largest),
                                b.f32(0x1p-10)),
        b.f32(0x1p-100));
    Value zero = b.f32(0);
    start = b.create<arith::SelectOp>(one, zero, start);
    Value infinity = b.f32(std::numeric_limits<double>::infinity());
    auto loop = b.create<scf::WhileOp>(
        TypeRange(b.getF32Type()), ValueRange(start),
        [&](OpBuilder &nested, Location, ValueRange so) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPoint(nested.getInsertionBlock(),
                              nested.getInsertionPoint());
          Value finite = b.create<arith::CmpFOp>(arith::CmpFPredicate::OLT,
                                                 so[0], infinity);
          Value more = b.create<arith::XOrIOp>(
              enough(so[0]), b.create<arith::ConstantIntOp>(b.getI1Type(), 1));
          more = b.create<arith::AndIOp>(more, finite);
          Value several = b.create<arith::XOrIOp>(
              one, b.create<arith::ConstantIntOp>(b.getI1Type(), 1));
          more = b.create<arith::AndIOp>(more, several);
          b.create<scf::ConditionOp>(more, so);
        },
        [&](OpBuilder &nested, Location, ValueRange so) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPoint(nested.getInsertionBlock(),
                              nested.getInsertionPoint());
          Value twice = b.create<arith::AddFOp>(so[0], so[0]);
          b.create<scf::YieldOp>(ValueRange(twice));
        });
    return b.create<arith::SubFOp>(largest, loop.getResult(0));
  }

  /// How many rows after one are fetched, if they are candidates.
  static constexpr int64_t candidatesAhead = 16;

  KernelBuilder &b;
  TopLogitsOp op;
  VectorTarget target;
  int64_t lanes, rows, columns, rowBytes;
  Value logits, lower, minusInfinity, wanted;
  Value planes, hiddenScale, hiddenSum, norm;
};

} // namespace

LogicalResult bitnet::lowerTopLogits(KernelBuilder &b, TopLogitsOp op,
                                     const VectorTarget &target) {
  for (Value operand : op->getOperands())
    if (!isInnermostContiguous(operand))
      return op.emitOpError("has an operand whose rows are not contiguous");
  TopLogits(b, op, target).run();
  return success();
}
