//===- DotKernels.cpp - Loops that measure the machine --------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Measures the machine only; the kernels that models run are generated.
//
//===----------------------------------------------------------------------===//

#include "DotKernels.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bitnet::run {

// Vectors live in registers: a barrier keeps the compiler from folding rounds.
#define BITNET_KEEP(vector) asm volatile("" : "+x"(vector))
#define BITNET_KEEP512(vector) asm volatile("" : "+v"(vector))

/// Enough chains to cover the latency of the instruction on two ports or more.
static constexpr int chains = 12;

static int64_t portableDot(int64_t rounds) {
  alignas(64) int8_t a[64], b[64];
  for (int i = 0; i < 64; ++i) {
    a[i] = int8_t(i);
    b[i] = int8_t(3 - i);
  }
  int64_t total = 0;
  for (int64_t round = 0; round < rounds; ++round) {
    asm volatile("" : : "r"(a), "r"(b) : "memory");
    int32_t sum = 0;
    for (int i = 0; i < 64; ++i)
      sum += int32_t(a[i]) * b[i];
    total += sum;
  }
  return total;
}

static uint64_t portableSum(const uint64_t *words, size_t count) {
  uint64_t sums[8] = {};
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int lane = 0; lane < 8; ++lane)
      sums[lane] += words[i + lane];
  for (; i < count; ++i)
    sums[0] += words[i];
  uint64_t sum = 0;
  for (uint64_t lane : sums)
    sum += lane;
  return sum;
}

#if defined(__x86_64__)

static int64_t addLanes(__m128i v) {
  alignas(16) int32_t lanes[4];
  _mm_store_si128(reinterpret_cast<__m128i *>(lanes), v);
  return int64_t(lanes[0]) + lanes[1] + lanes[2] + lanes[3];
}

__attribute__((target("avx2"))) static int64_t addLanes256(__m256i v) {
  return addLanes(_mm256_castsi256_si128(v)) +
         addLanes(_mm256_extracti128_si256(v, 1));
}

/// A loop of independent chains of sums, each of which `step` continues with
/// the vectors `a` and `b`; `add` and `reduce` only keep the chains alive.
#define BITNET_DOT_LOOP(name, features, Vector, set1, zero, keep, step, add,   \
                        reduce)                                                \
  __attribute__((target(features))) static int64_t name(int64_t rounds) {      \
    Vector a = set1(1), b = set1(-1), sums[chains];                            \
    for (Vector &sum : sums)                                                   \
      sum = zero();                                                            \
    for (int64_t round = 0; round < rounds; ++round)                           \
      for (Vector &sum : sums) {                                               \
        keep(a);                                                               \
        sum = step(sum, a, b);                                                 \
      }                                                                        \
    Vector total = sums[0];                                                    \
    for (int i = 1; i < chains; ++i)                                           \
      total = add(total, sums[i]);                                             \
    return reduce(total);                                                      \
  }

BITNET_DOT_LOOP(dotAvx512Vnni, "avx512f,avx512vnni", __m512i, _mm512_set1_epi8,
                _mm512_setzero_si512, BITNET_KEEP512, _mm512_dpbusd_epi32,
                _mm512_add_epi32, _mm512_reduce_add_epi32)
BITNET_DOT_LOOP(dotAvxVnni, "avx2,avxvnni", __m256i, _mm256_set1_epi8,
                _mm256_setzero_si256, BITNET_KEEP, _mm256_dpbusd_avx_epi32,
                _mm256_add_epi32, addLanes256)

/// Sums of 16 bits, as kernels keep them for a few steps before widening.
#define BITNET_PAIRS512(sum, a, b)                                             \
  _mm512_add_epi16(sum, _mm512_maddubs_epi16(a, b))
#define BITNET_PAIRS256(sum, a, b)                                             \
  _mm256_add_epi16(sum, _mm256_maddubs_epi16(a, b))
#define BITNET_PAIRS128(sum, a, b) _mm_add_epi16(sum, _mm_maddubs_epi16(a, b))

BITNET_DOT_LOOP(dotAvx512, "avx512f,avx512bw", __m512i, _mm512_set1_epi8,
                _mm512_setzero_si512, BITNET_KEEP512, BITNET_PAIRS512,
                _mm512_add_epi16, _mm512_reduce_add_epi32)
