//===- ElementsData.cpp - Elements of constants, read and made --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"
#include <cstring>
#include <limits>

using namespace mlir;

namespace bitnet::onnx {

unsigned getStorageBitWidth(Type elementType) {
  unsigned width =
      elementType.isIntOrFloat() ? elementType.getIntOrFloatBitWidth() : 8;
  return width == 1 ? 8 : width;
}

int64_t getStorageBytes(ShapedType type) {
  int64_t bits =
      type.getNumElements() * getStorageBitWidth(type.getElementType());
  return (bits + 7) / 8;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {
/// The bits of element `index` of a resource's blob.
uint64_t loadBits(const char *data, unsigned width, int64_t index) {
  if (width < 8) {
    int64_t bit = index * width;
    return (static_cast<uint8_t>(data[bit / 8]) >> (bit % 8)) &
           ((1u << width) - 1);
  }
  uint64_t bits = 0;
  std::memcpy(&bits, data + index * (width / 8), width / 8);
  return bits;
}

int64_t signExtend(uint64_t bits, unsigned width) {
  return static_cast<int64_t>(bits << (64 - width)) >> (64 - width);
}

float halfToFloat(uint16_t half) {
  uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  uint32_t exponent = (half >> 10) & 31, mantissa = half & 1023;
  float value;
  if (exponent == 0) {
    value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -value : value;
  }
  uint32_t bits = exponent == 31 ? 0x7f800000u | mantissa << 13
                                 : (exponent + 112) << 23 | mantissa << 13;
  bits |= sign;
  std::memcpy(&value, &bits, 4);
  return value;
}

double floatFromBits(FloatType type, uint64_t bits) {
  if (type.isF32()) {
    uint32_t low = static_cast<uint32_t>(bits);
    float value;
    std::memcpy(&value, &low, 4);
    return value;
  }
  if (type.isF64()) {
    double value;
    std::memcpy(&value, &bits, 8);
    return value;
  }
  if (type.isBF16())
    return floatFromBits(Float32Type::get(type.getContext()), bits << 16);
  if (type.isF16())
    return halfToFloat(static_cast<uint16_t>(bits));
  APFloat value(type.getFloatSemantics(), APInt(type.getWidth(), bits));
  return value.convertToDouble();
}

template <typename T> T fromDouble(double value) {
  if constexpr (std::is_same_v<T, int64_t>) {
    if (!(value > -0x1p63))
      return value != value ? 0 : std::numeric_limits<int64_t>::min();
    if (value >= 0x1p63)
      return std::numeric_limits<int64_t>::max();
  }
  return static_cast<T>(value);
}

template <typename T>
void convertBits(Type element, const char *data, MutableArrayRef<T> out) {
  unsigned width = getStorageBitWidth(element);
  if (auto type = dyn_cast<FloatType>(element)) {
    for (int64_t i = 0, e = out.size(); i < e; ++i)
      out[i] = fromDouble<T>(floatFromBits(type, loadBits(data, width, i)));
    return;
  }
  bool isUnsigned = element.isUnsignedInteger();
  for (int64_t i = 0, e = out.size(); i < e; ++i) {
    uint64_t bits = loadBits(data, width, i);
    if (element.isInteger(1))
      out[i] = static_cast<T>(bits != 0);
    else
      out[i] = static_cast<T>(isUnsigned ? static_cast<int64_t>(bits)
                                         : signExtend(bits, width));
  }
}

template <typename T> bool holds(Type element) {
  if constexpr (std::is_same_v<T, float>)
    return element.isF32();
  else if constexpr (std::is_same_v<T, double>)
    return element.isF64();
  else
    return element.isInteger(64);
}

template <typename T>
bool convertDense(DenseElementsAttr dense, std::vector<T> &out) {
  Type element = dense.getElementType();
  int64_t count = dense.getNumElements();
  if (isa<FloatType>(element)) {
    auto convert = [](const APFloat &value) {
      return fromDouble<T>(value.convertToDouble());
    };
    if (dense.isSplat())
      out.assign(count, convert(dense.getSplatValue<APFloat>()));
    else
      for (const APFloat &value : dense.getValues<APFloat>())
        out.push_back(convert(value));
    return true;
  }
  bool isUnsigned = element.isUnsignedInteger() || element.isInteger(1);
  auto convert = [&](const APInt &value) {
    return static_cast<T>(isUnsigned
                              ? static_cast<int64_t>(value.getZExtValue())
                              : value.getSExtValue());
  };
  if (dense.isSplat())
    out.assign(count, convert(dense.getSplatValue<APInt>()));
  else
    for (const APInt &value : dense.getValues<APInt>())
      out.push_back(convert(value));
  return true;
}
} // namespace

template <typename T>
std::optional<ElementsView<T>> ElementsView<T>::get(ElementsAttr attr) {
  if (!attr)
    return std::nullopt;
  Type element = attr.getElementType();
  if (!isa<IntegerType, FloatType>(element) || getStorageBitWidth(element) > 64)
    return std::nullopt;
  ElementsView result;
  const char *data = nullptr;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || static_cast<int64_t>(blob->getData().size()) <
                     getStorageBytes(attr.getShapedType()))
      return std::nullopt;
    data = blob->getData().data();
  } else if (auto dense = dyn_cast<DenseElementsAttr>(attr)) {
    if (!isa<DenseIntOrFPElementsAttr>(dense))
      return std::nullopt;
    if (holds<T>(element) && !dense.isSplat())
      data = dense.getRawData().data();
  } else {
    return std::nullopt;
  }
  if (data && holds<T>(element) &&
      reinterpret_cast<uintptr_t>(data) % alignof(T) == 0) {
    result.view =
        ArrayRef<T>(reinterpret_cast<const T *>(data), attr.getNumElements());
    return result;
  }
  result.owned = std::make_shared<std::vector<T>>();
  if (data) {
    result.owned->resize(attr.getNumElements());
    convertBits<T>(element, data, *result.owned);
  } else {
    result.owned->reserve(attr.getNumElements());
    if (!convertDense(cast<DenseElementsAttr>(attr), *result.owned))
      return std::nullopt;
  }
  result.view = *result.owned;
  return result;
}

