//===- WeightSource.cpp - Constant weights through views and scales -------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightSource.h"

#include "LowBitMatrix.h"
#include "MatchUtils.h"

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"

#include "bitnet/Support/RawElements.h"
#include "llvm/ADT/APFloat.h"
#include <algorithm>

using namespace mlir;
using namespace bitnet;

std::optional<WeightSource> bitnet::matchWeightSource(Value value,
                                                      bool outputsFirst) {
  RankedTensorType type = getTensorType(value);
  if (!type || type.getRank() < 2 || !type.hasStaticShape() ||
      (type.getRank() > 2 && !outputsFirst))
    return std::nullopt;
  WeightSource source;
  source.outputsFirst = outputsFirst;
  source.outputs = type.getDimSize(outputsFirst ? 0 : 1);
  source.inputs = outputsFirst
                      ? ShapedType::getNumElements(type.getShape().drop_front())
                      : type.getDimSize(0);
  while (auto transpose = value.getDefiningOp<onnx::TransposeOp>()) {
    if (type.getRank() > 2)
      return std::nullopt;
    auto perm = transpose.getPerm();
    if (!perm || *perm == ArrayRef<int64_t>{1, 0})
      source.outputsFirst = !source.outputsFirst;
    value = transpose.getData();
  }
  // Elements keep their order in a reshape.
  while (auto reshape = value.getDefiningOp<onnx::ReshapeOp>())
    value = reshape.getData();
  // Floats of 16 bits are kept as they are stored.
  if (auto cast = value.getDefiningOp<onnx::CastOp>())
    if (isa<FloatType>(getElementTypeOrSelf(cast.getInput().getType())) &&
        getElementTypeOrSelf(cast.getType()).isF32())
      value = cast.getInput();
  if (auto dequantize = value.getDefiningOp<onnx::DequantizeLinearOp>()) {
    source.scale = getConstant(dequantize.getXScale());
    source.zeroPoint = getConstant(dequantize.getXZeroPoint());
    if (!source.scale ||
        (!source.zeroPoint && !onnx::isAbsent(dequantize.getXZeroPoint())))
      return std::nullopt;
    int64_t rank = getTensorType(dequantize.getX()).getRank();
    auto axis = onnx::normalizeAxis(dequantize.getAxis(), rank);
    if (!axis && source.scale.getNumElements() != 1)
      return std::nullopt;
    source.axis = axis.value_or(0);
    source.block = dequantize.getBlockSize();
    value = dequantize.getX();
  }
  source.values = getConstant(value);
  if (!source.values || source.values.getNumElements() == 0 ||
      source.values.getNumElements() != source.outputs * source.inputs)
    return std::nullopt;
  return source;
}

int64_t ParameterLayout::getIndex(int64_t position) const {
  int64_t along = (position / inner) % extent;
  if (!block)
    return along;
  int64_t blocks = (extent + block - 1) / block;
  return ((position / inner / extent) * blocks + along / block) * inner +
         position % inner;
}

ParameterLayout WeightSource::getParameterLayout() const {
  ArrayRef<int64_t> shape = cast<ShapedType>(values.getType()).getShape();
  ParameterLayout layout;
  layout.block = block;
  if (shape.empty())
    return layout;
  layout.extent = shape[axis];
  for (int64_t size : shape.drop_front(axis + 1))
    layout.inner *= size;
  return layout;
}

/// (x - zero point) * scale for every element; no scale is one of 1.
static std::optional<std::vector<float>> dequantize(const WeightSource &source,
                                                    ArrayRef<float> values) {
  std::optional<onnx::ElementsView<float>> scaleView;
  if (source.scale) {
    scaleView = onnx::ElementsView<float>::get(source.scale);
    if (!scaleView)
      return std::nullopt;
  }
  std::optional<onnx::ElementsView<float>> zeroView;
  if (source.zeroPoint) {
    zeroView = onnx::ElementsView<float>::get(source.zeroPoint);
    if (!zeroView)
      return std::nullopt;
  }
  const float one = 1.0f, none = 0.0f;
  ArrayRef<float> scales = scaleView ? scaleView->values() : ArrayRef(one);
  ArrayRef<float> zeros = zeroView ? zeroView->values() : ArrayRef(none);
  ParameterLayout layout = source.getParameterLayout();
  std::vector<float> result(values.size());
  for (size_t i = 0, e = values.size(); i < e; ++i) {
    size_t index = layout.getIndex(i);
    auto get = [&](ArrayRef<float> given) -> std::optional<float> {
      if (given.size() == 1)
        return given.front();
      return index < given.size() ? std::optional(given[index]) : std::nullopt;
    };
    auto scale = get(scales), zero = get(zeros);
    if (!scale || !zero)
      return std::nullopt;
    result[i] = (values[i] - *zero) * *scale;
  }
  return result;
}

std::vector<float> WeightSource::readSample() const {
  auto type = dyn_cast<FloatType>(values.getElementType());
  if (scale || !type || type.getWidth() % 8)
    return {};
  // Of the bytes: converting a large matrix to floats would cost more than it.
  ArrayRef<char> bytes = getRawBytes(values);
  unsigned width = type.getWidth();
  if (bytes.size() != size_t(values.getNumElements()) * width / 8)
    return {};
  int64_t stride = outputsFirst ? 1 : outputs;
  std::vector<float> sample;
  for (int64_t i = 0, e = std::min(inputs, kMinGroup); i < e; ++i) {
    APInt bits(width, 0);
    llvm::LoadIntFromMemory(bits,
                            reinterpret_cast<const uint8_t *>(bytes.data()) +
                                i * stride * width / 8,
                            width / 8);
    APFloat element(type.getFloatSemantics(), bits);
    bool losesInfo;
    element.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                    &losesInfo);
    sample.push_back(element.convertToFloat());
  }
  return sample;
}

/// Transposes in tiles, which keeps both sides in the cache.
static std::vector<float> transposeMatrix(ArrayRef<float> values, int64_t rows,
                                          int64_t columns) {
  constexpr int64_t kTile = 64;
  std::vector<float> result(values.size());
  for (int64_t r0 = 0; r0 < rows; r0 += kTile)
    for (int64_t c0 = 0; c0 < columns; c0 += kTile)
      for (int64_t r = r0, re = std::min(r0 + kTile, rows); r < re; ++r)
        for (int64_t c = c0, ce = std::min(c0 + kTile, columns); c < ce; ++c)
          result[c * rows + r] = values[r * columns + c];
  return result;
}

std::optional<std::vector<float>> WeightSource::read() const {
  auto view = onnx::ElementsView<float>::get(values);
  if (!view)
    return std::nullopt;
  ArrayRef<float> data = view->values();
  std::vector<float> dequantised;
  if (scale || zeroPoint) {
    auto result = dequantize(*this, data);
    if (!result)
      return std::nullopt;
    dequantised = std::move(*result);
    data = dequantised;
  }
  if (!outputsFirst)
    return transposeMatrix(data, inputs, outputs);
  return data.vec();
}

std::optional<LowBitMatrix>
bitnet::readLowBitMatrix(const WeightSource &source) {
  if (auto matrix = readIntegerMatrix(source))
    return matrix;
  if (!isLowBitGroup(source.readSample()))
    return std::nullopt;
  auto values = source.read();
  if (!values)
    return std::nullopt;
  return detectLowBitMatrix(*values, source.outputs, source.inputs);
}
