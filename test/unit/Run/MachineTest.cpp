//===- MachineTest.cpp - Limits of the machine ----------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include <gtest/gtest.h>

using namespace bitnet::run;

#if defined(__x86_64__)
TEST(DotKernels, AreThoseOfTheFeatures) {
  std::vector<std::string> features = {"sse2"};
  auto instruction = [&] {
    return std::string(dotKernelFor(features).instruction);
  };
  EXPECT_EQ(instruction(), "portable");
  features.push_back("ssse3");
  EXPECT_EQ(instruction(), "pmaddubsw xmm");
  features.push_back("avx2");
  EXPECT_EQ(instruction(), "vpmaddubsw ymm");
  features.push_back("avxvnni");
  EXPECT_EQ(instruction(), "vpdpbusd ymm");
  features.back() = "avx512bw";
  EXPECT_EQ(instruction(), "vpmaddubsw zmm");
  features.push_back("avx512vnni");
  EXPECT_EQ(instruction(), "vpdpbusd zmm");
  EXPECT_FALSE(tileKernelFor(features));
  features.push_back("amx-int8");
  EXPECT_EQ(instruction(), "vpdpbusd zmm");
  ASSERT_TRUE(tileKernelFor(features));
  EXPECT_STREQ(tileKernelFor(features)->instruction, "tdpbsud");
}
#endif

TEST(Machine, MeasuresRates) {
  EXPECT_GT(measureReadBandwidth(1, size_t(1) << 20), 0);
  DotKernel kernel = dotKernelFor({});
  EXPECT_EQ(kernel.macsPerRound, 64);
  EXPECT_NE(kernel.run(1), 0);
}
