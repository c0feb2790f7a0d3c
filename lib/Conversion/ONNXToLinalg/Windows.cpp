//===- Windows.cpp - Convolution and pooling ------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace bitnet::onnx;

namespace {

/// A window over the trailing dimensions of x.
struct Window {
  Ints strides, dilations;
  Sizes kernel, padsBegin, padsEnd, out;
  int64_t rank() const { return static_cast<int64_t>(strides.size()); }
};

template <typename Op> Ints listOr(Op list, int64_t rank, int64_t value) {
  return list ? Ints(list->begin(), list->end()) : Ints(rank, value);
}

/// Size arithmetic on values, which fold where they are constant.
Value ceilDiv(Scalars &s, Value x, int64_t by) {
  return s.div(s.add(x, s.index(by - 1)), s.index(by));
}

} // namespace

/// Pads and result sizes of one axis. SAME pads for ceil(size / stride)
/// results.
static void resolveAxis(Emitter &e, Window &w, int64_t axis, OpFoldResult size,
                        StringRef autoPad, bool ceilMode) {
  Scalars s(e.b, e.loc);
  int64_t stride = w.strides[axis];
  Value in = e.asValue(size), one = s.index(1), zero = s.index(0);
  Value kernel = e.asValue(w.kernel[axis]);
  Value extent =
      s.add(s.mul(s.sub(kernel, one), s.index(w.dilations[axis])), one);
  if (autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER") {
    Value out = ceilDiv(s, in, stride);
    Value needed = s.add(s.mul(s.sub(out, one), s.index(stride)), extent);
    Value total = s.max(s.sub(needed, in), zero);
    Value less = s.div(total, s.index(2)), more = s.sub(total, less);
    bool upper = autoPad == "SAME_UPPER";
    w.padsBegin[axis] = e.asSize(upper ? less : more);
    w.padsEnd[axis] = e.asSize(upper ? more : less);
    w.out[axis] = e.asSize(out);
    return;
  }
  Value begin = e.asValue(w.padsBegin[axis]), end = e.asValue(w.padsEnd[axis]);
  Value room = s.sub(s.add(in, s.add(begin, end)), extent);
  if (!ceilMode) {
    Value steps = s.div(room, s.index(stride));
    w.out[axis] = e.asSize(s.max(s.add(steps, one), zero));
    return;
  }
  // A last window that starts in the padding at the end is left out.
  Value out = s.add(ceilDiv(s, room, stride), one);
  Value lastStart = s.mul(s.sub(out, one), s.index(stride));
  Value starts = s.compare(Compare::GE, lastStart, s.add(in, begin));
  w.out[axis] = e.asSize(s.select(starts, s.sub(out, one), out));
}

template <typename Op>
static Window resolveWindow(Emitter &e, Op op, Value x, Sizes kernel,
                            bool ceilMode) {
  Window w;
  int64_t rank = Emitter::rank(x) - 2;
  w.strides = listOr(op.getStrides(), rank, 1);
  w.dilations = listOr(op.getDilations(), rank, 1);
  Ints pads = listOr(op.getPads(), 2 * rank, 0);
  w.kernel = std::move(kernel);
  w.out.resize(rank);
  StringRef autoPad = op.getAutoPad();
  if (autoPad == "VALID")
    pads.assign(2 * rank, 0);
  for (int64_t i = 0; i < rank; ++i) {
    w.padsBegin.push_back(e.asSize(pads[i]));
    w.padsEnd.push_back(e.asSize(pads[i + rank]));
  }
  Sizes sizes = e.sizes(x);
  for (int64_t i = 0; i < rank; ++i)
    resolveAxis(e, w, i, sizes[i + 2], autoPad, ceilMode);
  return w;
}

