//===- CPUTargetTest.cpp - Parsing of --target ----------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "bitnet/Target/CPU/CPUTarget.h"
#include "bitnet/Dialect/BitNet/IR/BitNetDialect.h"

#include "gtest/gtest.h"

using namespace bitnet;

namespace {
struct CPUTargetTest : testing::Test {
  CPUTargetTest() { context.loadDialect<BitNetDialect>(); }

  llvm::SmallVector<TargetAttr> parse(llvm::StringRef list) {
    auto targets = parseCPUTargets(&context, list);
    if (targets)
      return *targets;
    ADD_FAILURE() << llvm::toString(targets.takeError());
    return {};
  }
  std::string fail(llvm::StringRef list) {
    auto targets = parseCPUTargets(&context, list);
    return targets ? "" : llvm::toString(targets.takeError());
  }

  mlir::MLIRContext context;
};
} // namespace

TEST_F(CPUTargetTest, DefaultListEndsWithTheBest) {
  auto targets = parse("");
  ASSERT_EQ(targets.size(), 4u);
  EXPECT_EQ(targets[0].getName(), "x86-64");
  EXPECT_EQ(targets[1].getName(), "x86-64-v3");
  EXPECT_EQ(targets[2].getName(), "x86-64-v4+vnni");
  EXPECT_EQ(targets[3].getName(), "x86-64-v4+vnni+amx");
  EXPECT_EQ(targets[0].getTriple(), "x86_64-unknown-linux-gnu");
}

TEST_F(CPUTargetTest, TheBestIsLastWhateverTheOrder) {
  auto names = [&](llvm::StringRef list) {
    std::string all;
    for (TargetAttr target : parse(list))
      all += (all.empty() ? "" : ",") + target.getName().str();
    return all;
  };
  EXPECT_EQ(names("x86-64-v4+vnni,x86-64-v3,x86-64"),
            "x86-64,x86-64-v3,x86-64-v4+vnni");
  // None of the first two has all that the other has.
  EXPECT_EQ(names("x86-64-v4,x86-64-v3+avxvnni,x86-64-v2"),
            "x86-64-v2,x86-64-v4,x86-64-v3+avxvnni");
  EXPECT_EQ(names("x86-64-v3+avxvnni,x86-64-v4"),
            "x86-64-v3+avxvnni,x86-64-v4");
  EXPECT_EQ(names("neoverse-v2,neoverse-n1,cortex-a76"),
            "neoverse-n1,cortex-a76,neoverse-v2");
  EXPECT_EQ(names("aarch64-default,cortex-a76"),
            "aarch64,aarch64+dotprod,aarch64+i8mm,cortex-a76,"
            "aarch64+i8mm+sve2");
}

TEST_F(CPUTargetTest, LevelsHoldTheFeaturesOfLowerOnes) {
  CPUTarget v3(parse("x86-64-v3").front());
  for (const char *feature : {"sse2", "cx16", "sahf", "popcnt", "ssse3",
                              "sse4.1", "avx2", "bmi2", "f16c", "fma", "movbe"})
    EXPECT_TRUE(v3.has(feature)) << feature;
  EXPECT_FALSE(v3.has("avx512f"));
  EXPECT_FALSE(v3.has("avxvnni"));
}

TEST_F(CPUTargetTest, FeatureWords) {
  EXPECT_TRUE(CPUTarget(parse("x86-64-v3+avxvnni").front()).has("avxvnni"));
  EXPECT_TRUE(CPUTarget(parse("x86-64-v4+vnni").front()).has("avx512vnni"));
  EXPECT_TRUE(
      CPUTarget(parse("x86-64-v4+avx512vnni").front()).has("avx512vnni"));
  CPUTarget amx(parse("x86-64-v4+vnni+amx").front());
  EXPECT_TRUE(amx.has("amx-int8") && amx.has("amx-tile"));
  EXPECT_NE(fail("x86-64-v4+amx").find("'amx' needs avx512vnni"),
            std::string::npos);
}

