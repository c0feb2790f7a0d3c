//===- DeviceTest.cpp - Sessions of device variants -----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// On Vulkan these run on the machine's own driver, Mesa's lavapipe if there is
// no GPU, and are skipped where there is none. On CUDA they run on
// Inputs/FakeCuda.c, which tells nothing about a GPU, but all about what the
// runtime asks of the driver.
//
//===----------------------------------------------------------------------===//

#include "DeviceArtifact.h"

#include <chrono>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <optional>
#include <thread>

using namespace bitnet_test;

namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

/// How often the stand-in for CUDA's driver was asked for something.
int cudaCount(const char *name) {
  static auto count = reinterpret_cast<int (*)(const char *)>(
      dlsym(dlopen(BITNET_TEST_FAKE_CUDA, RTLD_NOW), "fake_cuda_count"));
  return count(name);
}

/// What the device has for the last of these tokens in column 0.
float hashOf(const std::vector<int64_t> &tokens, size_t count) {
  int64_t hash = 7;
  for (size_t i = 0; i < count; ++i)
    hash = (hash * 31 + tokens[i]) % 1000003;
  return float(hash);
}

std::vector<int64_t> someTokens(size_t count, int64_t seed) {
  std::vector<int64_t> tokens(count);
  for (size_t i = 0; i < count; ++i)
    tokens[i] = (int64_t(i) * 7 + seed) % 16;
  return tokens;
}

class DeviceTest : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    if (isCuda())
      environment.emplace(Environment::Variables{
          {"BITNET_CUDA_DRIVER", BITNET_TEST_FAKE_CUDA}});
    DeviceArtifact artifact;
    std::string obstacle = obstacleOf(artifact, GetParam());
    if (!obstacle.empty())
      GTEST_SKIP() << "no device: " << obstacle;
    file.write(artifact.build());
    model = openModel(file.path());
    session = createSession(model, 1, GetParam());
    ASSERT_NE(session, nullptr);
  }

  void TearDown() override {
    session.reset();
    model.reset();
    if (isCuda()) {
      EXPECT_EQ(cudaCount("live"), 0) << "something was not given back";
    }
  }

  bool isCuda() const { return GetParam() == std::string("cuda"); }

  /// Runs the main entry; results go to z and row.
  int32_t run(bn_session *on, int64_t rows, int64_t pick, float scale = 1) {
    std::vector<float> x, y;
    for (int64_t i = 0; i < rows * 3; ++i) {
      x.push_back(scale * float(i));
      y.push_back(float(i % 64) * 4);
    }
    bn_tensor inputs[] = {{"x", 1, 2, {rows, 3}, x.data()},
                          {"pick", 7, 0, {}, &pick},
                          {"y", 1, 2, {rows, 3}, y.data()}};
    bn_tensor outputs[2];
    int32_t code = bn_session_run(on, inputs, 3, outputs, 2, &status);
    if (code)
      return code;
    EXPECT_EQ(outputs[0].shape[0], rows);
    auto *data = static_cast<float *>(outputs[0].data);
    z.assign(data, data + rows * 3);
    data = static_cast<float *>(outputs[1].data);
    row.assign(data, data + 4);
    return code;
  }

  /// Runs it and checks every number.
  void runAndCheck(bn_session *on, int64_t rows, int64_t pick,
                   float scale = 1) {
    ASSERT_EQ(run(on, rows, pick, scale), BN_OK) << status.message;
    for (int64_t i = 0; i < rows * 3; ++i)
      // The archive's first weight is 0.5.
      ASSERT_EQ(z[i], scale * float(i) + float(i % 64) * 2 + 1) << i;
    for (int64_t i = 0; i < 3; ++i)
      ASSERT_EQ(row[i], z[pick * 3 + i]);
    ASSERT_EQ(row[3], row[0] + 4711.0f);
  }

  /// Appends tokens[begin, end), in one call, and checks all logits.
  void appendAndCheck(bn_session *on, const std::vector<int64_t> &tokens,
                      size_t begin, size_t end) {
    std::vector<float> all((end - begin) * 16, -1);
    const float *logits = nullptr;
    ASSERT_EQ(bn_session_append(on, tokens.data() + begin, end - begin, &logits,
                                all.data(), &status),
              BN_OK)
        << status.message;
    for (size_t i = begin; i < end; ++i) {
      const float *at = &all[(i - begin) * 16];
      ASSERT_EQ(at[0], hashOf(tokens, i + 1)) << i;
      ASSERT_EQ(at[2], float(i));
      ASSERT_EQ(at[3], float(tokens[i]));
      for (size_t j = 4; j < 16; ++j)
        ASSERT_EQ(at[j], 0.0f);
    }
    for (size_t j = 0; j < 16; ++j)
      ASSERT_EQ(logits[j], all[(end - begin - 1) * 16 + j]);
  }

  std::optional<Environment> environment;
  TemporaryFile file;
  Model model;
  Session session;
  bn_status status = {};
  std::vector<float> z, row;
};

