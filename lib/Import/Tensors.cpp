//===- Tensors.cpp - ONNX's tensors as MLIR types and constants --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensors.h"
#include "bitnet/Dialect/ONNX/IR/ElementsData.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"
#include <cstring>

using namespace mlir;
using ::onnx::TensorProto;

namespace bitnet::import {

Type getElementType(int32_t dataType, MLIRContext *context) {
  Builder b(context);
  auto unsignedType = [&](unsigned width) {
    return IntegerType::get(context, width, IntegerType::Unsigned);
  };
  switch (dataType) {
  case TensorProto::FLOAT:
    return b.getF32Type();
  case TensorProto::DOUBLE:
    return b.getF64Type();
  case TensorProto::FLOAT16:
    return b.getF16Type();
  case TensorProto::BFLOAT16:
    return b.getBF16Type();
  case TensorProto::FLOAT8E4M3FN:
    return Float8E4M3FNType::get(context);
  case TensorProto::FLOAT8E4M3FNUZ:
    return Float8E4M3FNUZType::get(context);
  case TensorProto::FLOAT8E5M2:
    return Float8E5M2Type::get(context);
  case TensorProto::FLOAT8E5M2FNUZ:
    return Float8E5M2FNUZType::get(context);
  case TensorProto::FLOAT4E2M1:
    return Float4E2M1FNType::get(context);
  case TensorProto::FLOAT8E8M0:
    return Float8E8M0FNUType::get(context);
  case TensorProto::BOOL:
    return b.getI1Type();
  case TensorProto::INT2:
    return b.getIntegerType(2);
  case TensorProto::INT4:
    return b.getIntegerType(4);
  case TensorProto::INT8:
    return b.getI8Type();
  case TensorProto::INT16:
    return b.getI16Type();
  case TensorProto::INT32:
    return b.getI32Type();
  case TensorProto::INT64:
    return b.getI64Type();
  case TensorProto::UINT2:
    return unsignedType(2);
  case TensorProto::UINT4:
    return unsignedType(4);
  case TensorProto::UINT8:
    return unsignedType(8);
  case TensorProto::UINT16:
    return unsignedType(16);
  case TensorProto::UINT32:
    return unsignedType(32);
  case TensorProto::UINT64:
    return unsignedType(64);
  default:
    return {};
  }
}

int32_t getDataType(Type elementType) {
  for (int32_t i = 1; ::onnx::TensorProto_DataType_IsValid(i); ++i)
    if (getElementType(i, elementType.getContext()) == elementType)
      return i;
  llvm_unreachable("no element type of ONNX's");
}

void addConstantInput(::onnx::GraphProto &graph, StringRef name,
                      RankedTensorType type) {
  auto *input = graph.add_input();
  input->set_name(name.str());
  auto *tensor = input->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(getDataType(type.getElementType()));
  tensor->mutable_shape();
  for (int64_t dim : type.getShape())
    tensor->mutable_shape()->add_dim()->set_dim_value(dim);
}

std::string getDataTypeName(int32_t dataType) {
  std::string name = ::onnx::TensorProto_DataType_Name(
      static_cast<TensorProto::DataType>(dataType));
  return name.empty() ? std::to_string(dataType) : name;
}

InFlightDiagnostic TensorReader::emitError(StringRef tensor) {
  return mlir::emitError(file) << "tensor '" << tensor << "': ";
}

RankedTensorType TensorReader::getType(const TensorProto &tensor) {
  Type element = getElementType(tensor.data_type(), file.getContext());
  if (!element) {
    emitError(tensor.name())
        << "unsupported data type " << getDataTypeName(tensor.data_type());
    return {};
  }
  int64_t count = 1;
  for (int64_t dim : tensor.dims()) {
    if (dim < 0 || llvm::MulOverflow(count, dim, count) ||
        count > kMaxElements) {
      emitError(tensor.name()) << "its shape is impossible";
      return {};
    }
  }
  return RankedTensorType::get(
      ArrayRef(tensor.dims().data(), tensor.dims_size()), element);
}

//===----------------------------------------------------------------------===//
// External data
//===----------------------------------------------------------------------===//

std::shared_ptr<llvm::MemoryBuffer>
TensorReader::openExternal(StringRef location, StringRef tensor) {
  auto known = externalFiles.find(location);
  if (known != externalFiles.end())
    return known->second;
  bool escapes = location.empty() || llvm::sys::path::is_absolute(location);
  for (StringRef part : llvm::make_range(llvm::sys::path::begin(location),
                                         llvm::sys::path::end(location)))
    escapes |= part == "..";
  if (escapes) {
    emitError(tensor) << "external data file '" << location
                      << "' is not in the model's folder";
    return nullptr;
  }
  SmallString<256> path(modelFolder);
  llvm::sys::path::append(path, location);
  for (StringRef output : outputs)
    if (llvm::sys::fs::equivalent(path, output)) {
      emitError(tensor) << "external data file '" << location
                        << "' is to be written: expected another output";
      return nullptr;
    }
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    emitError(tensor) << "cannot open external data file '" << path
                      << "': " << buffer.getError().message();
    return nullptr;
  }
  std::shared_ptr<llvm::MemoryBuffer> shared = std::move(*buffer);
  externalFiles[location] = shared;
  return shared;
}

