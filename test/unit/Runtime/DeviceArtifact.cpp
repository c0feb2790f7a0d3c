//===- DeviceArtifact.cpp - An artifact for devices -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceArtifact.h"

#include <cstdlib>
#include <gtest/gtest.h>

using namespace bitnet_test;

static std::string mainEntry() {
  std::vector<std::string> rows = {dynamicDim("n"), fixedDim(3)};
  return str("main") + u32(BN_ENTRY_MAIN) + u64(0) + u64(64) + u64(0) + u64(0) +
         list({tensor("x", 1, rows), tensor("y", 1, rows),
               tensor("pick", 7, {})}) +
         list({tensor("z", 1, rows), tensor("row", 1, {fixedDim(4)})});
}

DeviceArtifact::DeviceArtifact() {
  image = readFile(BITNET_TEST_DEVICE_IMAGE);
  entries[0] = mainEntry();
  std::vector<std::pair<uint64_t, uint64_t>> modules;
  for (const char *name : {"ScaleAdd", "Remember", "Logits"})
    modules.push_back(addCode(
        readFile(BITNET_TEST_KERNELS "/" + std::string(name) + ".spv")));
  vulkanKernels = kernelsIn(modules);
  // All in one text, of which the stand-in for the driver reads nothing.
  std::string ptx = "//\n.version 8.0\n.target sm_80\n";
  auto text = addCode(ptx + '\0');
  cudaKernels = kernelsIn({text, text, text});
  variants = {variant("base"), "", ""};
  setFeatures(1, {"vulkan1.2"});
  setFeatures(2, {"sm_80", "cuda11.8"});
}

void DeviceArtifact::setFeatures(size_t index,
                                 const std::vector<std::string> &features) {
  variants[index] =
      index == 1 ? variant("vulkan", features, BN_DEVICE_VULKAN, vulkanKernels)
                 : variant("cuda", features, BN_DEVICE_CUDA, cudaKernels);
}

void DeviceArtifact::keepOnly(size_t index) { variants = {variants[index]}; }

std::pair<uint64_t, uint64_t> DeviceArtifact::addCode(const std::string &code) {
  kernels.resize((kernels.size() + BN_ALIGNMENT - 1) / BN_ALIGNMENT *
                 BN_ALIGNMENT);
  kernels += code;
  return {kernels.size() - code.size(), code.size()};
}

std::vector<std::string> DeviceArtifact::kernelsIn(
    const std::vector<std::pair<uint64_t, uint64_t>> &codes) {
  const std::string buffer(1, BN_ARGUMENT_BUFFER), i32(1, BN_ARGUMENT_I32),
      i64(1, BN_ARGUMENT_I64), f32(1, BN_ARGUMENT_F32);
  return {kernel("ScaleAdd", i64 + buffer + buffer + f32 + buffer + buffer,
                 codes[0].first, codes[0].second, 32),
          kernel("Remember", buffer + i64 + buffer + i32, codes[1].first,
                 codes[1].second, 32),
          kernel("Logits", buffer + i32 + i32 + buffer, codes[2].first,
                 codes[2].second, 32)};
}

Environment::Environment(const Variables &variables) : variables(variables) {
  for (const auto &[name, value] : variables)
    setenv(name.c_str(), value.c_str(), 1);
}

Environment::~Environment() {
  for (const auto &[name, value] : variables)
    unsetenv(name.c_str());
}

std::string bitnet_test::obstacleOf(const DeviceArtifact &artifact,
                                    const std::string &variant) {
  TemporaryFile file(artifact.build());
  Model model = openModel(file.path());
  const bn_model_info *info = bn_model_get_info(model.get());
  for (uint32_t i = 0; i < info->variant_count; ++i)
    if (info->variants[i].name == variant) {
      std::string obstacle = info->variants[i].obstacle;
      EXPECT_EQ(info->variants[i].runnable != 0, obstacle.empty());
      return obstacle;
    }
  ADD_FAILURE() << "no variant " << variant;
  return "";
}
