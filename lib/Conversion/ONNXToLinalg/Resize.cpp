//===- Resize.cpp - Resampling --------------------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Resampling is separable. Along each axis, what a result reads and with which
// weights depends on its position alone: with known sizes these are tables,
// made here in double precision, however coordinates are counted.
//
//===----------------------------------------------------------------------===//

#include "Lowerings.h"

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace bitnet::onnx;

namespace {

/// How one axis is resampled.
struct ResizedAxis {
  int64_t axis, in, out;
  double scale;
  /// The part of the input that tf_crop_and_resize sees.
  double start = 0.0, end = 1.0;

  /// What the result has along the axis where sizes need not be integers.
  double length() const { return scale * in; }
};

/// What the results along an axis read: `taps` weighted elements each.
struct TapTable {
  int64_t taps = 0;
  std::vector<int32_t> indices;
  std::vector<float> weights;
  /// Added to each result: the value of those outside of the input.
  std::vector<float> offsets;
};

} // namespace

//===----------------------------------------------------------------------===//
// Coordinates and weights
//===----------------------------------------------------------------------===//

static double toSource(const ResizedAxis &a, StringRef mode, int64_t x) {
  if (mode == "align_corners")
    return a.length() == 1.0 ? 0.0 : x * (a.in - 1) / (a.length() - 1.0);
  if (mode == "asymmetric")
    return x / a.scale;
  if (mode == "tf_crop_and_resize") {
    if (a.out == 1)
      return 0.5 * (a.start + a.end) * (a.in - 1);
    return a.start * (a.in - 1) +
           x * (a.end - a.start) * (a.in - 1) / (a.out - 1);
  }
  double halfPixel = (x + 0.5) / a.scale - 0.5;
  if (mode == "pytorch_half_pixel" && a.out == 1)
    return 0.0;
  if (mode == "half_pixel_symmetric")
    return a.in / 2.0 * (1.0 - a.out / a.length()) + halfPixel;
  return halfPixel;
}

static double roundBy(StringRef mode, double x) {
  if (mode == "floor")
    return std::floor(x);
  if (mode == "ceil")
    return std::ceil(x);
  return mode == "round_prefer_ceil" ? std::floor(x + 0.5) : std::ceil(x - 0.5);
}

/// The kernel of linear or cubic interpolation at a distance.
static double kernelAt(bool cubic, double a, double distance) {
  double x = std::fabs(distance);
  if (!cubic)
    return std::max(0.0, 1.0 - x);
  if (x <= 1.0)
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  return x < 2.0 ? ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a : 0.0;
}

/// Weighted elements for the coordinate `x` of the input.
static void addTaps(TapTable &table, ResizeOp op, const ResizedAxis &a,
                    double x) {
  if (op.getMode() == "nearest") {
    auto nearest = static_cast<int64_t>(roundBy(op.getNearestMode(), x));
    table.indices.push_back(std::clamp<int64_t>(nearest, 0, a.in - 1));
    table.weights.push_back(1.0f);
    return;
  }
  bool cubic = op.getMode() == "cubic";
  double width = op.getAntialias() ? std::min(a.scale, 1.0) : 1.0;
  double radius = cubic ? 2.0 : 1.0;
  auto reach = static_cast<int64_t>(-(std::floor(-radius / width) + 1.0));
  auto left = static_cast<int64_t>(std::ceil(x)) - 1;
  SmallVector<double> weights;
  double sum = 0.0;
  for (int64_t i = left - reach; i <= left + 1 + reach; ++i) {
    double weight =
        kernelAt(cubic, op.getCubicCoeffA().convertToDouble(), (i - x) * width);
    if (op.getExcludeOutside() && (i < 0 || i >= a.in))
      weight = 0.0;
    weights.push_back(weight);
    sum += weight;
    table.indices.push_back(std::clamp<int64_t>(i, 0, a.in - 1));
  }
  for (double weight : weights)
    table.weights.push_back(
        static_cast<float>(sum == 0.0 ? 0.0 : weight / sum));
}