std::optional<ArrayRef<char>>
TensorReader::getExternal(const TensorProto &tensor, int64_t needed,
                          std::shared_ptr<llvm::MemoryBuffer> &owner) {
  StringRef location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const auto &entry : tensor.external_data()) {
    StringRef value = entry.value();
    uint64_t number = 0;
    if (entry.key() == "location") {
      location = value;
    } else if (entry.key() == "offset" || entry.key() == "length") {
      if (value.getAsInteger(10, number)) {
        emitError(tensor.name())
            << "bad external data " << entry.key() << " '" << value << "'";
        return std::nullopt;
      }
      if (entry.key() == "offset")
        offset = number;
      else
        length = number;
    }
  }
  owner = openExternal(location, tensor.name());
  if (!owner)
    return std::nullopt;
  uint64_t size = owner->getBufferSize();
  uint64_t available = offset <= size ? size - offset : 0;
  if (length && *length < static_cast<uint64_t>(needed)) {
    emitError(tensor.name())
        << "external data has " << *length << " bytes, expected " << needed;
    return std::nullopt;
  }
  if (available < static_cast<uint64_t>(needed)) {
    emitError(tensor.name())
        << "external data file '" << location << "' is too short: " << size
        << " bytes, expected " << needed << " at offset " << offset;
    return std::nullopt;
  }
  return ArrayRef<char>(owner->getBufferStart() + offset, needed);
}

LogicalResult TensorReader::load(TensorProto &tensor) {
  RankedTensorType type = getType(tensor);
  if (!type)
    return failure();
  std::shared_ptr<llvm::MemoryBuffer> owner;
  auto bytes = getExternal(tensor, onnx::getStorageBytes(type), owner);
  if (!bytes)
    return failure();
  tensor.set_raw_data(bytes->data(), bytes->size());
  tensor.clear_external_data();
  tensor.clear_data_location();
  return success();
}

//===----------------------------------------------------------------------===//
// Data in the file itself
//===----------------------------------------------------------------------===//

/// The bytes of a repeated field, each value cut to `width` bytes.
template <typename Field>
static std::string getBytes(const Field &field, unsigned width) {
  std::string bytes;
  bytes.reserve(static_cast<size_t>(field.size()) * width);
  for (auto value : field)
    bytes.append(reinterpret_cast<const char *>(&value), width);
  return bytes;
}

/// The typed fields in the layout of raw data.
static std::string getTypedBytes(const TensorProto &tensor, Type element) {
  unsigned bytes = std::max(onnx::getStorageBitWidth(element) / 8, 1u);
  if (tensor.float_data_size())
    return getBytes(tensor.float_data(), 4);
  if (tensor.double_data_size())
    return getBytes(tensor.double_data(), 8);
  if (tensor.int64_data_size())
    return getBytes(tensor.int64_data(), 8);
  if (tensor.uint64_data_size())
    return getBytes(tensor.uint64_data(), bytes);
  return getBytes(tensor.int32_data(), std::min(bytes, 4u));
}

ElementsAttr TensorReader::read(TensorProto &tensor) {
  RankedTensorType type = getType(tensor);
  if (!type)
    return {};
  int64_t needed = onnx::getStorageBytes(type);
  if (tensor.data_location() == TensorProto::EXTERNAL) {
    std::shared_ptr<llvm::MemoryBuffer> owner;
    auto bytes = getExternal(tensor, needed, owner);
    if (!bytes)
      return {};
    size_t align =
        size_t(1) << std::min<int>(
            llvm::countr_zero(reinterpret_cast<uintptr_t>(bytes->data())), 6);
    return onnx::makeElements(
        type,
        UnmanagedAsmResourceBlob::allocateWithAlign(
            *bytes, align, [owner](void *, size_t, size_t) {}),
        tensor.name());
  }
  std::unique_ptr<std::string> bytes;
  if (tensor.has_raw_data())
    bytes.reset(tensor.release_raw_data());
  else
    bytes = std::make_unique<std::string>(
        getTypedBytes(tensor, type.getElementType()));
  if (static_cast<int64_t>(bytes->size()) != needed) {
    emitError(tensor.name())
        << "has " << bytes->size() << " bytes of data, expected " << needed
        << " for " << type;
    return {};
  }
  auto owner = std::shared_ptr<std::string>(std::move(bytes));
  ArrayRef<char> data(owner->data(), owner->size());
  return onnx::makeElements(
      type,
      UnmanagedAsmResourceBlob::allocateWithAlign(
          data, alignof(std::max_align_t), [owner](void *, size_t, size_t) {}),
      tensor.name());
}

} // namespace bitnet::import
