//===- DeviceTarget.cpp - GPUs that code is generated for -----------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/GPU/DeviceTarget.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace bitnet;

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

namespace {
struct API {
  llvm::StringLiteral name;
  DeviceKind kind;
  llvm::StringLiteral triple;
  /// Chips, the default one first; none where code is for any device.
  llvm::ArrayRef<llvm::StringLiteral> chips;
};
} // namespace

static constexpr llvm::StringLiteral cudaChips[] = {
    "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"};
static constexpr llvm::StringLiteral rocmChips[] = {"gfx90a", "gfx942",
                                                    "gfx1100"};

static llvm::ArrayRef<API> getAPIs() {
  static const API apis[] = {
      {"cuda", DeviceKind::CUDA, "nvptx64-nvidia-cuda", cudaChips},
      {"vulkan", DeviceKind::Vulkan, "spirv-unknown-vulkan", {}},
      {"rocm", DeviceKind::ROCm, "amdgcn-amd-amdhsa", rocmChips}};
  return apis;
}

static const API *findAPI(StringRef name) {
  for (const API &api : getAPIs())
    if (api.name == name)
      return &api;
  return nullptr;
}

DeviceKind bitnet::getDeviceKind(TargetAttr target) {
  if (target)
    for (const API &api : getAPIs())
      if (api.triple == target.getTriple())
        return api.kind;
  return DeviceKind::CPU;
}

bool bitnet::isDeviceTargetName(StringRef name) {
  return findAPI(name.trim().split(':').first) != nullptr;
}

bool bitnet::isBetterDeviceTarget(TargetAttr target, TargetAttr other) {
  if (target.getTriple() != other.getTriple())
    return false;
  for (const API &api : getAPIs())
    if (api.triple == target.getTriple())
      return llvm::find(api.chips, target.getCpu()) >
             llvm::find(api.chips, other.getCpu());
  return false;
}

std::string bitnet::describeDeviceTargets() {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::ListSeparator separator;
  for (const API &api : getAPIs()) {
    os << separator << api.name;
    if (!api.chips.empty())
      os << "[:" << llvm::join(api.chips, "|") << "]";
  }
  return text;
}

