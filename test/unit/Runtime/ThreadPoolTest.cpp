//===- ThreadPoolTest.cpp - Parallel loops --------------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

extern "C" {
#include "thread_pool.h"
}

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <gtest/gtest.h>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace {

struct DestroyPool {
  void operator()(bn_thread_pool *pool) const { bn_thread_pool_destroy(pool); }
};
using Pool = std::unique_ptr<bn_thread_pool, DestroyPool>;

/// Calls a function object over [0, count).
template <typename Fn> void runLoop(const Pool &pool, int64_t count, Fn fn) {
  auto task = [](void *context, int64_t begin, int64_t end) {
    (*static_cast<Fn *>(context))(begin, end);
  };
  bn_thread_pool_run(pool.get(), task, &fn, count);
}

using Ranges = std::vector<std::pair<int64_t, int64_t>>;

Ranges rangesOf(const Pool &pool, int64_t count) {
  Ranges ranges;
  std::mutex mutex;
  runLoop(pool, count, [&](int64_t begin, int64_t end) {
    std::lock_guard<std::mutex> lock(mutex);
    ranges.emplace_back(begin, end);
  });
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

class ThreadPoolTest : public testing::TestWithParam<int> {
protected:
  Pool pool{bn_thread_pool_create(GetParam())};
};

TEST_P(ThreadPoolTest, CoversEverySizeOnce) {
  EXPECT_EQ(bn_thread_pool_size(pool.get()), GetParam());
  for (int64_t count :
       {0ll, 1ll, 2ll, 3ll, 7ll, 8ll, 9ll, 64ll, 1000ll, 1ll << 62}) {
    Ranges ranges = rangesOf(pool, count);
    ASSERT_GE(ranges.size(), std::min<size_t>(count, GetParam()));
    int64_t at = 0;
    for (auto [begin, end] : ranges) {
      EXPECT_EQ(begin, at);
      EXPECT_LT(begin, end);
      // Even: no more than a part, of which all differ by one element at most.
      EXPECT_LE((end - begin) - count / GetParam(), 1);
      at = end;
    }
    EXPECT_EQ(at, count);
  }
}

TEST_P(ThreadPoolTest, TakesOverFromSlowThreads) {
  if (GetParam() == 1)
    return;
  // Whoever has the first element waits until the others have done all but its
  // range.
  std::atomic<int64_t> left{64};
  int64_t leftAtEnd = -1;
  runLoop(pool, 64, [&](int64_t begin, int64_t end) {
    left -= end - begin;
    if (begin > 0)
      return;
    for (int i = 0; left > 0 && i < 30000; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    leftAtEnd = left;
  });
  EXPECT_EQ(leftAtEnd, 0);
}

TEST_P(ThreadPoolTest, ShowsResultsToTheCaller) {
  std::vector<int64_t> values(101);
  for (int round = 1; round <= 2000; ++round) {
    runLoop(pool, values.size(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        values[i] += i;
    });
    ASSERT_EQ(values[100], 100 * round);
    ASSERT_EQ(values[1], round);
  }
}

TEST_P(ThreadPoolTest, WakesAfterSleep) {
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_GE(rangesOf(pool, 100).size(), size_t(GetParam()));
  }
}

TEST_P(ThreadPoolTest, WaitsForSlowTasks) {
  std::atomic<int64_t> sum{0};
  runLoop(pool, 8, [&](int64_t begin, int64_t end) {
    if (begin > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    sum += end - begin;
  });
  EXPECT_EQ(sum, 8);
}

TEST_P(ThreadPoolTest, RunsNestedLoopsInline) {
  std::atomic<int64_t> sum{0}, moved{0};
  runLoop(pool, 16, [&](int64_t begin, int64_t end) {
    std::thread::id self = std::this_thread::get_id();
    for (int64_t i = begin; i < end; ++i)
      runLoop(pool, 10, [&](int64_t from, int64_t to) {
        sum += to - from;
        moved += std::this_thread::get_id() != self;
      });
  });
  EXPECT_EQ(sum, 160);
  if (GetParam() > 1) {
    EXPECT_EQ(moved, 0);
  }
}

TEST_P(ThreadPoolTest, UsesItsThreads) {
  std::mutex mutex;
  std::condition_variable begun;
  std::set<std::thread::id> threads;
  // No range ends before all threads have begun.
  runLoop(pool, 1000, [&](int64_t, int64_t) {
    std::unique_lock<std::mutex> lock(mutex);
    threads.insert(std::this_thread::get_id());
    begun.notify_all();
    begun.wait_for(lock, std::chrono::seconds(30),
                   [&] { return threads.size() == size_t(GetParam()); });
  });
  EXPECT_EQ(threads.size(), size_t(GetParam()));
  EXPECT_TRUE(threads.count(std::this_thread::get_id()));
}

TEST_P(ThreadPoolTest, RunsEveryRangeOnceWhoeverTakesIt) {
  // Ranges too short for a sleeping thread to come in time.
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::atomic<int>> visits(GetParam());
    runLoop(pool, GetParam(), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        ++visits[i];
    });
    for (const std::atomic<int> &count : visits)
      ASSERT_EQ(count, 1);
    if (round % 100 == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest,
                         testing::Values(1, 2, 3, 4, 5, 6, 7, 8));

TEST(ThreadPool, IsDestroyedUnused) {
  for (int i = 0; i < 50; ++i)
    Pool(bn_thread_pool_create(1 + i % 8));
}

} // namespace
