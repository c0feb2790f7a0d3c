/*===- cpu.c - What the processor can do ---------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "cpu.h"

#include "bitnet/artifact.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>

/* The registers of the CPUID leaves in use. */
enum {
  LEAF1_ECX,
  LEAF1_EDX,
  LEAF7_EBX,
  LEAF7_ECX,
  LEAF7_EDX,
  LEAF7_1_EAX,
  LEAF7_1_EDX,
  LEAF13_1_EAX,
  EXTENDED_ECX,
  EXTENDED_EDX,
  REGISTER_COUNT
};

/* The state that the operating system must save for a feature to be usable. */
enum {
  STATE_NONE = 0,
  STATE_AVX = 0x6,
  STATE_AVX512 = 0xe6,
  STATE_AMX = 0x60000
};

typedef struct cpu_feature {
  const char *name;
  uint8_t source; /* a register of the above */
  uint8_t bit;
  uint32_t state;
} cpu_feature;

static const cpu_feature features[] = {
    {"64bit", EXTENDED_EDX, 29, STATE_NONE},
    {"x87", LEAF1_EDX, 0, STATE_NONE},
    {"cx8", LEAF1_EDX, 8, STATE_NONE},
    {"cmov", LEAF1_EDX, 15, STATE_NONE},
    {"mmx", LEAF1_EDX, 23, STATE_NONE},
    {"fxsr", LEAF1_EDX, 24, STATE_NONE},
    {"sse", LEAF1_EDX, 25, STATE_NONE},
    {"sse2", LEAF1_EDX, 26, STATE_NONE},
    {"sse3", LEAF1_ECX, 0, STATE_NONE},
    {"pclmul", LEAF1_ECX, 1, STATE_NONE},
    {"ssse3", LEAF1_ECX, 9, STATE_NONE},
    {"fma", LEAF1_ECX, 12, STATE_AVX},
    {"cx16", LEAF1_ECX, 13, STATE_NONE},
    {"sse4.1", LEAF1_ECX, 19, STATE_NONE},
    {"sse4.2", LEAF1_ECX, 20, STATE_NONE},
    {"crc32", LEAF1_ECX, 20, STATE_NONE},
    {"movbe", LEAF1_ECX, 22, STATE_NONE},
    {"popcnt", LEAF1_ECX, 23, STATE_NONE},
    {"aes", LEAF1_ECX, 25, STATE_NONE},
    {"xsave", LEAF1_ECX, 27, STATE_NONE},
    {"avx", LEAF1_ECX, 28, STATE_AVX},
    {"f16c", LEAF1_ECX, 29, STATE_AVX},
    {"rdrnd", LEAF1_ECX, 30, STATE_NONE},
    {"fsgsbase", LEAF7_EBX, 0, STATE_NONE},
    {"bmi", LEAF7_EBX, 3, STATE_NONE},
    {"avx2", LEAF7_EBX, 5, STATE_AVX},
    {"bmi2", LEAF7_EBX, 8, STATE_NONE},
    {"avx512f", LEAF7_EBX, 16, STATE_AVX512},
    {"evex512", LEAF7_EBX, 16, STATE_AVX512},
    {"avx512dq", LEAF7_EBX, 17, STATE_AVX512},
    {"rdseed", LEAF7_EBX, 18, STATE_NONE},
    {"adx", LEAF7_EBX, 19, STATE_NONE},
    {"avx512ifma", LEAF7_EBX, 21, STATE_AVX512},
    {"clflushopt", LEAF7_EBX, 23, STATE_NONE},
    {"clwb", LEAF7_EBX, 24, STATE_NONE},
    {"avx512cd", LEAF7_EBX, 28, STATE_AVX512},
    {"sha", LEAF7_EBX, 29, STATE_NONE},
    {"avx512bw", LEAF7_EBX, 30, STATE_AVX512},
    {"avx512vl", LEAF7_EBX, 31, STATE_AVX512},
    {"avx512vbmi", LEAF7_ECX, 1, STATE_AVX512},
    {"avx512vbmi2", LEAF7_ECX, 6, STATE_AVX512},
    {"gfni", LEAF7_ECX, 8, STATE_NONE},
    {"vaes", LEAF7_ECX, 9, STATE_AVX},
    {"vpclmulqdq", LEAF7_ECX, 10, STATE_AVX},
    {"avx512vnni", LEAF7_ECX, 11, STATE_AVX512},
    {"avx512bitalg", LEAF7_ECX, 12, STATE_AVX512},
    {"avx512vpopcntdq", LEAF7_ECX, 14, STATE_AVX512},
    {"avx512vp2intersect", LEAF7_EDX, 8, STATE_AVX512},
    {"avx512fp16", LEAF7_EDX, 23, STATE_AVX512},
    {"amx-tile", LEAF7_EDX, 24, STATE_AMX},
    {"amx-int8", LEAF7_EDX, 25, STATE_AMX},
    {"avxvnni", LEAF7_1_EAX, 4, STATE_AVX},
    {"avx512bf16", LEAF7_1_EAX, 5, STATE_AVX512},
    {"avxifma", LEAF7_1_EAX, 23, STATE_AVX},
    {"avxvnniint8", LEAF7_1_EDX, 4, STATE_AVX},
    {"avxneconvert", LEAF7_1_EDX, 5, STATE_AVX},
    {"avxvnniint16", LEAF7_1_EDX, 10, STATE_AVX},
    {"xsaveopt", LEAF13_1_EAX, 0, STATE_NONE},
    {"xsavec", LEAF13_1_EAX, 1, STATE_NONE},
    {"xsaves", LEAF13_1_EAX, 3, STATE_NONE},
    {"sahf", EXTENDED_ECX, 0, STATE_NONE},
    {"lzcnt", EXTENDED_ECX, 5, STATE_NONE},
    {"prfchw", EXTENDED_ECX, 8, STATE_NONE},
};

