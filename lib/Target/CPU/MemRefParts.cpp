//===- MemRefParts.cpp - Memrefs from pointers and extents, and back ------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MemRefParts.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"

using namespace mlir;
using namespace bitnet;

namespace {
struct Layout {
  SmallVector<int64_t> strides;
  int64_t offset;
  /// The strides are those of a row-major memref without gaps.
  bool dense;
};
} // namespace

static Layout getLayout(MemRefType type) {
  Layout layout;
  layout.dense = type.getLayout().isIdentity();
  if (failed(type.getStridesAndOffset(layout.strides, layout.offset)))
    llvm::report_fatal_error("memref without strides");
  return layout;
}

SmallVector<Value> MemRefParts::flatten() const {
  SmallVector<Value> values = {pointer};
  if (offset)
    values.push_back(offset);
  llvm::append_range(values, sizes);
  llvm::append_range(values, strides);
  return values;
}

SmallVector<Type> bitnet::getPartTypes(MemRefType type) {
  Layout layout = getLayout(type);
  Type i64 = IntegerType::get(type.getContext(), 64);
  SmallVector<Type> types = {LLVM::LLVMPointerType::get(type.getContext())};
  if (ShapedType::isDynamic(layout.offset))
    types.push_back(i64);
  types.append(type.getNumDynamicDims(), i64);
  if (!layout.dense)
    types.append(llvm::count_if(layout.strides, ShapedType::isDynamic), i64);
  return types;
}

MemRefParts bitnet::takeParts(MemRefType type, ValueRange &values) {
  Layout layout = getLayout(type);
  MemRefParts parts;
  auto take = [&]() {
    Value value = values.front();
    values = values.drop_front();
    return value;
  };
  parts.pointer = take();
  if (ShapedType::isDynamic(layout.offset))
    parts.offset = take();
  for (unsigned i = 0, e = type.getNumDynamicDims(); i < e; ++i)
    parts.sizes.push_back(take());
  for (int64_t stride : layout.strides)
    if (!layout.dense && ShapedType::isDynamic(stride))
      parts.strides.push_back(take());
  return parts;
}

Value bitnet::toLLVM(ImplicitLocOpBuilder &builder,
                     const LLVMTypeConverter &converter, Value value) {
  Type type = converter.convertType(value.getType());
  if (type == value.getType())
    return value;
  return builder.create<UnrealizedConversionCastOp>(type, value).getResult(0);
}

Value bitnet::fromLLVM(ImplicitLocOpBuilder &builder, Type type, Value value) {
  if (type == value.getType())
    return value;
  return builder.create<UnrealizedConversionCastOp>(type, value).getResult(0);
}

Value bitnet::buildMemRef(ImplicitLocOpBuilder &builder,
                          const LLVMTypeConverter &converter, MemRefType type,
                          const MemRefParts &parts) {
  Layout layout = getLayout(type);
  Location loc = builder.getLoc();
  auto constant = [&](int64_t value) -> Value {
    return builder.create<LLVM::ConstantOp>(builder.getI64IntegerAttr(value));
  };
  auto descriptor =
      MemRefDescriptor::poison(builder, loc, converter.convertType(type));
  descriptor.setAllocatedPtr(builder, loc, parts.pointer);
  descriptor.setAlignedPtr(builder, loc, parts.pointer);
  descriptor.setOffset(builder, loc,
                       parts.offset ? parts.offset : constant(layout.offset));
  SmallVector<Value> sizes;
  auto dynamicSize = parts.sizes.begin();
  for (int64_t size : type.getShape())
    sizes.push_back(ShapedType::isDynamic(size) ? *dynamicSize++
                                                : constant(size));
  SmallVector<Value> strides(sizes.size());
  auto dynamicStride = parts.strides.rbegin();
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    if (!ShapedType::isDynamic(layout.strides[i]))
      strides[i] = constant(layout.strides[i]);
    else if (layout.dense)
      strides[i] = builder.create<LLVM::MulOp>(strides[i + 1], sizes[i + 1]);
    else
      strides[i] = *dynamicStride++;
  }
  for (int64_t i = 0; i < type.getRank(); ++i) {
    descriptor.setSize(builder, loc, i, sizes[i]);
    descriptor.setStride(builder, loc, i, strides[i]);
  }
  return fromLLVM(builder, type, descriptor);
}

MemRefParts bitnet::splitMemRef(ImplicitLocOpBuilder &builder,
                                const LLVMTypeConverter &converter,
                                Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  Layout layout = getLayout(type);
  Location loc = builder.getLoc();
  MemRefDescriptor descriptor(toLLVM(builder, converter, memref));
  MemRefParts parts;
  parts.pointer = descriptor.alignedPtr(builder, loc);
  if (ShapedType::isDynamic(layout.offset))
    parts.offset = descriptor.offset(builder, loc);
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      parts.sizes.push_back(descriptor.size(builder, loc, i));
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (!layout.dense && ShapedType::isDynamic(layout.strides[i]))
      parts.strides.push_back(descriptor.stride(builder, loc, i));
  return parts;
}