BITNET_DOT_LOOP(dotAvx2, "avx2", __m256i, _mm256_set1_epi8,
                _mm256_setzero_si256, BITNET_KEEP, BITNET_PAIRS256,
                _mm256_add_epi16, addLanes256)
BITNET_DOT_LOOP(dotSsse3, "ssse3", __m128i, _mm_set1_epi8, _mm_setzero_si128,
                BITNET_KEEP, BITNET_PAIRS128, _mm_add_epi16, addLanes)

/// What ldtilecfg reads, of the first palette.
struct alignas(64) TileShapes {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t columnBytes[16] = {};
  uint8_t rows[16] = {};
};

/// Four sums of products of two tiles by two, as kernels keep them.
__attribute__((target("amx-tile,amx-int8"))) static int64_t
tileProducts(int64_t rounds) {
  TileShapes shapes;
  for (int tile = 0; tile < 8; ++tile) {
    shapes.columnBytes[tile] = 64;
    shapes.rows[tile] = 16;
  }
  alignas(64) int8_t ones[1024];
  alignas(64) int32_t sums[256];
  std::fill(std::begin(ones), std::end(ones), int8_t(1));
  _tile_loadconfig(&shapes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, ones, 64);
  _tile_loadd(5, ones, 64);
  _tile_loadd(6, ones, 64);
  _tile_loadd(7, ones, 64);
  for (int64_t round = 0; round < rounds; ++round) {
    _tile_dpbsud(0, 4, 6);
    _tile_dpbsud(1, 4, 7);
    _tile_dpbsud(2, 5, 6);
    _tile_dpbsud(3, 5, 7);
  }
  _tile_stored(0, sums, 64);
  _tile_release();
  return sums[0];
}

__attribute__((target("avx2"))) static uint64_t sumAvx2(const uint64_t *words,
                                                        size_t count) {
  __m256i sums[4] = {};
  size_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (int lane = 0; lane < 4; ++lane)
      sums[lane] = _mm256_add_epi64(
          sums[lane], _mm256_loadu_si256(reinterpret_cast<const __m256i *>(
                          words + i + 4 * lane)));
  uint64_t sum = portableSum(words + i, count - i);
  for (__m256i lane : sums) {
    alignas(32) uint64_t parts[4];
    _mm256_store_si256(reinterpret_cast<__m256i *>(parts), lane);
    sum += parts[0] + parts[1] + parts[2] + parts[3];
  }
  return sum;
}

static bool contains(const std::vector<std::string> &features,
                     const char *feature) {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

std::optional<DotKernel>
tileKernelFor(const std::vector<std::string> &features) {
  if (!contains(features, "amx-int8"))
    return std::nullopt;
  return DotKernel{"tdpbsud", 4 * 16 * 16 * 64, tileProducts};
}

DotKernel dotKernelFor(const std::vector<std::string> &features) {
  auto has = [&](const char *feature) { return contains(features, feature); };
  if (has("avx512vnni"))
    return {"vpdpbusd zmm", 64 * chains, dotAvx512Vnni};
  if (has("avx512bw"))
    return {"vpmaddubsw zmm", 64 * chains, dotAvx512};
  if (has("avxvnni"))
    return {"vpdpbusd ymm", 32 * chains, dotAvxVnni};
  if (has("avx2"))
    return {"vpmaddubsw ymm", 32 * chains, dotAvx2};
  if (has("ssse3"))
    return {"pmaddubsw xmm", 16 * chains, dotSsse3};
  return {"portable", 64, portableDot};
}

uint64_t sumWords(const uint64_t *words, size_t count) {
  return __builtin_cpu_supports("avx2") ? sumAvx2(words, count)
                                        : portableSum(words, count);
}

#else

DotKernel dotKernelFor(const std::vector<std::string> &) {
  return {"portable", 64, portableDot};
}

std::optional<DotKernel> tileKernelFor(const std::vector<std::string> &) {
  return std::nullopt;
}

uint64_t sumWords(const uint64_t *words, size_t count) {
  return portableSum(words, count);
}

#endif

} // namespace bitnet::run