/* The state components that the operating system saves (XCR0). */
static uint64_t saved_state(uint32_t leaf1_ecx) {
  const uint32_t osxsave = 1u << 27;
  if (!(leaf1_ecx & osxsave))
    return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static bool read_leaf(uint32_t leaf, uint32_t subleaf, uint32_t out[4]) {
  return __get_cpuid_count(leaf, subleaf, &out[0], &out[1], &out[2], &out[3]);
}

/* The registers that `features` refers to, and XCR0. */
static uint64_t read_registers(uint32_t registers[REGISTER_COUNT]) {
  uint32_t out[4];
  memset(registers, 0, REGISTER_COUNT * sizeof(registers[0]));
  if (read_leaf(1, 0, out)) {
    registers[LEAF1_ECX] = out[2];
    registers[LEAF1_EDX] = out[3];
  }
  if (read_leaf(7, 0, out)) {
    uint32_t last_subleaf = out[0];
    registers[LEAF7_EBX] = out[1];
    registers[LEAF7_ECX] = out[2];
    registers[LEAF7_EDX] = out[3];
    if (last_subleaf >= 1 && read_leaf(7, 1, out)) {
      registers[LEAF7_1_EAX] = out[0];
      registers[LEAF7_1_EDX] = out[3];
    }
  }
  if (read_leaf(13, 1, out))
    registers[LEAF13_1_EAX] = out[0];
  if (read_leaf(0x80000001u, 0, out)) {
    registers[EXTENDED_ECX] = out[2];
    registers[EXTENDED_EDX] = out[3];
  }
  return saved_state(registers[LEAF1_ECX]);
}

static bool is_usable(const cpu_feature *feature, const uint32_t *registers,
                      uint64_t state) {
  return (registers[feature->source] >> feature->bit & 1) &&
         (state & feature->state) == feature->state;
}

#elif defined(__aarch64__)
#include <sys/auxv.h>
#include <sys/prctl.h>

/* Which word of the auxiliary vector, and the bit in it (Linux's ABI). */
enum { HWCAP_WORD, HWCAP2_WORD, REGISTER_COUNT };

typedef struct cpu_feature {
  const char *name;
  uint8_t source;
  uint8_t bit;
} cpu_feature;

static const cpu_feature features[] = {
    {"fp-armv8", HWCAP_WORD, 0},  {"neon", HWCAP_WORD, 1},
    {"aes", HWCAP_WORD, 3},       {"sha2", HWCAP_WORD, 6},
    {"crc", HWCAP_WORD, 7},       {"lse", HWCAP_WORD, 8},
    {"fullfp16", HWCAP_WORD, 10}, {"rdm", HWCAP_WORD, 12},
    {"jsconv", HWCAP_WORD, 13},   {"complxnum", HWCAP_WORD, 14},
    {"rcpc", HWCAP_WORD, 15},     {"sha3", HWCAP_WORD, 17},
    {"dotprod", HWCAP_WORD, 20},  {"sve", HWCAP_WORD, 22},
    {"fp16fml", HWCAP_WORD, 23},  {"sve2", HWCAP2_WORD, 1},
    {"i8mm", HWCAP2_WORD, 13},    {"bf16", HWCAP2_WORD, 14},
    {"sme", HWCAP2_WORD, 23},     {"sme2", HWCAP2_WORD, 37},
};

/* Compiled code takes it that scalable vectors are a power of two, which newer
   editions of the architecture ask for, and older ones do not. */
static bool has_odd_vectors(void) {
  int length = prctl(PR_SVE_GET_VL);
  uint32_t bytes = (uint32_t)length & PR_SVE_VL_LEN_MASK;
  return length < 0 || (bytes & (bytes - 1)) != 0;
}

static uint64_t read_registers(uint64_t registers[REGISTER_COUNT]) {
  const uint64_t sve = UINT64_C(1) << 22, sve2 = UINT64_C(1) << 1;
  registers[HWCAP_WORD] = getauxval(AT_HWCAP);
  registers[HWCAP2_WORD] = getauxval(AT_HWCAP2);
  if ((registers[HWCAP_WORD] & sve) && has_odd_vectors()) {
    registers[HWCAP_WORD] &= ~sve;
    registers[HWCAP2_WORD] &= ~sve2;
  }
  return 0;
}

static bool is_usable(const cpu_feature *feature, const uint64_t *registers,
                      uint64_t state) {
  (void)state;
  return registers[feature->source] >> feature->bit & 1;
}

#else

enum { REGISTER_COUNT = 1 };
typedef struct cpu_feature {
  const char *name;
} cpu_feature;
static const cpu_feature features[] = {{"none"}};
static uint64_t read_registers(uint64_t registers[REGISTER_COUNT]) {
  return registers[0] = 0;
}
static bool is_usable(const cpu_feature *feature, const uint64_t *registers,
                      uint64_t state) {
  (void)feature, (void)registers, (void)state;
  return false;
}

#endif

enum { FEATURE_COUNT = sizeof(features) / sizeof(features[0]) };
_Static_assert(FEATURE_COUNT <= 8 * sizeof(bn_cpu), "bn_cpu has too few bits");

bn_cpu bn_cpu_detect(void) {
#if defined(__x86_64__)
  uint32_t registers[REGISTER_COUNT];
#else
  uint64_t registers[REGISTER_COUNT];
#endif
  uint64_t state = read_registers(registers);
  bn_cpu cpu = {{0, 0}};
  for (uint32_t i = 0; i < FEATURE_COUNT; ++i)
    if (is_usable(&features[i], registers, state))
      cpu.bits[i / 64] |= UINT64_C(1) << i % 64;
  return cpu;
}

bool bn_cpu_has(const bn_cpu *cpu, const char *feature) {
  if (*feature == '+')
    ++feature;
  for (uint32_t i = 0; i < FEATURE_COUNT; ++i)
    if (strcmp(features[i].name, feature) == 0)
      return cpu->bits[i / 64] >> i % 64 & 1;
  return false;
}

bool bn_cpu_ask(const char *feature) {
#if defined(__x86_64__)
  const int request_permission = 0x1023, amx_data = 18;
  if (strncmp(feature + (*feature == '+'), "amx-", 4) == 0)
    return syscall(SYS_arch_prctl, request_permission, amx_data) == 0;
#endif
  (void)feature;
  return true;
}

bool bn_cpu_fetches_ahead(const char *vendor, uint32_t signature) {
  uint32_t family = signature >> 8 & 0xf;
  if (family == 0xf)
    family += signature >> 20 & 0xff;
  /* Zen 1 to 4. On a Zen 4 a 2-bit product of one token reads memory at 89 to
     99% of its bandwidth, and with distances that serve others at 60%. */
  return memcmp(vendor, "AuthenticAMD", 12) == 0 &&
         (family == 0x17 || family == 0x19);
}

void bn_cpu_fetch_distance(int64_t distance[2]) {
  /* Xeons with AVX-512; of less, two threads read a twentieth slower. */
  distance[BN_FETCH_FAR] = 16384;
  distance[BN_FETCH_NEAR] = 2048;
#if defined(__x86_64__)
  uint32_t leaf0[4], leaf1[4];
  if (!read_leaf(0, 0, leaf0) || !read_leaf(1, 0, leaf1))
    return;
  const uint32_t vendor[3] = {leaf0[1], leaf0[3], leaf0[2]};
  if (bn_cpu_fetches_ahead((const char *)vendor, leaf1[0]))
    distance[BN_FETCH_FAR] = distance[BN_FETCH_NEAR] = 0;
#endif
}

int32_t bn_cpu_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0)
    CPU_ZERO(&set); /* more processors than cpu_set_t holds */
  long count = CPU_COUNT(&set);
  if (count < 1)
    count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (int32_t)count : 1;
}
