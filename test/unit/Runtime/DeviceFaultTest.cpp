//===- DeviceFaultTest.cpp - Devices that are missing or fail -------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Drivers that fail on demand: Inputs/FakeCuda.c and Inputs/FakeVulkan.c. The
// latter needs a real driver behind it for some faults.
//
//===----------------------------------------------------------------------===//

#include "DeviceArtifact.h"

#include <gtest/gtest.h>

using namespace bitnet_test;

namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

Environment::Variables fakeCuda(const std::string &fault = "") {
  return {{"BITNET_CUDA_DRIVER", BITNET_TEST_FAKE_CUDA}, {"FAKE_CUDA", fault}};
}

Environment::Variables fakeVulkan(const std::string &fault = "") {
  return {{"BITNET_VULKAN_DRIVER", BITNET_TEST_FAKE_VULKAN},
          {"FAKE_VULKAN", fault}};
}

/// The message of a session that must not come to be.
std::string createFails(const DeviceArtifact &artifact, const char *variant,
                        int32_t code) {
  TemporaryFile file(artifact.build());
  Model model = openModel(file.path());
  bn_session_options options = {sizeof(options), 1, variant, 0};
  bn_session *session = reinterpret_cast<bn_session *>(1);
  bn_status status = {-1, "unset"};
  EXPECT_EQ(bn_session_create(model.get(), &options, &session, &status), code)
      << status.message;
  EXPECT_EQ(session, nullptr);
  // It fails in the same way again, and leaves nothing behind.
  bn_status again;
  EXPECT_EQ(bn_session_create(model.get(), &options, &session, &again), code);
  EXPECT_STREQ(again.message, status.message);
  return status.message;
}

std::string defaultVariant(const DeviceArtifact &artifact) {
  TemporaryFile file(artifact.build());
  Session session = createSession(openModel(file.path()));
  return session ? bn_session_variant(session.get()) : "";
}

//===----------------------------------------------------------------------===//
// No device
//===----------------------------------------------------------------------===//

TEST(DeviceFault, NoDriver) {
  Environment environment(Environment::Variables{
      {"BITNET_CUDA_DRIVER", "/nonexistent/libcuda.so"},
      {"BITNET_VULKAN_DRIVER", "/nonexistent/libvk.so"}});
  DeviceArtifact artifact;
  std::string message = obstacleOf(artifact, "cuda");
  EXPECT_TRUE(contains(message, "no driver: libcuda.so.1")) << message;
  EXPECT_TRUE(contains(message, "/nonexistent/libcuda.so")) << message;
  message = createFails(artifact, "vulkan", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "cannot run the variant 'vulkan'")) << message;
  EXPECT_TRUE(contains(message, "no driver: libvulkan.so.1")) << message;
  // The CPU's variant is there; without it nothing is.
  EXPECT_EQ(defaultVariant(artifact), "base");
  artifact.variants.erase(artifact.variants.begin());
  message = createFails(artifact, nullptr, BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "runs no variant of the artifact")) << message;
  EXPECT_TRUE(contains(message, "libcuda.so.1")) << message;
  EXPECT_TRUE(contains(message, "libvulkan.so.1")) << message;
}

TEST(DeviceFault, NotADriver) {
  // A library that is none.
  Environment environment(
      Environment::Variables{{"BITNET_CUDA_DRIVER", BITNET_TEST_IMAGE},
                             {"BITNET_VULKAN_DRIVER", BITNET_TEST_IMAGE}});
  std::string message = obstacleOf(DeviceArtifact(), "cuda");
  EXPECT_TRUE(contains(message, "it lacks cuDriverGetVersion")) << message;
  message = obstacleOf(DeviceArtifact(), "vulkan");
  EXPECT_TRUE(contains(message, "lacks vkGetInstanceProcAddr")) << message;
}

TEST(DeviceFault, NoCudaDevice) {
  Environment environment(fakeCuda("no device"));
  std::string message = createFails(DeviceArtifact(), "cuda", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "no GPU")) << message;
}

TEST(DeviceFault, NoVulkanDriver) {
  Environment environment(fakeVulkan("no driver"));
  std::string message = createFails(DeviceArtifact(), "vulkan", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "no device: libvulkan.so.1 is there"))
      << message;
}