TEST_P(DeviceTest, RunsTheMainEntry) {
  for (int64_t rows : {1, 3, 10, 11, 12, 64, 100, 1000, 3, 100})
    runAndCheck(session.get(), rows, rows / 2);
}

TEST_P(DeviceTest, RepeatsWithOtherInputs) {
  for (float scale : {1, 2, 3, 4, 5})
    runAndCheck(session.get(), 40, 39, scale);
}

TEST_P(DeviceTest, MovesMuchData) {
  // More than a staging buffer holds.
  runAndCheck(session.get(), 600000, 599999);
}

TEST_P(DeviceTest, Decodes) {
  std::vector<int64_t> tokens = someTokens(70, 3);
  appendAndCheck(session.get(), tokens, 0, 1);
  appendAndCheck(session.get(), tokens, 1, 2);
  for (size_t i = 2; i < 12; ++i)
    appendAndCheck(session.get(), tokens, i, i + 1);
  appendAndCheck(session.get(), tokens, 12, 20);
  appendAndCheck(session.get(), tokens, 20, 65);
  for (size_t i = 65; i < 70; ++i)
    appendAndCheck(session.get(), tokens, i, i + 1);
  ASSERT_EQ(bn_session_rewind(session.get(), 10, &status), BN_OK);
  tokens[10] = 15;
  appendAndCheck(session.get(), tokens, 10, 13);
}

TEST_P(DeviceTest, GivesTheLastLogitsAlone) {
  std::vector<int64_t> tokens = someTokens(60, 5);
  const float *logits = nullptr;
  ASSERT_EQ(bn_session_append(session.get(), tokens.data(), 60, &logits,
                              nullptr, &status),
            BN_OK)
      << status.message;
  EXPECT_EQ(logits[0], hashOf(tokens, 60));
}

TEST_P(DeviceTest, StatesBeginAsZeros) {
  // Row 1 of a chunk that is padded reads what no call wrote yet.
  std::vector<int64_t> tokens(8, 0), one = {9};
  ASSERT_EQ(bn_session_append(session.get(), tokens.data(), 8, nullptr, nullptr,
                              &status),
            BN_OK);
  ASSERT_EQ(bn_session_rewind(session.get(), 0, &status), BN_OK);
  appendAndCheck(session.get(), one, 0, 1);
}

TEST_P(DeviceTest, SessionsAreIndependent) {
  Session other = createSession(model, 1, GetParam());
  std::vector<int64_t> tokens = someTokens(20, 3), others = someTokens(20, 8);
  for (size_t i = 0; i < 10; ++i) {
    appendAndCheck(session.get(), tokens, i, i + 1);
    appendAndCheck(other.get(), others, i, i + 1);
    runAndCheck(session.get(), 5, 2);
  }
  session.reset();
  appendAndCheck(other.get(), others, 10, 20);
}