/// x with `value` around, so that every window lies within.
static Value padded(Emitter &e, Value x, const Window &w, Value value) {
  Scalars s(e.b, e.loc);
  Sizes sizes = e.sizes(x), target = sizes;
  Sizes low(2, e.asSize(0)), high = low;
  bool none = true;
  for (int64_t i = 0; i < w.rank(); ++i) {
    Value extent = s.add(
        s.mul(s.sub(e.asValue(w.out[i]), s.index(1)), s.index(w.strides[i])),
        s.mul(s.sub(e.asValue(w.kernel[i]), s.index(1)),
              s.index(w.dilations[i])));
    Value needed = s.sub(s.add(extent, s.index(1)),
                         e.asValue(e.addSizes(w.padsBegin[i], sizes[i + 2])));
    low.push_back(w.padsBegin[i]);
    high.push_back(e.maxSizes(e.asSize(needed), e.asSize(0)));
    target[i + 2] =
        e.addSizes(sizes[i + 2], e.addSizes(low.back(), high.back()));
    none &=
        isConstantIntValue(low.back(), 0) && isConstantIntValue(high.back(), 0);
  }
  if (none)
    return x;
  return tensor::PadOp::create(e.b, e.loc, Type(), x, low, high, value,
                               /*nofold=*/false);
}

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

/// y plus a bias of its channels, if there is one.
static Value addBias(Emitter &e, Value y, Value bias, Type element) {
  if (isAbsent(bias))
    return y;
  Value along = e.alongAxis(e.get(bias), 1, Emitter::rank(y));
  return e.map({y, along}, element,
               [](Scalars &s, ArrayRef<Value> v) { return s.add(v[0], v[1]); });
}

/// As a contraction over loops (n, g, c, out…, k, kernel…), where groups have a
/// dimension of their own.
static LogicalResult lowerConv(Emitter &e, ConvOp op) {
  Value x = e.get(op.getX()), weight = e.get(op.getW());
  int64_t spatial = Emitter::rank(x) - 2;
  int64_t groups = op.getGroup();
  Sizes weightSizes = e.sizes(weight);
  Sizes kernel(weightSizes.begin() + 2, weightSizes.end());
  if (spatial < 1 || groups < 1)
    return e.unsupported(op, "it has no spatial dimension or no group");
  Window w = resolveWindow(e, op, x, kernel, /*ceilMode=*/false);
  Type element = Emitter::element(x), type = computeType(element);
  Scalars s(e.b, e.loc);
  Value input = padded(e, x, w, s.constant(element, 0));
  auto perGroup = [&](OpFoldResult size) {
    return e.asSize(s.div(e.asValue(size), s.index(groups)));
  };
  Sizes inputSizes = e.sizes(input);
  OpFoldResult g = e.asSize(groups), channels = perGroup(weightSizes[0]);
  Sizes groupedInput = {inputSizes[0], g, weightSizes[1]};
  groupedInput.append(inputSizes.begin() + 2, inputSizes.end());
  Sizes groupedWeight = {g, channels, weightSizes[1]};
  llvm::append_range(groupedWeight, kernel);

  Sizes loops = {inputSizes[0], g, channels};
  llvm::append_range(loops, w.out);
  unsigned parallel = loops.size();
  loops.push_back(weightSizes[1]);
  llvm::append_range(loops, kernel);
  auto d = [&](int64_t i) { return e.b.getAffineDimExpr(i); };
  SmallVector<AffineExpr> inputExprs = {d(0), d(1), d(parallel)};
  SmallVector<AffineExpr> weightExprs = {d(1), d(2), d(parallel)};
  for (int64_t i = 0; i < spatial; ++i) {
    AffineExpr k = d(parallel + 1 + i);
    inputExprs.push_back(d(3 + i) * w.strides[i] + k * w.dilations[i]);
    weightExprs.push_back(k);
  }
  MLIRContext *context = e.b.getContext();
  Value y = e.contract(e.reshape(input, groupedInput),
                       AffineMap::get(loops.size(), 0, inputExprs, context),
                       e.reshape(weight, groupedWeight),
                       AffineMap::get(loops.size(), 0, weightExprs, context),
                       loops, parallel, type);
  Sizes target = {inputSizes[0], weightSizes[0]};
  llvm::append_range(target, w.out);
  y = e.reshape(y, target);
  y = addBias(e, y, op.getB(), element);
  e.set(op.getY(), e.castElements(y, element));
  return success();
}