TEST(DeviceFault, Rocm) {
  DeviceArtifact artifact;
  artifact.variants.push_back(variant("rocm", {}, BN_DEVICE_ROCM));
  std::string message = createFails(artifact, "rocm", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "no launcher for ROCm")) << message;
}

//===----------------------------------------------------------------------===//
// Too old
//===----------------------------------------------------------------------===//

TEST(DeviceFault, OldCudaDriver) {
  Environment environment(fakeCuda("old driver"));
  std::string message = createFails(DeviceArtifact(), "cuda", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "driver is too old")) << message;
  EXPECT_TRUE(contains(message, "CUDA 11.2, 11.4 is needed")) << message;
}

TEST(DeviceFault, OldCudaDevice) {
  Environment environment(fakeCuda("old device"));
  std::string message = createFails(DeviceArtifact(), "cuda", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "lacks sm_80; the device is Fake GPU (sm_75"))
      << message;
  Environment noVulkan("BITNET_VULKAN_DRIVER", "/nonexistent/libvulkan.so");
  EXPECT_EQ(defaultVariant(DeviceArtifact()), "base");
}

TEST(DeviceFault, OldPtx) {
  Environment environment(fakeCuda("old ptx"));
  std::string message = createFails(DeviceArtifact(), "cuda", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "driver is too old")) << message;
  EXPECT_TRUE(contains(message, "'ScaleAdd' is PTX 8.0")) << message;
  EXPECT_TRUE(contains(message, "CUDA 12.4")) << message;
}

TEST(DeviceFault, OldVulkanLoader) {
  Environment environment(fakeVulkan("old loader"));
  std::string message = createFails(DeviceArtifact(), "vulkan", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "for Vulkan 1.1, 1.2 is needed")) << message;
}

//===----------------------------------------------------------------------===//
// Features and choice
//===----------------------------------------------------------------------===//

TEST(DeviceChoice, CudaFeatures) {
  Environment environment(fakeCuda());
  DeviceArtifact artifact;
  auto lacks = [&](const std::string &feature) {
    artifact.setFeatures(2, {feature});
    return contains(obstacleOf(artifact, "cuda"), "it lacks " + feature);
  };
  // It is an sm_90 with a driver for 12.4.
  for (const char *had : {"sm_52", "sm_80", "sm_90", "sm_90a", "cuda11.4",
                          "cuda12.0", "cuda12.4"})
    EXPECT_FALSE(lacks(had)) << had;
  for (const char *missing :
       {"sm_91", "sm_100", "sm_89a", "sm_100a", "cuda12.5", "cuda13.0", "sm_",
        "cuda", "cuda12", "sm_90b", "int8", "", "cuda12.4x"})
    EXPECT_TRUE(lacks(missing)) << missing;
}

TEST(DeviceChoice, CudaBeforeTheCPU) {
  Environment environment(fakeCuda());
  EXPECT_EQ(defaultVariant(DeviceArtifact()), "cuda");
}

TEST(DeviceChoice, CudaDeviceByNumber) {
  Environment environment(fakeCuda());
  DeviceArtifact artifact;
  artifact.setFeatures(2, {"sm_99"});
  {
    Environment second("BITNET_CUDA_DEVICE", "1");
    EXPECT_TRUE(contains(obstacleOf(artifact, "cuda"), "Other fake GPU"));
  }
  for (const char *bad : {"2", "-1", "x", "1x"}) {
    Environment chosen("BITNET_CUDA_DEVICE", bad);
    std::string message = obstacleOf(artifact, "cuda");
    EXPECT_TRUE(contains(message, "BITNET_CUDA_DEVICE is")) << message;
    EXPECT_TRUE(contains(message, "from 0 to 1")) << message;
  }
}

//===----------------------------------------------------------------------===//
// CUDA's kernels, memory and device
//===----------------------------------------------------------------------===//

