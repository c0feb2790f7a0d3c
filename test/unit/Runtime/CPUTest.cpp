//===- CPUTest.cpp - Feature detection ------------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

extern "C" {
#include "cpu.h"
}

#include <gtest/gtest.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

TEST(CPU, HasABaseline) {
  bn_cpu cpu = bn_cpu_detect();
#if defined(__x86_64__)
  for (const char *name : {"sse", "sse2", "cmov", "cx8", "fxsr", "64bit"})
    EXPECT_TRUE(bn_cpu_has(&cpu, name)) << name;
  EXPECT_TRUE(bn_cpu_has(&cpu, "+sse2"));
#elif defined(__aarch64__)
  EXPECT_TRUE(bn_cpu_has(&cpu, "neon"));
#endif
  EXPECT_FALSE(bn_cpu_has(&cpu, "imaginary"));
  EXPECT_FALSE(bn_cpu_has(&cpu, ""));
}

#if defined(__x86_64__)
TEST(CPU, AgreesWithTheCompilersRuntime) {
  bn_cpu cpu = bn_cpu_detect();
  __builtin_cpu_init();
#define EXPECT_SAME(NAME)                                                      \
  EXPECT_EQ(bn_cpu_has(&cpu, NAME), __builtin_cpu_supports(NAME) != 0) << NAME
  EXPECT_SAME("sse3");
  EXPECT_SAME("ssse3");
  EXPECT_SAME("sse4.1");
  EXPECT_SAME("sse4.2");
  EXPECT_SAME("popcnt");
  EXPECT_SAME("avx");
  EXPECT_SAME("avx2");
  EXPECT_SAME("fma");
  EXPECT_SAME("bmi");
  EXPECT_SAME("bmi2");
  EXPECT_SAME("avx512f");
  EXPECT_SAME("avx512bw");
  EXPECT_SAME("avx512cd");
  EXPECT_SAME("avx512dq");
  EXPECT_SAME("avx512vl");
  EXPECT_SAME("avx512vnni");
  EXPECT_SAME("avx512vbmi");
  EXPECT_SAME("avx512vbmi2");
  EXPECT_SAME("avx512bitalg");
  EXPECT_SAME("avx512vpopcntdq");
  EXPECT_SAME("gfni");
#undef EXPECT_SAME
}

TEST(CPU, AsksForTiles) {
  bn_cpu cpu = bn_cpu_detect();
  uint32_t leaf[4] = {};
  bool listed =
      __get_cpuid_count(7, 0, &leaf[0], &leaf[1], &leaf[2], &leaf[3]) != 0 &&
      (leaf[3] >> 25 & 1);
  // Linux gives the registers where it saves them.
  bool given = bn_cpu_ask("amx-tile");
  EXPECT_EQ(bn_cpu_has(&cpu, "amx-int8"), listed && given);
  EXPECT_EQ(bn_cpu_ask("+amx-int8"), given);
  const int get_permission = 0x1022, tile_data = 18;
  uint64_t permitted = 0;
  if (syscall(SYS_arch_prctl, get_permission, &permitted) != 0)
    permitted = 0;
  EXPECT_EQ(given, (permitted >> tile_data & 1) != 0);
  EXPECT_TRUE(bn_cpu_ask("avx512f"));
}

TEST(CPU, AsksForWeightsByProcessor) {
  EXPECT_TRUE(bn_cpu_fetches_ahead("AuthenticAMD", 0x00800f12));  // Zen 1
  EXPECT_TRUE(bn_cpu_fetches_ahead("AuthenticAMD", 0x00a10f11));  // Zen 4
  EXPECT_FALSE(bn_cpu_fetches_ahead("AuthenticAMD", 0x00b00f21)); // Zen 5
  EXPECT_FALSE(bn_cpu_fetches_ahead("AuthenticAMD", 0x00600f12)); // Bulldozer
  EXPECT_FALSE(bn_cpu_fetches_ahead("GenuineIntel", 0x000806f8));
  EXPECT_FALSE(bn_cpu_fetches_ahead("GenuineIntel", 0x00a10f11));
}

TEST(CPU, KnowsItsOwnFetchDistance) {
  int64_t distance[2];
  bn_cpu_fetch_distance(distance);
  __builtin_cpu_init();
  bool zen =
      __builtin_cpu_is("amdfam17h") != 0 || __builtin_cpu_is("amdfam19h") != 0;
  EXPECT_EQ(distance[0], zen ? 0 : 16384);
  EXPECT_EQ(distance[1], zen ? 0 : 2048);
}
#endif

#if defined(__aarch64__)
/// Features that every machine with another one has.
TEST(CPU, FeaturesImplyOthers) {
  bn_cpu cpu = bn_cpu_detect();
  EXPECT_TRUE(bn_cpu_has(&cpu, "fp-armv8"));
  const std::pair<const char *, const char *> implied[] = {
      {"i8mm", "dotprod"}, {"sve", "fullfp16"}, {"sve2", "sve"},
      {"sve2", "dotprod"}, {"sme", "bf16"},     {"sme2", "sme"}};
  for (auto [feature, other] : implied)
    if (bn_cpu_has(&cpu, feature))
      EXPECT_TRUE(bn_cpu_has(&cpu, other)) << feature << " without " << other;
}
#endif

TEST(CPU, CountsProcessors) { EXPECT_GE(bn_cpu_count(), 1); }

} // namespace
