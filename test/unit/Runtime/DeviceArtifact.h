//===- DeviceArtifact.h - An artifact for devices ---------------*- C++ -*-===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BITNET_TEST_UNIT_RUNTIME_DEVICEARTIFACT_H
#define BITNET_TEST_UNIT_RUNTIME_DEVICEARTIFACT_H

#include "TestArtifact.h"

#include <utility>

namespace bitnet_test {

/// The artifact of Inputs/DeviceModel.c, with the variants "base" for the CPU
/// (which does nothing), "vulkan" and "cuda".
struct DeviceArtifact : TestArtifact {
  DeviceArtifact();

  /// Replaces a variant: 1 is "vulkan", 2 "cuda".
  void setFeatures(size_t index, const std::vector<std::string> &features);
  /// Leaves one variant; the code knows it by the same index no more.
  void keepOnly(size_t index);

  /// Adds code to the section; gives its offset and size.
  std::pair<uint64_t, uint64_t> addCode(const std::string &code);
  /// The kernels ScaleAdd, Remember and Logits, in these codes.
  static std::vector<std::string>
  kernelsIn(const std::vector<std::pair<uint64_t, uint64_t>> &codes);

private:
  std::vector<std::string> vulkanKernels, cudaKernels;
};

/// Sets variables of the environment for as long as it lives.
class Environment {
public:
  using Variables = std::vector<std::pair<std::string, std::string>>;

  explicit Environment(const Variables &variables);
  Environment(const char *name, const std::string &value)
      : Environment(Variables{{name, value}}) {}
  Environment(const Environment &) = delete;
  ~Environment();

private:
  Variables variables;
};

/// What keeps a variant of an artifact from running here; empty if nothing.
std::string obstacleOf(const DeviceArtifact &artifact,
                       const std::string &variant);

} // namespace bitnet_test

#endif // BITNET_TEST_UNIT_RUNTIME_DEVICEARTIFACT_H