TEST_P(DeviceTest, ModelsCloseInAnyOrder) {
  Model second = openModel(file.path());
  Session other = createSession(second, 1, GetParam());
  std::vector<int64_t> tokens = someTokens(20, 3);
  appendAndCheck(session.get(), tokens, 0, 10);
  model.reset(); // its session keeps it
  appendAndCheck(other.get(), tokens, 0, 3);
  appendAndCheck(session.get(), tokens, 10, 11);
  session.reset();
  appendAndCheck(other.get(), tokens, 3, 20);
  second.reset();
  runAndCheck(other.get(), 5, 4);
}

TEST_P(DeviceTest, SessionsRunInThreads) {
  if (isCuda())
    GTEST_SKIP() << "the stand-in for CUDA's driver has one thread";
  auto work = [&](int64_t seed) {
    Session own = createSession(model, 1, GetParam());
    std::vector<int64_t> tokens = someTokens(40, seed);
    for (size_t i = 0; i < tokens.size(); ++i) {
      const float *logits = nullptr;
      bn_status status;
      ASSERT_EQ(bn_session_append(own.get(), &tokens[i], 1, &logits, nullptr,
                                  &status),
                BN_OK)
          << status.message;
      ASSERT_EQ(logits[0], hashOf(tokens, i + 1));
    }
  };
  std::thread first(work, 1), second(work, 2), third(work, 3);
  first.join();
  second.join();
  third.join();
}

TEST_P(DeviceTest, RefusesWhatTheModelRefuses) {
  EXPECT_EQ(run(session.get(), 4, 4), BN_INVALID);
  EXPECT_TRUE(contains(status.message, "out of range")) << status.message;
  EXPECT_EQ(run(session.get(), 4, -1), BN_INVALID);
  EXPECT_EQ(run(session.get(), 17, 0), BN_INVALID);
  EXPECT_TRUE(contains(status.message, "shapes")) << status.message;
  runAndCheck(session.get(), 4, 3);
}

TEST_P(DeviceTest, ReportsWhatADeviceCannotDo) {
  EXPECT_EQ(run(session.get(), 13, 0), BN_FAILED);
  EXPECT_TRUE(contains(status.message, "kernel 99")) << status.message;
  EXPECT_EQ(run(session.get(), 14, 0), BN_FAILED);
  EXPECT_TRUE(contains(status.message, "'ScaleAdd' cannot be launched on "
                                       "4294967295 x"))
      << status.message;
  EXPECT_EQ(run(session.get(), 15, 0), BN_OUT_OF_MEMORY);
  // 2^61 bytes, somewhat rounded up.
  EXPECT_TRUE(contains(status.message, "out of device memory: 230584300921369"))
      << status.message;
  EXPECT_EQ(run(session.get(), 16, 0), BN_FAILED);
  EXPECT_TRUE(contains(status.message, "not aligned")) << status.message;
  EXPECT_EQ(run(session.get(), 18, 0), BN_FAILED);
  EXPECT_TRUE(contains(status.message,
                       "argument 1 of the kernel 'ScaleAdd' is a buffer of "
                       "2147483648 elements, kernels can index 2080374784"))
      << status.message;
  // CUDA has no bound for bytes. All devices have that of the last.
  if (isCuda()) {
    runAndCheck(session.get(), 19, 0);
  } else {
    EXPECT_EQ(run(session.get(), 19, 0), BN_FAILED);
    EXPECT_TRUE(contains(status.message, "is a buffer of 16642998272 bytes, "
                                         "the device gives a kernel at most "))
        << status.message;
  }
  runAndCheck(session.get(), 20, 0);
  runAndCheck(session.get(), 30, 0);
}

