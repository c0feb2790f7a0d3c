//===- ArenaTest.cpp - Memory of compiled code ----------------------------===//
//
// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

extern "C" {
#include "arena.h"
}

#include "bitnet/artifact.h"

#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace {

struct DestroyArena {
  void operator()(bn_arena *arena) const { bn_arena_destroy(arena); }
};

class ArenaTest : public testing::Test {
protected:
  unsigned char *allocate(uint64_t bytes) {
    return static_cast<unsigned char *>(bn_arena_allocate(arena.get(), bytes));
  }

  std::unique_ptr<bn_arena, DestroyArena> arena{bn_arena_create(nullptr)};
};

TEST_F(ArenaTest, BlocksAreAlignedAndApart) {
  std::vector<std::pair<unsigned char *, size_t>> blocks;
  for (size_t bytes = 0; bytes < 5000; bytes += 7) {
    unsigned char *block = allocate(bytes);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % BN_ALIGNMENT, 0u);
    std::memset(block, int(bytes % 251), bytes);
    blocks.emplace_back(block, bytes);
  }
  for (auto [block, bytes] : blocks)
    for (size_t i = 0; i < bytes; ++i)
      ASSERT_EQ(block[i], bytes % 251);
}

TEST_F(ArenaTest, ReleasedBlocksAreUsedAgain) {
  unsigned char *block = allocate(1000);
  unsigned char *kept = allocate(1000);
  bn_arena_release(arena.get(), block);
  EXPECT_EQ(allocate(1000), block);
  EXPECT_NE(allocate(1000), kept);
  bn_arena_release(arena.get(), nullptr);
}

TEST_F(ArenaTest, ResetTakesEverythingBack) {
  std::set<unsigned char *> before, after;
  for (int i = 0; i < 10; ++i)
    before.insert(allocate(300));
  bn_arena_reset(arena.get());
  for (int i = 0; i < 10; ++i)
    after.insert(allocate(300));
  EXPECT_EQ(before, after);
  EXPECT_EQ(before.size(), 10u);
}

TEST_F(ArenaTest, ManyResetsWithOtherSizes) {
  for (uint64_t i = 0; i < 200; ++i) {
    for (uint64_t j = 1; j < 8; ++j)
      std::memset(allocate(i * 97 * j), 1, i * 97 * j);
    bn_arena_reset(arena.get());
  }
}

TEST_F(ArenaTest, RefusesTheImpossible) {
  EXPECT_EQ(allocate(UINT64_MAX), nullptr);
  EXPECT_EQ(allocate(UINT64_MAX / 4), nullptr);
  EXPECT_EQ(allocate(UINT64_C(1) << 61), nullptr);
  EXPECT_NE(allocate(1), nullptr);
}

TEST_F(ArenaTest, ServesSeveralThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        unsigned char *block = allocate(64 + i);
        std::memset(block, t, 64 + i);
        for (int j = 0; j < 64 + i; ++j)
          ASSERT_EQ(block[j], t);
        if (i % 2)
          bn_arena_release(arena.get(), block);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

/// A source of numbers, not memory, as a device's addresses are.
struct Numbers {
  std::set<uintptr_t> given;
  uintptr_t next = 4096;
  size_t limit = 4;

  static void *allocate(void *user, uint64_t bytes) {
    auto *numbers = static_cast<Numbers *>(user);
    if (numbers->given.size() == numbers->limit)
      return nullptr;
    numbers->next += bytes + 4096;
    numbers->given.insert(numbers->next);
    return reinterpret_cast<void *>(numbers->next);
  }
  static void release(void *user, void *pointer) {
    auto *numbers = static_cast<Numbers *>(user);
    EXPECT_EQ(numbers->given.erase(reinterpret_cast<uintptr_t>(pointer)), 1u);
  }
};

TEST(ArenaSource, IsNotTouched) {
  Numbers numbers;
  bn_memory_source source = {&numbers, Numbers::allocate, Numbers::release};
  std::unique_ptr<bn_arena, DestroyArena> arena(bn_arena_create(&source));
  std::vector<void *> first;
  for (int i = 0; i < 4; ++i) {
    first.push_back(bn_arena_allocate(arena.get(), 1000));
    ASSERT_NE(first.back(), nullptr);
  }
  EXPECT_EQ(bn_arena_allocate(arena.get(), 1000), nullptr);
  bn_arena_release(arena.get(), first[1]);
  EXPECT_EQ(bn_arena_allocate(arena.get(), 1000), first[1]);
  // The same calls get the same addresses.
  for (int call = 0; call < 3; ++call) {
    std::vector<void *> again;
    bn_arena_reset(arena.get());
    for (int i = 0; i < 4; ++i)
      again.push_back(bn_arena_allocate(arena.get(), 1000));
    if (call) {
      EXPECT_EQ(again, first);
    }
    first = again;
  }
  // What is not used goes back to the source.
  for (int i = 0; i < 10; ++i)
    bn_arena_reset(arena.get());
  EXPECT_TRUE(numbers.given.empty());
  EXPECT_NE(bn_arena_allocate(arena.get(), 10), nullptr);
  arena.reset();
  EXPECT_TRUE(numbers.given.empty());
}

} // namespace