/// Where results of a transposed convolution lie along an axis: how many there
/// are, and what is cut off before the first.
static std::pair<OpFoldResult, OpFoldResult>
resolveTransposedAxis(Emitter &e, ConvTransposeOp op, const Window &w,
                      int64_t axis, OpFoldResult size) {
  Scalars s(e.b, e.loc);
  Value stride = s.index(w.strides[axis]), in = e.asValue(size);
  auto outputPadding = op.getOutputPadding();
  Value extra = s.index(outputPadding ? (*outputPadding)[axis] : 0);
  Value reach = s.mul(s.sub(e.asValue(w.kernel[axis]), s.index(1)),
                      s.index(w.dilations[axis]));
  Value whole = s.add(s.add(s.mul(s.sub(in, s.index(1)), stride), extra),
                      s.add(reach, s.index(1)));
  bool isSame = op.getAutoPad().starts_with("SAME");
  auto outputShape = op.getOutputShape();
  if (!isSame && !outputShape) {
    Value begin = e.asValue(w.padsBegin[axis]);
    Value pads = s.add(begin, e.asValue(w.padsEnd[axis]));
    return {e.asSize(s.sub(whole, pads)), e.asSize(begin)};
  }
  Value out = outputShape ? s.index((*outputShape)[axis]) : s.mul(in, stride);
  Value total = s.max(s.sub(whole, out), s.index(0));
  Value less = s.div(total, s.index(2));
  bool upper = op.getAutoPad() == "SAME_UPPER";
  return {e.asSize(out), e.asSize(upper ? less : s.sub(total, less))};
}

/// x with zeros between its elements and around, so that its convolution with
/// the reversed kernel is the transposed one of x.
static Value spread(Emitter &e, Value x, const Window &w,
                    ArrayRef<OpFoldResult> cut) {
  Scalars s(e.b, e.loc);
  Sizes sizes = e.sizes(x), target(sizes.begin(), sizes.begin() + 2);
  Values before;
  for (int64_t i = 0; i < w.rank(); ++i) {
    Value reach = s.mul(s.sub(e.asValue(w.kernel[i]), s.index(1)),
                        s.index(w.dilations[i]));
    target.push_back(e.asSize(s.add(e.asValue(w.out[i]), reach)));
    before.push_back(s.sub(reach, e.asValue(cut[i])));
  }
  auto body = [&](Scalars &s, Values &positions) {
    Value inside = s.integer(s.b.getI1Type(), 1);
    for (int64_t i = 0; i < w.rank(); ++i) {
      Value stride = s.index(w.strides[i]), zero = s.index(0);
      Value at = s.sub(positions[i + 2], before[i]);
      Value index = s.div(at, stride);
      Value size = getValueOrCreateConstantIndexOp(s.b, s.loc, sizes[i + 2]);
      for (Value condition : {s.compare(Compare::GE, at, zero),
                              s.compare(Compare::LT, index, size),
                              s.compare(Compare::EQ, s.mul(index, stride), at)})
        inside = s.logicalAnd(inside, condition);
      positions[i + 2] = s.max(s.min(index, s.sub(size, s.index(1))), zero);
    }
    Value value = e.extract(s.b, x, positions);
    return s.select(inside, value, s.constant(value.getType(), 0));
  };
  return e.generate(target, Emitter::element(x), body);
}

/// A kernel whose positions are in reverse order.
static Value reversedKernel(Emitter &e, Value weight) {
  Sizes sizes = e.sizes(weight);
  return e.generate(
      sizes, Emitter::element(weight), [&](Scalars &s, Values &positions) {
        for (size_t i = 2; i < sizes.size(); ++i) {
          Value last =
              s.sub(getValueOrCreateConstantIndexOp(s.b, s.loc, sizes[i]),
                    s.index(1));
          positions[i] = s.sub(last, positions[i]);
        }
        return e.extract(s.b, weight, positions);
      });
}