TEST_P(DeviceTest, TimesCalls) {
  int records = cudaCount("cuEventRecord");
  runAndCheck(session.get(), 5, 1);
  EXPECT_EQ(bn_session_device_seconds(session.get()), 0);
  EXPECT_EQ(cudaCount("cuEventRecord"), records);
  bn_session_options options = {sizeof(options), 1, GetParam(), true};
  bn_session *timed = nullptr;
  ASSERT_EQ(bn_session_create(model.get(), &options, &timed, &status), BN_OK);
  Session owner(timed);
  EXPECT_EQ(bn_session_device_seconds(timed), 0);
  for (int i = 0; i < 4; ++i) {
    auto begin = std::chrono::steady_clock::now();
    runAndCheck(timed, 5000, 1);
    std::chrono::duration<double> wall =
        std::chrono::steady_clock::now() - begin;
    double seconds = bn_session_device_seconds(timed);
    if (isCuda()) {
      // The stand-in's clock ticks with each event: before and after.
      EXPECT_FLOAT_EQ(seconds, 0.001f);
    } else {
      EXPECT_GT(seconds, 0);
      EXPECT_LT(seconds, wall.count());
    }
  }
  const int64_t token = 1;
  ASSERT_EQ(bn_session_append(timed, &token, 1, nullptr, nullptr, &status),
            BN_OK);
  EXPECT_GT(bn_session_device_seconds(timed), 0);
}

TEST_P(DeviceTest, TellsWhatItIs) {
  const bn_model_info *info = bn_model_get_info(model.get());
  ASSERT_EQ(info->variant_count, 3u);
  EXPECT_EQ(info->variants[0].kernel_count, 0u);
  EXPECT_STREQ(info->variants[0].obstacle, "");
  const bn_variant_info &own = info->variants[isCuda() ? 2 : 1];
  EXPECT_STREQ(own.name, GetParam());
  EXPECT_TRUE(own.runnable);
  EXPECT_EQ(own.kernel_count, 3u);
  EXPECT_EQ(own.device, uint32_t(isCuda() ? BN_DEVICE_CUDA : BN_DEVICE_VULKAN));
  EXPECT_STREQ(bn_session_variant(session.get()), GetParam());
  EXPECT_EQ(bn_session_threads(session.get()), 1);
}

INSTANTIATE_TEST_SUITE_P(Kinds, DeviceTest, testing::Values("vulkan", "cuda"),
                         [](const auto &info) {
                           return std::string(info.param);
                         });

//===----------------------------------------------------------------------===//
// Graphs of CUDA
//===----------------------------------------------------------------------===//

class CudaGraphTest : public DeviceTest {};

TEST_P(CudaGraphTest, ADecodeStepIsOneGraph) {
  std::vector<int64_t> tokens = someTokens(30, 3);
  int launches = cudaCount("cuLaunchKernel"),
      graphs = cudaCount("cuGraphInstantiate"),
      runs = cudaCount("cuGraphLaunch"),
      updates = cudaCount("cuGraphExecKernelNodeSetParams"),
      writes = cudaCount("cuMemcpyHtoDAsync"),
      reads = cudaCount("cuMemcpyDtoHAsync"),
      waits = cudaCount("cuStreamSynchronize"),
      allocations = cudaCount("cuMemAlloc");
  for (size_t i = 0; i < 20; ++i) {
    const float *logits = nullptr;
    ASSERT_EQ(bn_session_append(session.get(), &tokens[i], 1, &logits, nullptr,
                                &status),
              BN_OK);
    ASSERT_EQ(logits[0], hashOf(tokens, i + 1));
  }
  // The first step is launched plainly, the second becomes the graph, in which
  // the others change the two nodes that take the position.
  EXPECT_EQ(cudaCount("cuLaunchKernel") - launches, 2);
  EXPECT_EQ(cudaCount("cuGraphInstantiate") - graphs, 1);
  EXPECT_EQ(cudaCount("cuGraphLaunch") - runs, 19);
  EXPECT_EQ(cudaCount("cuGraphExecKernelNodeSetParams") - updates, 2 * 18);
  // A token copies its id in and its logits out, and waits once.
  EXPECT_EQ(cudaCount("cuMemcpyHtoDAsync") - writes, 20);
  EXPECT_EQ(cudaCount("cuMemcpyDtoHAsync") - reads, 20);
  EXPECT_EQ(cudaCount("cuStreamSynchronize") - waits, 20);
  EXPECT_EQ(cudaCount("cuMemAlloc") - allocations, 1);
}

