//===- DeviceCommandsTest.cpp - The subcommands on device variants --------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// On the stand-in for CUDA's driver, which the tests of the runtime describe.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "DeviceArtifact.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace bitnet::run;
using namespace bitnet_test;

namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

template <typename Command> std::string outputOf(Command command) {
  testing::internal::CaptureStdout();
  EXPECT_NO_THROW(command());
  return testing::internal::GetCapturedStdout();
}

class DeviceCommandsTest : public testing::Test {
protected:
  nlohmann::json info() {
    return nlohmann::json::parse(
        outputOf([&] { printInfo({file.path(), /*json=*/true}); }));
  }

  TemporaryFile file{DeviceArtifact().build()};
  Environment driver{"BITNET_CUDA_DRIVER", BITNET_TEST_FAKE_CUDA};
  // So that only CUDA is there.
  Environment noVulkan{"BITNET_VULKAN_DRIVER", "/nonexistent/libvulkan.so"};
};

TEST_F(DeviceCommandsTest, InfoTellsOfDevices) {
  std::string plain = outputOf([&] { printInfo({file.path(), false}); });
  EXPECT_TRUE(contains(plain, "\n  base\n")) << plain;
  EXPECT_TRUE(contains(plain, "\n  cuda: 3 kernels on cuda\n")) << plain;
  EXPECT_TRUE(contains(plain, "\n  vulkan: 3 kernels on vulkan (not on this "
                              "machine: Vulkan: no driver: libvulkan.so.1"))
      << plain;

  nlohmann::json json = info();
  EXPECT_EQ(json["runnable_variants"], (nlohmann::json{"base", "cuda"}));
  const nlohmann::json &details = json["variant_details"];
  ASSERT_EQ(details.size(), 3u);
  EXPECT_EQ(details[0]["device"], "cpu");
  EXPECT_EQ(details[1]["device"], "vulkan");
  EXPECT_TRUE(
      contains(details[1]["obstacle"].get<std::string>(), "libvulkan.so.1"));
  EXPECT_EQ(details[2]["device"], "cuda");
  EXPECT_EQ(details[2]["kernels"], 3);
  EXPECT_TRUE(details[2]["obstacle"].is_null());
  EXPECT_EQ(details[2]["features"], (nlohmann::json{"sm_80", "cuda11.8"}));
}

TEST_F(DeviceCommandsTest, InfoTellsWhatIsMissing) {
  Environment fault("FAKE_CUDA", "no device");
  nlohmann::json json = info();
  EXPECT_EQ(json["runnable_variants"], nlohmann::json{"base"});
  EXPECT_TRUE(contains(
      json["variant_details"][2]["obstacle"].get<std::string>(), "no GPU"));
}

TEST_F(DeviceCommandsTest, BenchMeasuresNoLimits) {
  BenchOptions options;
  options.session = {file.path(), 1, ""};
  options.promptTokens = 20;
  options.generatedTokens = 4;
  options.repetitions = 1;
  options.json = true;
  nlohmann::json json =
      nlohmann::json::parse(outputOf([&] { bench(options); }));
  EXPECT_EQ(json["variant"], "cuda");
  EXPECT_GT(json["decode_tokens_per_s"], 0.0);
  EXPECT_GT(json["prefill_macs_per_token"], 0.0);
  for (const char *limit :
       {"read_bandwidth_bytes_per_s", "decode_bandwidth_fraction",
        "dot_peak_macs_per_s", "prefill_peak_fraction"})
    EXPECT_TRUE(json[limit].is_null()) << limit;
  options.json = false;
  EXPECT_TRUE(contains(outputOf([&] { bench(options); }),
                       "The device's limits are not measured.\n"));
}

} // namespace
