//===- ConvertContractionToVector.cpp - Float matmuls to vector loops -----===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Conversion/BitNetToVector/BitNetToVector.h"

#include "Lowerings.h"
#include "bitnet/Dialect/BitNet/Transforms/Contractions.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"

namespace bitnet {
#define GEN_PASS_DEF_CONVERTCONTRACTIONTOVECTOR
#include "bitnet/Conversion/BitNetToVector/Passes.h.inc"
} // namespace bitnet

using namespace mlir;
using namespace bitnet;

namespace {

/// out[batch.., m, n] += a[batch.., m, k] * w, any of batch and m absent.
class Contraction {
public:
  static std::optional<Contraction> match(linalg::LinalgOp op) {
    if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
        !op.hasPureBufferSemantics())
      return std::nullopt;
    auto out = cast<MemRefType>(op.getDpsInits()[0].getType());
    if (!out.getElementType().isF32() || !isMultiplyAdd(op))
      return std::nullopt;
    FailureOr<linalg::ContractionDimensions> dims =
        linalg::inferContractionDims(op);
    if (failed(dims) || dims->k.size() != 1 || dims->n.size() > 1 ||
        dims->m.size() > 1)
      return std::nullopt;
    Contraction c(op);
    c.k = dims->k[0];
    c.m = dims->m.empty() ? -1 : int64_t(dims->m[0]);
    c.n = dims->n.empty() ? -1 : int64_t(dims->n[0]);
    // A vector on the left: its one free dimension is the outputs'.
    if (c.n < 0 && c.m >= 0) {
      std::swap(c.n, c.m);
      std::swap(c.a, c.w);
    }
    c.batch.assign(dims->batch.begin(), dims->batch.end());
    if (c.n < 0)
      return std::nullopt;
    c.dotForm = c.isInnermost(c.w, c.k) && c.isInnermost(c.a, c.k);
    bool rowForm = c.isInnermost(c.w, c.n) && c.isInnermost(2, c.n);
    if (!c.dotForm && !rowForm)
      return std::nullopt;
    return c;
  }

  void lower(KernelBuilder &builder, const VectorTarget &target) {
    b = &builder;
    lanes = target.getLanes(32);
    outputsAtOnce = 4;
    tokensAtOnce = target.getRegisters() == 32 ? 4 : 2;
    fused = target.hasFusedMultiplyAdd();
    SmallVector<Value> index(op.getNumLoops());
    Value outputs = extent(n);
    int64_t share = dotForm ? 64 : 4 * lanes;
    Value count = b->ceilDiv(outputs, share);
    SmallVector<Value> extents;
    for (int64_t dim : batch) {
      extents.push_back(extent(dim));
      count = b->mul(count, extents.back());
    }
    b->parallel(count, [&](Value part) {
      for (auto [dim, size] : llvm::zip(batch, extents)) {
        index[dim] = b->createOrFold<arith::RemUIOp>(part, size);
        part = b->createOrFold<arith::DivUIOp>(part, size);
      }
      Value first = b->mul(part, share);
      Value last =
          b->createOrFold<arith::MinSIOp>(b->add(first, share), outputs);
      overOutputs(index, first, last);
    });
  }

private:
  explicit Contraction(linalg::LinalgOp op) : op(op) {}

  Value operand(int64_t i) { return op->getOperand(i); }

  bool isInnermost(int64_t i, int64_t dim) {
    AffineMap map = op.getMatchingIndexingMap(&op->getOpOperand(i));
    if (!map.isProjectedPermutation() || map.getNumResults() == 0 ||
        !isInnermostContiguous(operand(i)))
      return false;
    return map.getDimPosition(map.getNumResults() - 1) == dim;
  }

  Value extent(int64_t dim) {
    for (int64_t i = 0; i < 3; ++i) {
      AffineMap map = op.getMatchingIndexingMap(&op->getOpOperand(i));
      for (unsigned r = 0; r < map.getNumResults(); ++r)
        if (map.getDimPosition(r) == dim)
          return b->dim(operand(i), r);
    }
    llvm_unreachable("a loop that no operand bounds");
  }