TEST_P(CudaGraphTest, ReadingAnInputWaitsForNothing) {
  runAndCheck(session.get(), 5, 1);
  int reads = cudaCount("cuMemcpyDtoHAsync"),
      waits = cudaCount("cuStreamSynchronize");
  runAndCheck(session.get(), 5, 1);
  // Of what the entry reads, the row is the device's, the pick is not; then the
  // two outputs.
  EXPECT_EQ(cudaCount("cuMemcpyDtoHAsync") - reads, 3);
  EXPECT_EQ(cudaCount("cuStreamSynchronize") - waits, 3);
}

TEST_P(CudaGraphTest, EntriesHaveGraphsOfTheirOwn) {
  std::vector<int64_t> tokens = someTokens(70, 3);
  int graphs = cudaCount("cuGraphInstantiate");
  for (size_t i = 0; i < 3; ++i) {
    appendAndCheck(session.get(), tokens, i * 9, i * 9 + 8);
    appendAndCheck(session.get(), tokens, i * 9 + 8, i * 9 + 9);
    runAndCheck(session.get(), 7 + int64_t(i), 1, float(i + 1));
  }
  // The main entry reads and writes a number in the end: what lies before is a
  // graph, two kernels and a copy.
  EXPECT_EQ(cudaCount("cuGraphInstantiate") - graphs, 3);
  EXPECT_GT(cudaCount("cuGraphExecMemcpyNodeSetParams"), 0);
}

TEST_P(CudaGraphTest, UnchangedNodesAreNotUpdated) {
  for (int i = 0; i < 3; ++i)
    runAndCheck(session.get(), 12, 3);
  int updates = cudaCount("cuGraphExecKernelNodeSetParams"),
      runs = cudaCount("cuGraphLaunch");
  runAndCheck(session.get(), 12, 3, 5);
  EXPECT_EQ(cudaCount("cuGraphLaunch") - runs, 1);
  EXPECT_LE(cudaCount("cuGraphExecKernelNodeSetParams") - updates, 2);
}

TEST_P(CudaGraphTest, WorksWithoutGraphs) {
  for (const char *fault : {"no graphs", "no updates"}) {
    Environment environment("FAKE_CUDA", fault);
    Session own = createSession(model, 1, GetParam());
    std::vector<int64_t> tokens = someTokens(20, 3);
    for (size_t i = 0; i < 20; ++i)
      appendAndCheck(own.get(), tokens, i, i + 1);
  }
}

TEST_P(CudaGraphTest, WeightsAndKernelsAreLoadedOnce) {
  int modules = cudaCount("cuModuleLoadDataEx"),
      allocations = cudaCount("cuMemAlloc");
  Session other = createSession(model, 1, GetParam());
  EXPECT_EQ(cudaCount("cuModuleLoadDataEx") - modules, 0);
  // The workspace and the states.
  EXPECT_EQ(cudaCount("cuMemAlloc") - allocations, 2);
  Model second = openModel(file.path());
  Session third = createSession(second, 1, GetParam());
  // The three kernels have one text.
  EXPECT_EQ(cudaCount("cuModuleLoadDataEx") - modules, 1);
}

INSTANTIATE_TEST_SUITE_P(Kinds, CudaGraphTest, testing::Values("cuda"),
                         [](const auto &info) {
                           return std::string(info.param);
                         });

} // namespace