static LogicalResult lowerConvTranspose(Emitter &e, ConvTransposeOp op) {
  Value x = e.get(op.getX()), weight = e.get(op.getW());
  auto weightType = cast<RankedTensorType>(weight.getType());
  if (!weightType.hasStaticShape())
    return e.unsupported(op, "its kernel's shape is not known");
  int64_t spatial = Emitter::rank(x) - 2, groups = op.getGroup();
  Sizes weightSizes = e.sizes(weight), sizes = e.sizes(x), cut;
  Sizes kernel(weightSizes.begin() + 2, weightSizes.end());
  Window w = resolveWindow(e, op, x, kernel, /*ceilMode=*/false);
  for (int64_t i = 0; i < spatial; ++i) {
    auto [out, begin] = resolveTransposedAxis(e, op, w, i, sizes[i + 2]);
    w.out[i] = out;
    cut.push_back(begin);
  }
  Value input = spread(e, x, w, cut);
  int64_t inputs = weightType.getDimSize(0) / groups;
  OpFoldResult g = e.asSize(groups), c = e.asSize(inputs);
  Sizes inputSizes = e.sizes(input), groupedInput = {inputSizes[0], g, c};
  groupedInput.append(inputSizes.begin() + 2, inputSizes.end());
  Sizes groupedWeight = {g, c, weightSizes[1]};
  llvm::append_range(groupedWeight, kernel);
  Sizes loops = {inputSizes[0], g, weightSizes[1]};
  llvm::append_range(loops, w.out);
  unsigned parallel = loops.size();
  loops.push_back(c);
  llvm::append_range(loops, kernel);
  auto d = [&](int64_t i) { return e.b.getAffineDimExpr(i); };
  SmallVector<AffineExpr> inputExprs = {d(0), d(1), d(parallel)};
  SmallVector<AffineExpr> weightExprs = {d(1), d(parallel), d(2)};
  for (int64_t i = 0; i < spatial; ++i) {
    AffineExpr k = d(parallel + 1 + i);
    inputExprs.push_back(d(3 + i) + k * w.dilations[i]);
    weightExprs.push_back(k);
  }
  MLIRContext *context = e.b.getContext();
  Type element = Emitter::element(x);
  Value y = e.contract(e.reshape(input, groupedInput),
                       AffineMap::get(loops.size(), 0, inputExprs, context),
                       e.reshape(reversedKernel(e, weight), groupedWeight),
                       AffineMap::get(loops.size(), 0, weightExprs, context),
                       loops, parallel, computeType(element));
  Sizes target = {inputSizes[0], e.mulSizes(g, weightSizes[1])};
  llvm::append_range(target, w.out);
  y = addBias(e, e.reshape(y, target), op.getB(), element);
  e.set(op.getY(), e.castElements(y, element));
  return success();
}

//===----------------------------------------------------------------------===//
// Pooling
//===----------------------------------------------------------------------===//

/// Reduces the windows of x; what is outside counts as the initial value.
static Value pool(Emitter &e, Value x, const Window &w, Reduction kind,
                  bool isUnsigned) {
  Type element = Emitter::element(x), type = computeType(element);
  Scalars outer(e.b, e.loc, isUnsigned);
  Value input = padded(e, x, w, e.initial(outer, kind, element));
  Sizes sizes = e.sizes(input);
  Sizes out = {sizes[0], sizes[1]};
  llvm::append_range(out, w.out);
  unsigned parallel = out.size(), loops = parallel + w.rank();
  auto d = [&](int64_t i) { return e.b.getAffineDimExpr(i); };
  SmallVector<AffineExpr> inputExprs = {d(0), d(1)}, kernelExprs;
  for (int64_t i = 0; i < w.rank(); ++i) {
    AffineExpr k = d(parallel + i);
    inputExprs.push_back(d(2 + i) * w.strides[i] + k * w.dilations[i]);
    kernelExprs.push_back(k);
  }
  MLIRContext *context = e.b.getContext();
  AffineMap outMap = AffineMap::getMultiDimIdentityMap(loops, context)
                         .getMajorSubMap(parallel);
  SmallVector<utils::IteratorType> iterators(parallel,
                                             utils::IteratorType::parallel);
  iterators.append(w.rank(), utils::IteratorType::reduction);
  // An operand that only gives the window its size.
  Value window = e.empty(w.kernel, element);
  Value init = e.filled(out, e.initial(outer, kind, type));
  auto op = linalg::GenericOp::create(
      e.b, e.loc, TypeRange{init.getType()}, ValueRange{input, window},
      ValueRange{init},
      ArrayRef<AffineMap>{AffineMap::get(loops, 0, inputExprs, context),
                          AffineMap::get(loops, 0, kernelExprs, context),
                          outMap},
      iterators, [&](OpBuilder &nested, Location at, ValueRange args) {
        Scalars s(nested, at, isUnsigned);
        linalg::YieldOp::create(
            nested, at, e.combine(s, kind, args[2], s.cast(args[0], type)));
      });
  return op.getResult(0);
}