template class ElementsView<float>;
template class ElementsView<double>;
template class ElementsView<int64_t>;

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

/// Small constants: elements below a byte become APInts, others are copied.
static ElementsAttr makeDense(RankedTensorType type, ArrayRef<char> data) {
  Type element = type.getElementType();
  unsigned width = getStorageBitWidth(element);
  int64_t count = type.getNumElements();
  if (count == 0)
    return DenseElementsAttr::get(type, ArrayRef<Attribute>());
  if (element.isIntOrFloat() && element.getIntOrFloatBitWidth() >= 8)
    return DenseElementsAttr::getFromRawBuffer(
        type, data.take_front(getStorageBytes(type)));
  SmallVector<APInt> values;
  for (int64_t i = 0; i < count; ++i) {
    uint64_t bits = loadBits(data.data(), width, i);
    values.push_back(element.isInteger(1)
                         ? APInt(1, bits != 0)
                         : APInt(element.getIntOrFloatBitWidth(), bits));
  }
  if (auto floatType = dyn_cast<FloatType>(element)) {
    SmallVector<APFloat> floats;
    for (const APInt &value : values)
      floats.emplace_back(floatType.getFloatSemantics(), value);
    return DenseElementsAttr::get(type, floats);
  }
  return DenseElementsAttr::get(type, values);
}

ElementsAttr makeElements(RankedTensorType type, AsmResourceBlob blob,
                          StringRef name) {
  ArrayRef<char> data = blob.getData();
  if (static_cast<int64_t>(data.size()) < getStorageBytes(type))
    return {};
  if (getStorageBytes(type) <= kMaxInlineBytes)
    return makeDense(type, data);
  return DenseResourceElementsAttr::get(type, name, std::move(blob));
}

namespace {
/// Stores an element as a blob holds it.
template <typename T>
void storeBits(Type element, T value, char *data, unsigned width,
               int64_t index) {
  uint64_t bits;
  if (auto type = dyn_cast<FloatType>(element)) {
    APFloat number(static_cast<double>(value));
    bool losesInfo;
    number.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                   &losesInfo);
    bits = number.bitcastToAPInt().getZExtValue();
  } else {
    if constexpr (std::is_same_v<T, int64_t>)
      bits = static_cast<uint64_t>(value);
    else
      bits = static_cast<uint64_t>(fromDouble<int64_t>(value));
    if (element.isInteger(1))
      bits = bits != 0;
  }
  if (width < 8) {
    int64_t bit = index * width;
    uint8_t mask = static_cast<uint8_t>(((1u << width) - 1) << (bit % 8));
    char &byte = data[bit / 8];
    byte = static_cast<char>((byte & ~mask) | ((bits << (bit % 8)) & mask));
    return;
  }
  std::memcpy(data + index * (width / 8), &bits, width / 8);
}
} // namespace

template <typename T>
ElementsAttr makeElements(RankedTensorType type, ArrayRef<T> values,
                          StringRef name) {
  Type element = type.getElementType();
  unsigned width = getStorageBitWidth(element);
  int64_t bytes = getStorageBytes(type);
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(bytes, 64);
  char *data = blob.getMutableData().data();
  if (holds<T>(element)) {
    std::memcpy(data, values.data(), bytes);
  } else {
    std::memset(data, 0, bytes);
    for (int64_t i = 0, e = values.size(); i < e; ++i)
      storeBits<T>(element, values[i], data, width, i);
  }
  return makeElements(type, std::move(blob), name);
}

template ElementsAttr makeElements<float>(RankedTensorType, ArrayRef<float>,
                                          StringRef);
template ElementsAttr makeElements<double>(RankedTensorType, ArrayRef<double>,
                                           StringRef);
template ElementsAttr makeElements<int64_t>(RankedTensorType, ArrayRef<int64_t>,
                                            StringRef);

} // namespace bitnet::onnx