  SmallVector<Value> indicesOf(int64_t i, ArrayRef<Value> index) {
    SmallVector<Value> result;
    AffineMap map = op.getMatchingIndexingMap(&op->getOpOperand(i));
    for (unsigned r = 0; r < map.getNumResults(); ++r)
      result.push_back(index[map.getDimPosition(r)]);
    return result;
  }

  /// Visits outputs [first, last) in blocks, the rest one by one (dot form) or
  /// a vector, then one, at a time.
  void overOutputs(SmallVector<Value> index, Value first, Value last) {
    auto blocks = [&](Value from, int64_t step) {
      Value span = b->sub(last, from);
      Value to = b->add(from, b->mul(b->floorDiv(span, step), step));
      return to;
    };
    auto visit = [&](Value from, Value to, int64_t step, int64_t count,
                     int64_t width) {
      b->loop(from, to, step, [&](Value output) {
        index[n] = output;
        overTokens(index, count, width);
      });
    };
    Value bulk = blocks(first, dotForm ? outputsAtOnce : outputsAtOnce * lanes);
    if (dotForm) {
      visit(first, bulk, outputsAtOnce, outputsAtOnce, lanes);
      visit(bulk, last, 1, 1, lanes);
      return;
    }
    visit(first, bulk, outputsAtOnce * lanes, outputsAtOnce, lanes);
    Value vectors = blocks(bulk, lanes);
    visit(bulk, vectors, lanes, 1, lanes);
    visit(vectors, last, 1, 1, 1);
  }

  void overTokens(SmallVector<Value> index, int64_t count, int64_t width) {
    auto micro = [&](Value token, int64_t tokens) {
      if (m >= 0)
        index[m] = token;
      dotForm ? microDots(index, tokens, count)
              : microRows(index, tokens, count, width);
    };
    if (m < 0)
      return micro(Value(), 1);
    Value tokens = extent(m);
    Value whole = b->mul(b->floorDiv(tokens, tokensAtOnce), tokensAtOnce);
    b->loop(b->index(0), whole, tokensAtOnce,
            [&](Value t) { micro(t, tokensAtOnce); });
    b->loop(whole, tokens, 1, [&](Value t) { micro(t, 1); });
  }

  SmallVector<Value> offsetBy(SmallVector<Value> index, int64_t dim,
                              int64_t by) {
    if (by && dim >= 0)
      index[dim] = b->add(index[dim], by);
    return index;
  }

  Value vectorAt(int64_t i, ArrayRef<Value> index, int64_t width) {
    return b->toFloat(b->loadVector(operand(i), indicesOf(i, index), width));
  }
  Value scalarAt(int64_t i, ArrayRef<Value> index) {
    return b->toFloat(b->load(operand(i), indicesOf(i, index)));
  }

  /// Whether a single token streams the weights of rows of a known length.
  bool isStream() {
    return KernelBuilder::constant(extent(k)) &&
           (m < 0 || KernelBuilder::constant(extent(m)) == 1);
  }

  int64_t weightBits() {
    return cast<MemRefType>(operand(w).getType()).getElementTypeBitWidth();
  }

  /// Asks for the weights of a later visit: those of this one are being read.
  void prefetch(SmallVector<Value> index) {
    int64_t rowBytes =
        llvm::divideCeil(*KernelBuilder::constant(extent(k)) * weightBits(), 8);
    int64_t rows = llvm::alignTo(
        llvm::divideCeil(KernelBuilder::farBytes, rowBytes), outputsAtOnce);
    b->prefetch(operand(w), indicesOf(w, offsetBy(index, n, rows)));
  }

