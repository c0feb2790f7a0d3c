//===- Machine.cpp - Limits of the machine, measured ----------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "Error.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace bitnet::run {

using Clock = std::chrono::steady_clock;

double shortestTime(int threads, int repetitions,
                    const std::function<void(int)> &work) {
  std::atomic<int> arrived{0};
  std::vector<std::vector<Clock::time_point>> begins(threads), ends(threads);
  auto body = [&](int thread) {
    for (int i = 0; i < repetitions; ++i) {
      arrived.fetch_add(1);
      while (arrived.load() < (i + 1) * threads)
        std::this_thread::yield();
      begins[thread].push_back(Clock::now());
      work(thread);
      ends[thread].push_back(Clock::now());
    }
  };
  std::vector<std::thread> helpers;
  for (int thread = 1; thread < threads; ++thread)
    helpers.emplace_back(body, thread);
  body(0);
  for (std::thread &helper : helpers)
    helper.join();
  double shortest = 1e30;
  for (int i = 0; i < repetitions; ++i) {
    Clock::time_point begin = begins[0][i], end = ends[0][i];
    for (int thread = 1; thread < threads; ++thread) {
      begin = std::min(begin, begins[thread][i]);
      end = std::max(end, ends[thread][i]);
    }
    shortest =
        std::min(shortest, std::chrono::duration<double>(end - begin).count());
  }
  return shortest;
}

namespace {
/// Anonymous memory; large pages where the system gives them, as they are what
/// the limit is about.
class Buffer {
public:
  explicit Buffer(size_t bytes) : bytes(bytes) {
    data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
      throw Error("no memory for measuring the read bandwidth");
    madvise(data, bytes, MADV_HUGEPAGE);
  }
  ~Buffer() { munmap(data, bytes); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  uint64_t *words() const { return static_cast<uint64_t *>(data); }

private:
  void *data;
  size_t bytes;
};
} // namespace

/// Well over the last-level cache, well under the memory.
static size_t bandwidthBufferBytes() {
  int64_t cache = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
  cache = std::max<int64_t>(0, sysconf(_SC_LEVEL3_CACHE_SIZE));
#endif
  int64_t memory = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  int64_t wanted = std::max<int64_t>(int64_t(512) << 20, 4 * cache);
  int64_t most =
      std::clamp<int64_t>(memory / 4, int64_t(64) << 20, int64_t(4) << 30);
  return size_t(std::min(wanted, most)) & ~size_t(4095);
}

double measureReadBandwidth(int threads, size_t bytes) {
  Buffer buffer(bytes);
  size_t words = bytes / sizeof(uint64_t), share = words / size_t(threads);
  // Every thread touches its own part first, which places it near.
  std::vector<uint64_t> sums(size_t(threads) * 8);
  shortestTime(threads, 1, [&](int thread) {
    uint64_t *part = buffer.words() + size_t(thread) * share;
    std::fill(part, part + share, uint64_t(thread) + 1);
  });
  double seconds = shortestTime(threads, 6, [&](int thread) {
    const uint64_t *part = buffer.words() + size_t(thread) * share;
    sums[size_t(thread) * 8] += sumWords(part, share);
  });
  for (int thread = 0; thread < threads; ++thread)
    if (!sums[size_t(thread) * 8])
      throw Error("the measured memory changed");
  return double(share * sizeof(uint64_t)) * threads / seconds;
}

double measureDotPeak(int threads, const DotKernel &kernel) {
  constexpr int64_t rounds = 400000;
  std::vector<int64_t> sums(size_t(threads) * 8);
  double seconds = shortestTime(threads, 25, [&](int thread) {
    sums[size_t(thread) * 8] += kernel.run(rounds);
  });
  return double(kernel.macsPerRound) * rounds * threads / seconds;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half]
                           : (values[half - 1] + values[half]) / 2;
}

Limits medianOf(const std::vector<Limits> &measured) {
  Limits limits = measured.front();
  auto replace = [&](std::optional<double> Limits::*limit) {
    std::vector<double> values;
    for (const Limits &one : measured)
      if (one.*limit)
        values.push_back(*(one.*limit));
    if (!values.empty())
      limits.*limit = median(values);
  };
  replace(&Limits::readBandwidth);
  replace(&Limits::dotPeak);
  replace(&Limits::tilePeak);
  return limits;
}

Limits measureLimits(int threads, const std::vector<std::string> &features,
                     size_t bytes) {
  DotKernel kernel = dotKernelFor(features);
  Limits limits = {measureReadBandwidth(threads, bytes),
                   measureDotPeak(threads, kernel), kernel.instruction};
  if (auto tiles = tileKernelFor(features))
    limits.tilePeak = measureDotPeak(threads, *tiles);
  return limits;
}

Limits measureLimits(const Session &session) {
  if (session.isOnDevice())
    return {};
  return measureLimits(session.threads(), session.features(),
                       bandwidthBufferBytes());
}

} // namespace bitnet::run