TEST(DeviceFault, BadPtx) {
  Environment environment(fakeCuda("bad ptx"));
  std::string message = createFails(DeviceArtifact(), "cuda", BN_FAILED);
  EXPECT_TRUE(contains(message, "the kernel 'ScaleAdd' does not load: "
                                "CUDA_ERROR_INVALID_PTX: ptxas, line 7; "
                                "unknown opcode"))
      << message;
  EXPECT_FALSE(contains(message, "fatal")) << message;
}

TEST(DeviceFault, CudaKernelsThatDoNotFit) {
  Environment environment(fakeCuda("small blocks"));
  std::string message = createFails(DeviceArtifact(), "cuda", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "'ScaleAdd' does not load: it has blocks of 32 "
                                "threads"))
      << message;
}

TEST(DeviceFault, CudaMemory) {
  Environment environment(fakeCuda("no memory"));
  std::string message = createFails(DeviceArtifact(), "cuda", BN_OUT_OF_MEMORY);
  // The workspace of 32 rows of 16 logits.
  EXPECT_TRUE(contains(message, "out of device memory: 2048 bytes are asked "
                                "for, 1000 of 2000 are free"))
      << message;
}

TEST(DeviceFault, CudaDeviceIsLost) {
  Environment environment(fakeCuda());
  TemporaryFile file(DeviceArtifact().build());
  Session session = createSession(openModel(file.path()), 1, "cuda");
  ASSERT_NE(session, nullptr);
  const int64_t token = 3;
  bn_status status;
  Environment lost("FAKE_CUDA", "lost");
  EXPECT_EQ(
      bn_session_append(session.get(), &token, 1, nullptr, nullptr, &status),
      BN_FAILED);
  EXPECT_TRUE(contains(status.message, "CUDA_ERROR_ILLEGAL_ADDRESS"))
      << status.message;
  EXPECT_EQ(bn_session_position(session.get()), 0);
}

//===----------------------------------------------------------------------===//
// The same of Vulkan, with a real driver behind
//===----------------------------------------------------------------------===//

class VulkanFault : public testing::Test {
protected:
  void SetUp() override {
    std::string obstacle = obstacleOf(DeviceArtifact(), "vulkan");
    if (!obstacle.empty())
      GTEST_SKIP() << "no device: " << obstacle;
  }

  std::string fails(const char *fault, int32_t code) {
    Environment environment(fakeVulkan(fault));
    return createFails(DeviceArtifact(), "vulkan", code);
  }

  /// An artifact whose first kernel has this code.
  static DeviceArtifact withCode(const std::string &code) {
    DeviceArtifact artifact;
    auto added = artifact.addCode(code);
    artifact.variants[1] =
        variant("vulkan", {}, BN_DEVICE_VULKAN,
                DeviceArtifact::kernelsIn({added, added, added}));
    return artifact;
  }
};

TEST_F(VulkanFault, NoDevice) {
  std::string message = fails("no device", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "no device")) << message;
}

TEST_F(VulkanFault, OldDevice) {
  std::string message = fails("old device", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "(Vulkan 1.1): its driver is too old: Vulkan "
                                "1.2 is needed"))
      << message;
}

TEST_F(VulkanFault, AlignsTooMuch) {
  std::string message = fails("alignment", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(message, "it aligns buffers to more than 64 bytes"))
      << message;
}

TEST_F(VulkanFault, AGPUBeforeTheCPUBeforeAProcessor) {
  DeviceArtifact artifact;
  artifact.setFeatures(2, {"sm_999"});
  {
    Environment environment(fakeVulkan("nothing, on a GPU"));
    EXPECT_EQ(defaultVariant(artifact), "vulkan");
  }
  Environment environment(fakeVulkan("nothing, on a processor"));
  EXPECT_EQ(defaultVariant(artifact), "base");
  // Where the CPU has no variant, the processor serves.
  artifact.variants[0] = variant("base", {"imaginary"});
  EXPECT_EQ(defaultVariant(artifact), "vulkan");
}

TEST_F(VulkanFault, KernelIsRefused) {
  std::string message = fails("bad kernel", BN_FAILED);
  EXPECT_TRUE(contains(message, "the kernel 'ScaleAdd' does not load: "
                                "VK_ERROR_INVALID_SHADER_NV"))
      << message;
}