static TapTable makeTable(ResizeOp op, const ResizedAxis &a) {
  TapTable table;
  StringRef mode = op.getCoordinateTransformationMode();
  for (int64_t i = 0; i < a.out; ++i) {
    double x = toSource(a, mode, i);
    size_t first = table.weights.size();
    addTaps(table, op, a, x);
    table.taps = table.weights.size() - first;
    bool outside = mode == "tf_crop_and_resize" && (x < 0.0 || x > a.in - 1);
    if (outside)
      std::fill(table.weights.begin() + first, table.weights.end(), 0.0f);
    table.offsets.push_back(
        outside ? op.getExtrapolationValue().convertToFloat() : 0.0f);
  }
  return table;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// The elements of a constant list; nothing where it is absent, empty or not
/// known.
static SmallVector<double> constantList(Value list) {
  ElementsAttr attr;
  if (isAbsent(list) || !matchPattern(list, m_Constant(&attr)))
    return {};
  auto view = ElementsView<double>::get(attr);
  return view ? SmallVector<double>(view->values()) : SmallVector<double>();
}

/// One scale for all axes, as the policy on the aspect ratio has it.
static void keepAspectRatio(ResizeOp op, MutableArrayRef<ResizedAxis> axes) {
  bool larger = op.getKeepAspectRatioPolicy() == "not_smaller";
  double scale = axes.front().scale;
  for (const ResizedAxis &a : axes)
    scale = larger ? std::max(scale, a.scale) : std::min(scale, a.scale);
  for (ResizedAxis &a : axes) {
    a.scale = scale;
    a.out = static_cast<int64_t>(std::floor(scale * a.in + 0.5));
  }
}

static FailureOr<SmallVector<ResizedAxis>> resolveAxes(Emitter &e,
                                                       ResizeOp op) {
  auto type = cast<RankedTensorType>(e.get(op.getX()).getType());
  auto resultType = cast<RankedTensorType>(op.getY().getType());
  int64_t rank = type.getRank();
  Ints list = dimsBetween(0, rank);
  if (auto axes = op.getAxes())
    list.assign(axes->begin(), axes->end());
  SmallVector<double> scales = constantList(op.getScales());
  SmallVector<double> sizes = constantList(op.getSizes());
  SmallVector<double> roi = constantList(op.getRoi());
  bool crops = op.getCoordinateTransformationMode() == "tf_crop_and_resize";
  size_t count = list.size();
  if (crops && roi.size() != 2 * count)
    return e.unsupported(op, "its roi is not known at compile time");
  bool stretches = op.getKeepAspectRatioPolicy() == "stretch";
  // Sizes that the result has tell nothing of those that were asked for.
  if (!stretches && scales.empty() && sizes.size() != count)
    return e.unsupported(op, "its sizes are not known at compile time");
  SmallVector<ResizedAxis> result;
  for (size_t i = 0; i < count; ++i) {
    int64_t axis = normalizeAxis(list[i], rank).value_or(0);
    int64_t in = type.getDimSize(axis);
    // An axis that stays as it is may have any size.
    if (scales.size() == count && scales[i] == 1.0 && !crops)
      continue;
    ResizedAxis a{axis, in, resultType.getDimSize(axis), 1.0};
    if (sizes.size() == count)
      a.out = static_cast<int64_t>(sizes[i]);
    if (scales.size() == count && !ShapedType::isDynamic(in))
      a.out = static_cast<int64_t>(std::floor(in * scales[i]));
    bool sized = scales.empty() && !isAbsent(op.getSizes());
    if (ShapedType::isDynamic(in) || ShapedType::isDynamic(a.out) || in < 1 ||
        (scales.size() != count && !sized))
      return e.unsupported(op, "axis " + Twine(axis) +
                                   " has sizes or a scale that are not known "
                                   "at compile time");
    a.scale = sized ? static_cast<double>(a.out) / in : scales[i];
    if (!(a.scale > 0.0))
      return e.unsupported(op, "a scale is not positive");
    if (crops) {
      a.start = roi[i];
      a.end = roi[i + count];
    }
    result.push_back(a);
  }
  if (!stretches && scales.empty() && !result.empty())
    keepAspectRatio(op, result);
  llvm::erase_if(result, [&](const ResizedAxis &a) {
    return a.in == a.out && a.scale == 1.0 && !crops;
  });
  return result;
}

//===----------------------------------------------------------------------===//
// Lowering
//===----------------------------------------------------------------------===//

template <typename T>
static Value makeConstant(Emitter &e, ArrayRef<int64_t> shape, Type element,
                          ArrayRef<T> values) {
  return arith::ConstantOp::create(
      e.b, e.loc,
      DenseElementsAttr::get(RankedTensorType::get(shape, element), values));
}

/// x resampled along one axis; `weighs` unless elements are only copied.
static Value resample(Emitter &e, Value x, const ResizedAxis &a,
                      const TapTable &table, bool weighs) {
  Value indices = makeConstant<int32_t>(e, {a.out, table.taps},
                                        e.b.getI32Type(), table.indices);
  Value weights, offsets;
  if (weighs) {
    weights = makeConstant<float>(e, {a.out, table.taps}, e.b.getF32Type(),
                                  table.weights);
    offsets = makeConstant<float>(e, {a.out}, e.b.getF32Type(), table.offsets);
  }
  Sizes sizes = e.sizes(x);
  sizes[a.axis] = e.asSize(a.out);
  return e.generate(
      sizes, Emitter::element(x), [&](Scalars &s, Values &positions) {
        Value out = positions[a.axis];
        Value sum = weighs ? e.extract(s.b, offsets, {out}) : Value();
        for (int64_t tap = 0; tap < table.taps; ++tap) {
          Value where[] = {out, s.index(tap)};
          positions[a.axis] = s.toIndex(e.extract(s.b, indices, where));
          Value value = e.extract(s.b, x, positions);
          if (!weighs)
            return value;
          sum = s.add(sum, s.mul(value, e.extract(s.b, weights, where)));
        }
        return sum;
      });
}

static LogicalResult lowerResize(Emitter &e, ResizeOp op) {
  StringRef mode = op.getMode();
  if (mode != "nearest" && mode != "linear" && mode != "cubic")
    return e.unsupported(op, "its mode is not nearest, linear or cubic");
  Value x = e.get(op.getX());
  auto axes = resolveAxes(e, op);
  if (failed(axes))
    return failure();
  Type element = Emitter::element(x);
  bool weighs = mode != "nearest" ||
                op.getCoordinateTransformationMode() == "tf_crop_and_resize";
  bool isUnsigned = Emitter::isUnsigned(op.getX());
  if (weighs)
    x = e.castElements(x, e.b.getF32Type(), isUnsigned);
  for (const ResizedAxis &a : *axes)
    x = resample(e, x, a, makeTable(op, a), weighs);
  if (weighs)
    x = e.castElements(x, element, false, isUnsigned);
  e.set(op.getY(), x);
  return success();
}

void bitnet::onnx::addResizeLowerings(LoweringTable &table) {
  table.add(lowerResize);
}
