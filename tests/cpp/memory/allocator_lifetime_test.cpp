// SPDX-License-Identifier: Apache-2.0
//
// Who outlives whom: blocks, sessions, allocators and threads that end them at the same time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/segment.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "testing/held_resources.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::HeldResources;
using ::testing::Pair;

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// Without what the C library keeps for threads.
HeldResources held() {
  HeldResources now = HeldResources::now();
  std::erase_if(now.mappings, [](const std::string& line) { return line.find("---p") != std::string::npos; });
  return now;
}

AllocatorConfig small(std::size_t budget = 64 * kMiB) {
  return {.max_memory_bytes = budget,
          .first_segment_bytes = 64 << 10,
          .segment_bytes = 256 << 10,
          .spare_segments = 0,
          .low_water_bytes = 0};
}

TEST(AllocatorLifetimeTest, BlocksOutliveTheirAllocator) {
  const HeldResources before = held();
  MemoryBlock shared;
  MemoryBlock fallback;
  {
    SharedMemoryAllocator allocator(small(64 << 10));
    shared = allocator.allocate(10'000, "a");
    fallback = allocator.allocate(100'000, "a");
    EXPECT_EQ(fallback.kind(), BlockKind::heap);
  }
  std::memset(shared.data(), 1, shared.size());
  std::memset(fallback.data(), 1, fallback.size());
  fallback = MemoryBlock();
  EXPECT_EQ(shared.data()[9'999], std::byte{1});
  EXPECT_EQ(shared.owner()->shared_location()->segment->size(), 64U << 10);
  shared = MemoryBlock();
  EXPECT_EQ(held(), before);
}

TEST(AllocatorLifetimeTest, WithAllocatorsSessionsAndBlocksGoesAllThatTheyHeld) {
  const HeldResources before = held();
  for (int round = 0; round < 20; ++round) {
    AllocatorConfig config = small();
    config.spare_segments = 1;
    SharedMemoryAllocator allocator(config);
    std::vector<MemoryBlock> blocks;
    for (int i = 0; i < 50; ++i) {
      const std::string session = std::to_string(i % 7);
      blocks.push_back(allocator.allocate(static_cast<std::size_t>(i) * 1'000, session));
      if (i % 5 == 0) allocator.close_session(session);
    }
  }
  EXPECT_EQ(held(), before);
}

TEST(AllocatorLifetimeTest, AClosedAllocatorHasHeapOnly) {
  const HeldResources before = held();
  SharedMemoryAllocator allocator(small());
  MemoryBlock block = allocator.allocate(10, "a");
  MemoryBlock other = allocator.allocate(10, "b");
  (void)allocator.allocate(10, "c");
  for (int time = 0; time < 2; ++time) {
    allocator.close();
    EXPECT_EQ(allocator.metrics().regions_active, 2U) << "those in use";
  }
  EXPECT_EQ(block.kind(), BlockKind::shared_memory);
  const MemoryBlock late = allocator.allocate(10, "a");
  EXPECT_EQ(late.kind(), BlockKind::heap);
  EXPECT_TRUE(allocator.owns(late));
  EXPECT_EQ(allocator.session_usage("a"), 20U);
  EXPECT_THAT(allocator.metrics().fallbacks, ElementsAre(Pair("closed", 1)));
  block = MemoryBlock();
  EXPECT_EQ(allocator.metrics().regions_active, 1U) << "a segment goes with its last block";
  EXPECT_EQ(allocator.close_session("b"), 1U);
  other = MemoryBlock();
  EXPECT_EQ(allocator.metrics().bytes_reserved, 0U);
  EXPECT_EQ(held(), before);
}

TEST(AllocatorLifetimeTest, CloseEndsItsExports) {
  SharedMemoryAllocator allocator(small());
  MemoryBlock block = allocator.allocate(10, "a");
  const Export one = share(block);
  block = MemoryBlock();
  EXPECT_EQ(allocator.metrics().frees_total, 0U);
  allocator.close();
  EXPECT_EQ(allocator.metrics().frees_total, 1U);
}

TEST(AllocatorLifetimeTest, ItEndsWhileItsThreadMakesSpares) {
  for (int round = 0; round < 60; ++round) {
    AllocatorConfig config = small();
    config.spare_segments = 3;
    SharedMemoryAllocator allocator(config);
    const MemoryBlock block = allocator.allocate(10);
    for (int i = 0; i < round; ++i) std::this_thread::yield();
  }
}

TEST(AllocatorLifetimeTest, TheLastBlocksGoWhileTheAllocatorDoes) {
  for (int round = 0; round < 100; ++round) {
    auto allocator = std::make_unique<SharedMemoryAllocator>(small());
    std::vector<MemoryBlock> blocks;
    for (int i = 0; i < 4; ++i) blocks.push_back(allocator->allocate(1'000, std::to_string(i % 2)));
    testing::together(5, [&](std::size_t thread) {
      if (thread == 4) {
        allocator.reset();
      } else {
        blocks[thread] = MemoryBlock();
      }
    });
  }
}

TEST(AllocatorLifetimeTest, ABlockMayGoOnAnyThread) {
  SharedMemoryAllocator allocator(small());
  std::vector<MemoryBlock> blocks;
  for (int i = 0; i < 400; ++i) blocks.push_back(allocator.allocate(2'000, "a"));
  testing::together(4, [&](std::size_t thread) {
    for (std::size_t i = thread; i < blocks.size(); i += 4) {
      blocks[i] = MemoryBlock();
      blocks[i] = allocator.allocate(3'000, "a");
    }
  });
  EXPECT_EQ(allocator.session_usage("a"), 400U * 3'000U);
}

// All that an allocator can be asked for, at the same time: blocks keep what was written, and the sums are right at the
// end.
TEST(AllocatorLifetimeTest, ThreadsMayAskForAnythingAtAnyTime) {
  for (int round = 0; round < 3; ++round) {
    AllocatorConfig config = small(4 * kMiB);
    config.spare_segments = 1;
    config.cleanup_interval = 1ms;
    config.lease_ttl = 1ms;
    SharedMemoryAllocator allocator(config);
    std::atomic<int> wrong{0};
    testing::together(6, [&](std::size_t thread) {
      std::mt19937 random(static_cast<unsigned>(thread));  // NOLINT: the same each time
      std::vector<MemoryBlock> mine;
      const auto let_one_go = [&] {
        const std::size_t which = random() % mine.size();
        const MemoryBlock& block = mine[which];
        const auto mark = static_cast<std::byte>(block.size() % 251);
        if (block.size() > 0 && (block.data()[0] != mark || block.data()[block.size() - 1] != mark)) ++wrong;
        std::swap(mine[which], mine.back());
        mine.pop_back();
      };
      for (int step = 0; step < 1'500; ++step) {
        const std::string session = std::to_string(random() % 4);
        const auto choice = static_cast<unsigned>(random() % 100);
        if (choice < 55) {
          const std::size_t bytes = random() % (choice < 50 ? 20'000 : 400'000);
          mine.push_back(allocator.allocate(bytes, session));
          std::memset(mine.back().data(), static_cast<int>(bytes % 251), bytes);
        } else if (choice < 94) {
          if (!mine.empty()) let_one_go();
        } else if (choice < 96) {
          allocator.close_session(session);
        } else if (choice < 98) {
          allocator.cleanup_expired();
        } else if (step == 1'400 && thread == 0) {
          allocator.close();
        } else {
          EXPECT_LE(allocator.metrics().bytes_reserved, 4 * kMiB);
          (void)allocator.session_usage(session);
        }
        if (mine.size() > 60) let_one_go();
      }
      while (!mine.empty()) let_one_go();
    });
    EXPECT_EQ(wrong, 0);
    for (const char* const session : {"0", "1", "2", "3"}) EXPECT_EQ(allocator.session_usage(session), 0U);
    allocator.close();
    const AllocatorMetrics metrics = allocator.metrics();
    EXPECT_EQ(metrics.allocations_total, metrics.frees_total);
    EXPECT_EQ(metrics.bytes_allocated, 0U);
    EXPECT_EQ(metrics.bytes_reserved, 0U);
    EXPECT_EQ(metrics.regions_active, 0U);
  }
}

}  // namespace
}  // namespace remotemedia