llvm::Expected<TargetAttr> bitnet::parseDeviceTarget(MLIRContext *context,
                                                     StringRef text) {
  auto [name, chip] = text.trim().split(':');
  const API *api = findAPI(name);
  bool hasChip = text.contains(':');
  if (!api || (hasChip && !llvm::is_contained(api->chips, chip)))
    return llvm::createStringError(
        llvm::Twine("unknown target '") + text +
        "'; accepted are: " + describeDeviceTargets());
  if (!hasChip && !api->chips.empty())
    chip = api->chips.front();
  SmallVector<StringAttr> features;
  if (!chip.empty())
    features.push_back(StringAttr::get(context, chip));
  std::string full = name.str();
  if (!chip.empty())
    full += ":" + chip.str();
  return TargetAttr::get(context, full, api->triple, chip, features);
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

static Value constant(ImplicitLocOpBuilder &b, int32_t value) {
  return b.create<arith::ConstantIntOp>(b.getI32Type(), value);
}

Value DeviceTarget::dotAccumulate(ImplicitLocOpBuilder &b, Value accumulator,
                                  Value codes, Value bytes) const {
  for (int byte = 0; byte < 4; ++byte) {
    Value code = b.createOrFold<arith::AndIOp>(
        b.createOrFold<arith::ShRUIOp>(codes, constant(b, 8 * byte)),
        constant(b, 0xff));
    Value activation = b.create<arith::ShRSIOp>(
        b.createOrFold<arith::ShLIOp>(bytes, constant(b, 24 - 8 * byte)),
        constant(b, 24));
    accumulator = b.create<arith::AddIOp>(
        accumulator, b.create<arith::MulIOp>(code, activation));
  }
  return accumulator;
}

SmallVector<Value> DeviceTarget::multiplyBytes(ImplicitLocOpBuilder &,
                                               ValueRange, ValueRange,
                                               ValueRange) const {
  llvm_unreachable("a device without matrix units");
}

namespace {

Value callIntrinsic(ImplicitLocOpBuilder &b, StringRef name,
                    ValueRange operands) {
  return b
      .create<LLVM::CallIntrinsicOp>(b.getI32Type(), b.getStringAttr(name),
                                     operands)
      .getResult(0);
}

Value truth(ImplicitLocOpBuilder &b, bool value) {
  return b.create<arith::ConstantIntOp>(b.getI1Type(), value);
}

class VulkanDevice : public DeviceTarget {};

class CUDADevice : public DeviceTarget {
public:
  int64_t getShuffleWidth() const override { return 32; }
  int64_t getLoadWords() const override { return 4; }
  Value dotAccumulate(ImplicitLocOpBuilder &b, Value accumulator, Value codes,
                      Value bytes) const override {
    return callIntrinsic(b, "llvm.nvvm.idp4a.u.s", {codes, bytes, accumulator});
  }
  bool hasMatrixUnits() const override { return true; }
  SmallVector<Value> multiplyBytes(ImplicitLocOpBuilder &b, ValueRange sums,
                                   ValueRange codes,
                                   ValueRange bytes) const override {
    Type i32 = b.getI32Type();
    auto type =
        LLVM::LLVMStructType::getLiteral(b.getContext(), {i32, i32, i32, i32});
    SmallVector<Value> operands(codes);
    llvm::append_range(operands, bytes);
    llvm::append_range(operands, sums);
    Value result =
        b.create<LLVM::CallIntrinsicOp>(
             type, b.getStringAttr("llvm.nvvm.mma.m16n8k32.row.col.s8"),
             operands)
            .getResult(0);
    SmallVector<Value> words;
    for (int64_t i = 0; i < 4; ++i)
      words.push_back(b.create<LLVM::ExtractValueOp>(result, i));
    return words;
  }
};

class ROCmDevice : public DeviceTarget {
public:
  explicit ROCmDevice(StringRef chip)
      : hasMixedSigns(chip.starts_with("gfx11")) {}
  int64_t getLoadWords() const override { return 4; }
  Value dotAccumulate(ImplicitLocOpBuilder &b, Value accumulator, Value codes,
                      Value bytes) const override {
    // Codes are small enough to be signed ones.
    if (!hasMixedSigns)
      return callIntrinsic(b, "llvm.amdgcn.sdot4",
                           {codes, bytes, accumulator, truth(b, false)});
    return callIntrinsic(b, "llvm.amdgcn.sudot4",
                         {truth(b, false), codes, truth(b, true), bytes,
                          accumulator, truth(b, false)});
  }

private:
  bool hasMixedSigns;
};

} // namespace

std::optional<int64_t> bitnet::getStaticReach(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  if (!type.hasStaticShape() ||
      failed(type.getStridesAndOffset(strides, offset)) ||
      ShapedType::isDynamic(offset) ||
      llvm::any_of(strides, ShapedType::isDynamic))
    return std::nullopt;
  int64_t reach = offset + 1;
  for (auto [size, stride] : llvm::zip_equal(type.getShape(), strides))
    reach += (size - 1) * stride;
  return std::max<int64_t>(reach, 0);
}

std::unique_ptr<DeviceTarget> DeviceTarget::get(TargetAttr target) {
  switch (getDeviceKind(target)) {
  case DeviceKind::CPU:
    return nullptr;
  case DeviceKind::CUDA:
    return std::make_unique<CUDADevice>();
  case DeviceKind::Vulkan:
    return std::make_unique<VulkanDevice>();
  case DeviceKind::ROCm:
    return std::make_unique<ROCmDevice>(target.getCpu());
  }
  llvm_unreachable("unknown kind of device");
}