TEST_F(CPUTargetTest, ARMLevels) {
  auto targets = parse("aarch64-default");
  ASSERT_EQ(targets.size(), 4u);
  EXPECT_EQ(targets[0].getTriple(), "aarch64-unknown-linux-gnu");
  EXPECT_TRUE(CPUTarget(targets[0]).has("neon"));
  EXPECT_FALSE(CPUTarget(targets[0]).has("dotprod"));
  EXPECT_TRUE(CPUTarget(targets[1]).has("dotprod"));
  // Words bring along what every machine with them has.
  for (const char *feature : {"i8mm", "dotprod"})
    EXPECT_TRUE(CPUTarget(targets[2]).has(feature)) << feature;
  EXPECT_FALSE(CPUTarget(targets[2]).has("sve"));
  for (const char *feature : {"sve2", "sve", "fullfp16", "dotprod"})
    EXPECT_TRUE(CPUTarget(targets[3]).has(feature)) << feature;
  // The same word is another feature on another architecture.
  EXPECT_TRUE(CPUTarget(parse("aarch64+bf16").front()).has("bf16"));
  EXPECT_TRUE(CPUTarget(parse("x86-64-v4+bf16").front()).has("avx512bf16"));
}

TEST_F(CPUTargetTest, NamedCPUs) {
  auto targets =
      parse("cortex-a53,cortex-a76,neoverse-n1,neoverse-v2,apple-m1");
  ASSERT_EQ(targets.size(), 5u);
  for (TargetAttr target : targets) {
    EXPECT_EQ(target.getName(), target.getCpu());
    auto machine = CPUTarget(target).createTargetMachine();
    ASSERT_TRUE(bool(machine)) << llvm::toString(machine.takeError());
    EXPECT_EQ((*machine)->getTargetCPU(), "generic");
  }
  EXPECT_FALSE(CPUTarget(targets[0]).has("dotprod"));
  EXPECT_TRUE(CPUTarget(targets[1]).has("dotprod"));
  for (const char *feature : {"sve2", "i8mm", "bf16"})
    EXPECT_TRUE(CPUTarget(targets[4]).has(feature)) << feature;
  EXPECT_TRUE(CPUTarget(parse("cortex-a53+dotprod").front()).has("dotprod"));
}

TEST_F(CPUTargetTest, VectorBits) {
  EXPECT_EQ(CPUTarget(parse("aarch64").front()).vectorBits(), 128u);
  EXPECT_EQ(CPUTarget(parse("x86-64").front()).vectorBits(), 128u);
  EXPECT_EQ(CPUTarget(parse("x86-64-v3").front()).vectorBits(), 256u);
  EXPECT_EQ(CPUTarget(parse("x86-64-v4").front()).vectorBits(), 512u);
}

TEST_F(CPUTargetTest, MachinesUseOnlyListedFeatures) {
  CPUTarget target(parse("x86-64-v4+vnni").front());
  auto machine = target.createTargetMachine();
  ASSERT_TRUE(bool(machine)) << llvm::toString(machine.takeError());
  EXPECT_EQ((*machine)->getTargetCPU(), "x86-64");
  EXPECT_TRUE((*machine)->getTargetFeatureString().contains("+avx512vnni"));
}

TEST_F(CPUTargetTest, Errors) {
  EXPECT_NE(fail("sparc").find("unknown target 'sparc'; accepted are: native, "
                               "x86-64, x86-64-v2"),
            std::string::npos);
  EXPECT_NE(fail("x86-64-v4+foo").find("unknown feature 'foo'"),
            std::string::npos);
  EXPECT_NE(fail("x86-64-v3+vnni").find("needs avx512f"), std::string::npos);
  EXPECT_NE(fail("x86-64,x86-64").find("given twice"), std::string::npos);
  EXPECT_NE(fail("aarch64+vnni").find("unknown feature 'vnni'"),
            std::string::npos);
  EXPECT_NE(fail("x86-64-v3,aarch64").find("of different architectures"),
            std::string::npos);
  EXPECT_NE(fail("aarch64,aarch64-default").find("given twice"),
            std::string::npos);
  EXPECT_NE(fail("x86-64,").find("unknown target ''"), std::string::npos);
}

TEST_F(CPUTargetTest, NativeIsNamedByWhatItNeeds) {
  auto native = parse("native").front();
  // The name parses to the same features.
  auto again = parse(native.getName()).front();
  EXPECT_EQ(native.getFeatures(), again.getFeatures());
}