  /// tokens x count dot products along a contiguous K.
  void microDots(SmallVector<Value> index, int64_t tokens, int64_t count) {
    auto at = [&](int64_t dim, int64_t offset, Value depth) {
      SmallVector<Value> result = offsetBy(index, dim, offset);
      result[k] = depth;
      return result;
    };
    FloatDots dots;
    dots.lhsCount = tokens;
    dots.rhsCount = count;
    dots.depth = extent(k);
    dots.fused = fused;
    dots.lhs = [&](int64_t t, Value depth, int64_t width) {
      return valueAt(a, at(m, t, depth), width);
    };
    dots.rhs = [&](int64_t o, Value depth, int64_t width) {
      return valueAt(w, at(n, o, depth), width);
    };
    if (isStream()) {
      dots.vectorsAtOnce = std::max<int64_t>(
          KernelBuilder::cacheLine * 8 / (lanes * weightBits()), 1);
      dots.fetch = [&](int64_t o, Value depth) { prefetch(at(n, o, depth)); };
    }
    SmallVector<Value> sums = emitFloatDots(*b, dots, lanes);
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t o = 0; o < count; ++o)
        accumulate(offsetBy(offsetBy(index, m, t), n, o), sums[t * count + o]);
  }

  /// A vector, or the scalar where `width` is 0.
  Value valueAt(int64_t i, ArrayRef<Value> index, int64_t width) {
    return width ? vectorAt(i, index, width) : scalarAt(i, index);
  }

  void accumulate(ArrayRef<Value> index, Value value) {
    SmallVector<Value> at = indicesOf(2, index);
    b->store(b->create<arith::AddFOp>(b->load(operand(2), at), value),
             operand(2), at);
  }

  /// tokens rows of count vectors of outputs, K one by one.
  void microRows(SmallVector<Value> index, int64_t tokens, int64_t count,
                 int64_t width) {
    auto each = [&](auto body) {
      for (int64_t t = 0; t < tokens; ++t)
        for (int64_t o = 0; o < count; ++o)
          body(t * count + o,
               indicesOf(2, offsetBy(offsetBy(index, m, t), n, o * width)));
    };
    SmallVector<Value> sums(tokens * count);
    each([&](int64_t i, ArrayRef<Value> at) {
      sums[i] = b->loadVector(operand(2), at, width);
    });
    sums =
        b->reduce(b->index(0), extent(k), 1, sums, [&](Value i, ValueRange so) {
          index[k] = i;
          SmallVector<Value> rows, next(so);
          for (int64_t o = 0; o < count; ++o)
            rows.push_back(vectorAt(w, offsetBy(index, n, o * width), width));
          for (int64_t t = 0; t < tokens; ++t) {
            Value activation =
                b->splat(scalarAt(a, offsetBy(index, m, t)), width);
            for (int64_t o = 0; o < count; ++o)
              next[t * count + o] =
                  b->fma(activation, rows[o], so[t * count + o]);
          }
          return next;
        });
    each([&](int64_t i, ArrayRef<Value> at) {
      b->storeVector(sums[i], operand(2), at);
    });
  }

  linalg::LinalgOp op;
  KernelBuilder *b = nullptr;
  int64_t a = 0, w = 1;           // operands
  int64_t m = -1, n = -1, k = -1; // loops
  SmallVector<int64_t> batch;
  bool dotForm = false, fused = false;
  int64_t lanes = 0, outputsAtOnce = 0, tokensAtOnce = 0;
};

struct ConvertContractionToVector
    : bitnet::impl::ConvertContractionToVectorBase<ConvertContractionToVector> {
  void runOnOperation() override {
    VectorTarget target(
        getOperation()->getAttrOfType<TargetAttr>("bitnet.target"));
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops) {
      std::optional<Contraction> contraction = Contraction::match(op);
      if (!contraction)
        continue;
      OpBuilder at(op);
      KernelBuilder builder(op.getLoc(), at);
      contraction->lower(builder, target);
      op->erase();
      ++numContractions;
    }
  }
};

} // namespace
