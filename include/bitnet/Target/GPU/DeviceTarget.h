//===- DeviceTarget.h - GPUs that code is generated for ---------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TARGET_GPU_DEVICETARGET_H
#define BITNET_TARGET_GPU_DEVICETARGET_H

#include "bitnet/Dialect/BitNet/IR/BitNetAttributes.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <optional>
#include <string>

namespace bitnet {

enum class DeviceKind { CPU, CUDA, Vulkan, ROCm };

/// What runs the kernels of a target; CPU where the target is null.
DeviceKind getDeviceKind(TargetAttr target);
inline bool isDevice(TargetAttr target) {
  return getDeviceKind(target) != DeviceKind::CPU;
}

/// Whether `name`, such as `cuda:sm_90`, begins with the name of a device API.
bool isDeviceTargetName(llvm::StringRef name);

/// Parses `vulkan`, `cuda[:sm_NN]` or `rocm[:gfxNNN]`. A failure names what is
/// accepted.
llvm::Expected<TargetAttr> parseDeviceTarget(mlir::MLIRContext *context,
                                             llvm::StringRef name);

/// Whether a machine that runs both should run `target`: code for a later chip.
bool isBetterDeviceTarget(TargetAttr target, TargetAttr other);

/// The names that parseDeviceTarget accepts, for `--help`.
std::string describeDeviceTargets();

/// How many elements, from the first address on, a memref reaches over; nothing
/// where its type does not tell.
std::optional<int64_t> getStaticReach(mlir::MemRefType type);

/// What the lowerings of kernels ask about a device.
class DeviceTarget {
public:
  virtual ~DeviceTarget() = default;

  /// Null for a CPU.
  static std::unique_ptr<DeviceTarget> get(TargetAttr target);

  /// Threads that exchange registers by shuffles; 1 where that is not used.
  virtual int64_t getShuffleWidth() const { return 1; }
  /// 32-bit words that one load moves.
  virtual int64_t getLoadWords() const { return 1; }
  /// accumulator + the dot product of the four bytes of two words: codes, which
  /// lie in 0 .. 3, and signed activations.
  virtual mlir::Value dotAccumulate(mlir::ImplicitLocOpBuilder &builder,
                                    mlir::Value accumulator, mlir::Value codes,
                                    mlir::Value bytes) const;

  /// Whether 32 threads multiply matrices of bytes together.
  virtual bool hasMatrixUnits() const { return false; }
  /// sums (16 x 8, four words a thread) + codes (16 x 32 bytes, four words)
  /// times bytes (32 x 8, two words), all signed, spread over the threads as
  /// PTX describes mma.m16n8k32.
  virtual llvm::SmallVector<mlir::Value>
  multiplyBytes(mlir::ImplicitLocOpBuilder &builder, mlir::ValueRange sums,
                mlir::ValueRange codes, mlir::ValueRange bytes) const;
};

} // namespace bitnet

#endif // BITNET_TARGET_GPU_DEVICETARGET_H