static Sizes kernelSizes(Emitter &e, ArrayRef<int64_t> shape) {
  Sizes sizes;
  for (int64_t size : shape)
    sizes.push_back(e.asSize(size));
  return sizes;
}

static LogicalResult lowerMaxPool(Emitter &e, MaxPoolOp op) {
  if (!isAbsent(op.getIndices()) && !op.getIndices().use_empty())
    return e.unsupported(op, "its output Indices is used");
  Value x = e.get(op.getX());
  Window w = resolveWindow(e, op, x, kernelSizes(e, op.getKernelShape()),
                           op.getCeilMode());
  Value y = pool(e, x, w, Reduction::Max, Emitter::isUnsigned(op.getX()));
  e.set(op.getY(), e.castElements(y, Emitter::element(x)));
  return success();
}

/// How many elements of the window at the output position lie in the input, or
/// in the padded input.
static Value countInWindow(Scalars &s, const Window &w, const Sizes &sizes,
                           bool includePads) {
  auto value = [&](OpFoldResult size) {
    return getValueOrCreateConstantIndexOp(s.b, s.loc, size);
  };
  Value count = s.index(1), zero = s.index(0);
  for (int64_t i = 0; i < w.rank(); ++i) {
    Value start = s.mul(s.position(i + 2), s.index(w.strides[i]));
    Value limit = value(sizes[i + 2]);
    if (includePads)
      limit = s.add(limit, s.add(value(w.padsBegin[i]), value(w.padsEnd[i])));
    else
      start = s.sub(start, value(w.padsBegin[i]));
    // Steps before the input's start, and until its end.
    Value before = s.max(s.neg(start), zero);
    Value first = ceilDiv(s, before, w.dilations[i]);
    Value until = s.max(s.sub(limit, start), zero);
    Value last = s.min(ceilDiv(s, until, w.dilations[i]), value(w.kernel[i]));
    count = s.mul(count, s.max(s.sub(last, first), zero));
  }
  return count;
}

static LogicalResult lowerAveragePool(Emitter &e, AveragePoolOp op) {
  Value x = e.get(op.getX());
  Window w = resolveWindow(e, op, x, kernelSizes(e, op.getKernelShape()),
                           op.getCeilMode());
  Value sum = pool(e, x, w, Reduction::Sum, false);
  Sizes sizes = e.sizes(x);
  e.set(op.getY(),
        e.map(sum, Emitter::element(x), [&](Scalars &s, ArrayRef<Value> v) {
          Value count = countInWindow(s, w, sizes, op.getCountIncludePad());
          return s.div(v[0], s.cast(count, v[0].getType()));
        }));
  return success();
}

/// Global pooling is a reduction.
static Value reduceSpatial(Emitter &e, Value x, Reduction kind) {
  Ints axes = dimsBetween(2, Emitter::rank(x));
  return e.reduce(x, axes, /*keepDims=*/true, kind);
}

static LogicalResult lowerGlobalAveragePool(Emitter &e,
                                            GlobalAveragePoolOp op) {
  Value x = e.get(op.getX()), sum = reduceSpatial(e, x, Reduction::Sum);
  Ints axes = dimsBetween(2, Emitter::rank(x));
  Value count = e.count(x, axes, Emitter::element(sum));
  e.set(op.getY(),
        e.map(sum, Emitter::element(x), [&](Scalars &s, ArrayRef<Value> v) {
          return s.div(v[0], count);
        }));
  return success();
}

static LogicalResult lowerGlobalMaxPool(Emitter &e, GlobalMaxPoolOp op) {
  Value x = e.get(op.getX());
  e.set(op.getY(), e.castElements(reduceSpatial(e, x, Reduction::Max),
                                  Emitter::element(x)));
  return success();
}

void bitnet::onnx::addWindowLowerings(LoweringTable &table) {
  table.add(lowerConv);
  table.add(lowerConvTranspose);
  table.add(lowerMaxPool);
  table.add(lowerAveragePool);
  table.add(lowerGlobalAveragePool);
  table.add(lowerGlobalMaxPool);
}