TEST_F(VulkanFault, Memory) {
  std::string message = fails("no memory", BN_OUT_OF_MEMORY);
  EXPECT_TRUE(contains(message, "out of device memory: ")) << message;
  EXPECT_TRUE(contains(message, " bytes are asked for")) << message;
}

TEST_F(VulkanFault, DeviceIsLost) {
  std::string message = fails("lost", BN_FAILED);
  EXPECT_TRUE(contains(message, "VK_ERROR_DEVICE_LOST")) << message;
}

TEST_F(VulkanFault, CodeIsNoModule) {
  std::string module = readFile(BITNET_TEST_KERNELS "/ScaleAdd.spv");
  auto message = [](const std::string &code) {
    return createFails(withCode(code), "vulkan", BN_FAILED);
  };
  for (const std::string &code : {std::string("SPIR"), std::string(64, 'x'),
                                  module.substr(0, 16), module + "x"})
    EXPECT_TRUE(contains(message(code),
                         "'ScaleAdd' does not load: its code is not SPIR-V"));
  std::string cut = module;
  cut[5 * 4 + 2] = 0; // the length of the first instruction
  cut[5 * 4 + 3] = 0;
  EXPECT_TRUE(contains(message(cut), "malformed"));
  // Remember is not in it.
  std::string missing = message(module);
  EXPECT_TRUE(contains(missing, "'Remember' does not load: its SPIR-V has no "
                                "entry point of that name"))
      << missing;
  std::string newer = module;
  newer[5] = 9; // version 1.9
  missing = createFails(withCode(newer), "vulkan", BN_UNSUPPORTED);
  EXPECT_TRUE(contains(missing, "driver is too old")) << missing;
  EXPECT_TRUE(contains(missing, "SPIR-V 1.9")) << missing;
}

TEST_F(VulkanFault, KernelsThatDoNotFit) {
  DeviceArtifact artifact;
  auto code = artifact.addCode(readFile(BITNET_TEST_KERNELS "/ScaleAdd.spv"));
  auto refused = [&](const std::string &arguments, uint32_t block) {
    artifact.variants[1] = variant(
        "vulkan", {}, BN_DEVICE_VULKAN,
        {kernel("ScaleAdd", arguments, code.first, code.second, block)});
    return createFails(artifact, "vulkan", BN_UNSUPPORTED);
  };
  std::string message = refused(std::string(65, BN_ARGUMENT_BUFFER), 32);
  EXPECT_TRUE(contains(message, "it takes 65 buffers")) << message;
  message = refused(std::string(17, BN_ARGUMENT_I64), 32);
  EXPECT_TRUE(contains(message, "its scalars take 34 words")) << message;
  message = refused("", 1 << 30);
  EXPECT_TRUE(contains(message, "workgroups of 1073741824 x 1 x 1")) << message;
}

TEST_F(VulkanFault, Features) {
  DeviceArtifact artifact;
  auto lacks = [&](const std::string &feature) {
    artifact.setFeatures(1, {feature});
    return contains(obstacleOf(artifact, "vulkan"), "it lacks " + feature);
  };
  for (const char *had : {"vulkan1.0", "vulkan1.2", "bufferbytes:134217728",
                          "workgroup:128", "shared:16384"})
    EXPECT_FALSE(lacks(had)) << had;
  for (const char *missing :
       {"vulkan9.0", "vulkan", "vulkan1", "vulkan1.2x", "bufferbytes:", "",
        "bufferbytes:99999999999999", "workgroup:99999999", "shared:9999999999",
        "telepathy", "sm_80"})
    EXPECT_TRUE(lacks(missing)) << missing;
}

TEST_F(VulkanFault, DeviceByNumber) {
  for (const char *bad : {"64", "-1", "x"}) {
    Environment chosen("BITNET_VULKAN_DEVICE", bad);
    std::string message = obstacleOf(DeviceArtifact(), "vulkan");
    EXPECT_TRUE(contains(message, "BITNET_VULKAN_DEVICE is")) << message;
  }
  Environment chosen("BITNET_VULKAN_DEVICE", "0");
  EXPECT_EQ(obstacleOf(DeviceArtifact(), "vulkan"), "");
}

} // namespace
