// SPDX-License-Identifier: Apache-2.0
//
// What every caller sees: blocks, sessions, quotas, refusals.

#include "remotemedia/memory/shared_memory_allocator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/segment.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using testing::code_thrown;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::thrown;

constexpr std::size_t kMiB = std::size_t{1} << 20;

AllocatorConfig small(std::size_t segments = 64) {
  return {.max_memory_bytes = segments * kMiB,
          .first_segment_bytes = kMiB,
          .segment_bytes = kMiB,
          .spare_segments = 0,
          .low_water_bytes = 0};
}

AllocatorConfig with_quota(std::size_t bytes) {
  AllocatorConfig config = small();
  config.per_session_quota_bytes = bytes;
  return config;
}

const Segment* segment_of(const MemoryBlock& block) { return block.owner()->shared_location()->segment; }

TEST(SharedMemoryAllocatorTest, BlocksAreSharedMemoryAlignedAndOfTheSizeAskedFor) {
  SharedMemoryAllocator allocator(small());
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{255}, std::size_t{256}, std::size_t{257},
                                  std::size_t{5000}, kMiB, 3 * kMiB + 17}) {
    const MemoryBlock block = allocator.allocate(bytes, "a");
    EXPECT_EQ(block.kind(), BlockKind::shared_memory);
    EXPECT_EQ(block.size(), bytes);
    EXPECT_FALSE(block.read_only());
    ASSERT_NE(block.data(), nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.data()) % 256, 0U);
    std::memset(block.data(), 0xA5, bytes);

    const SharedLocation& location = *block.owner()->shared_location();
    EXPECT_EQ(location.offset % 256, 0U);
    EXPECT_GE(location.offset, kSegmentHeaderBytes);
    EXPECT_LE(location.offset + bytes, location.segment->size());
    EXPECT_EQ(location.segment->data() + location.offset, block.data());
    EXPECT_NE(location.allocator, nullptr);
    EXPECT_NE(location.clock, nullptr);
    EXPECT_TRUE(allocator.owns(block));
  }
}

TEST(SharedMemoryAllocatorTest, ASegmentSaysWhatItIs) {
  SharedMemoryAllocator allocator(small());
  const MemoryBlock block = allocator.allocate(10);
  const Segment& segment = *segment_of(block);
  const SegmentHeader header = read_segment_header({segment.data(), segment.size()});
  EXPECT_EQ(header.uuid, segment.header().uuid);
  EXPECT_EQ(header.segment_bytes, segment.size());
  EXPECT_EQ(code_thrown([&] { segment.memory().handle_for(platform::Access::read_write); }),
            ErrorCode::invalid_argument)
      << "nobody else may become a writer";
}

TEST(SharedMemoryAllocatorTest, OwnsItsBlocksOnly) {
  SharedMemoryAllocator allocator(small());
  SharedMemoryAllocator other(small(0));
  const MemoryBlock ours = allocator.allocate(10);
  const MemoryBlock fallback = other.allocate(10);
  EXPECT_TRUE(allocator.owns(ours));
  EXPECT_FALSE(other.owns(ours));
  EXPECT_TRUE(other.owns(fallback)) << "heap fallbacks too";
  EXPECT_FALSE(allocator.owns(fallback));
  EXPECT_FALSE(allocator.owns(MemoryBlock()));
  EXPECT_FALSE(allocator.owns(allocate_heap_block(10)));
}

TEST(SharedMemoryAllocatorTest, ASegmentIsOneSessionsAndNeverAnothers) {
  SharedMemoryAllocator allocator(small());
  std::set<Uuid> seen;
  for (int round = 0; round < 3; ++round) {
    for (const std::string name : {"a", "b", ""}) {
      const MemoryBlock first = allocator.allocate(1000, name);
      const MemoryBlock second = allocator.allocate(1000, name);
      EXPECT_EQ(segment_of(first), segment_of(second));
      EXPECT_TRUE(seen.insert(segment_of(first)->header().uuid).second) << "shown before";
    }
    for (const std::string name : {"a", "b", ""}) EXPECT_EQ(allocator.close_session(name), 0U);
    EXPECT_EQ(allocator.metrics().regions_active, 0U);
    EXPECT_EQ(allocator.metrics().bytes_reserved, 0U);
  }
}

TEST(SharedMemoryAllocatorTest, AClosedSessionsMemoryComesBackWithItsLastBlock) {
  SharedMemoryAllocator allocator(small());
  MemoryBlock first = allocator.allocate(1000, "a");
  MemoryBlock second = allocator.allocate(1000, "a");
  EXPECT_EQ(allocator.close_session("a"), 2U);
  EXPECT_EQ(allocator.close_session("a"), 0U) << "the name means nothing now";
  EXPECT_EQ(allocator.session_usage("a"), 0U);

  const MemoryBlock anew = allocator.allocate(1000, "a");
  EXPECT_NE(segment_of(anew), segment_of(first)) << "in other segments";
  EXPECT_NE(anew.owner()->shared_location()->session, first.owner()->shared_location()->session);
  EXPECT_EQ(allocator.session_usage("a"), 1000U);

  std::memset(first.data(), 1, first.size());
  first = MemoryBlock();
  EXPECT_EQ(allocator.metrics().regions_active, 2U);
  second = MemoryBlock();
  EXPECT_EQ(allocator.metrics().regions_active, 1U);
  EXPECT_EQ(allocator.metrics().bytes_reserved, kMiB);
}

TEST(SharedMemoryAllocatorTest, MetricsCount) {
  SharedMemoryAllocator allocator(small(1));
  EXPECT_EQ(allocator.metrics().regions_active, 0U);
  MemoryBlock block = allocator.allocate(1000);
  MemoryBlock fallback = allocator.allocate(2 * kMiB);
  EXPECT_EQ(fallback.kind(), BlockKind::heap);
  AllocatorMetrics metrics = allocator.metrics();
  EXPECT_EQ(metrics.regions_active, 1U);
  EXPECT_EQ(metrics.bytes_reserved, kMiB);
  EXPECT_EQ(metrics.bytes_allocated, 1000U);
  EXPECT_EQ(metrics.allocations_total, 2U);
  EXPECT_EQ(metrics.frees_total, 0U);
  EXPECT_THAT(metrics.fallbacks, ElementsAre(Pair("budget", 1)));
  block = MemoryBlock();
  fallback = MemoryBlock();
  metrics = allocator.metrics();
  EXPECT_EQ(metrics.bytes_allocated, 0U);
  EXPECT_EQ(metrics.frees_total, 2U);
  EXPECT_EQ(metrics.regions_active, 1U) << "an empty segment waits for the next block";
}

TEST(SharedMemoryAllocatorTest, UsageIsWhatWasAskedForHeapIncluded) {
  SharedMemoryAllocator allocator(small(1));
  EXPECT_EQ(allocator.session_usage("a"), 0U);
  MemoryBlock small_one = allocator.allocate(3, "a");
  const MemoryBlock fallback = allocator.allocate(2 * kMiB, "a");
  EXPECT_EQ(fallback.kind(), BlockKind::heap);
  EXPECT_EQ(allocator.session_usage("a"), 3 + 2 * kMiB);
  EXPECT_EQ(allocator.session_usage("b"), 0U);
  MemoryBlock copy = small_one;
  small_one = MemoryBlock();
  EXPECT_EQ(allocator.session_usage("a"), 3 + 2 * kMiB) << "a copy is no second block, and keeps the first";
  copy = MemoryBlock();
  EXPECT_EQ(allocator.session_usage("a"), 2 * kMiB);
}

TEST(SharedMemoryAllocatorTest, OverQuotaIsAnErrorThatSaysAll) {
  SharedMemoryAllocator allocator(with_quota(10'000));
  MemoryBlock block = allocator.allocate(6'000, "camera");
  for (int time = 0; time < 2; ++time) {
    const Error error = thrown([&] { (void)allocator.allocate(4'001, "camera"); });
    EXPECT_EQ(error.code(), ErrorCode::quota_exceeded);
    EXPECT_THAT(error.what(), HasSubstr("'camera' has 6000 bytes in use of a quota of 10000 and asks for 4001 more"));
  }
  EXPECT_EQ(allocator.session_usage("camera"), 6'000U) << "what was refused is not charged";
  EXPECT_EQ(allocator.allocate(4'000, "camera").size(), 4'000U);
  EXPECT_EQ(allocator.allocate(10'000, "other").size(), 10'000U);
  EXPECT_EQ(code_thrown([&] { (void)allocator.allocate(std::numeric_limits<std::size_t>::max(), "camera"); }),
            ErrorCode::quota_exceeded);
  block = MemoryBlock();
  EXPECT_EQ(allocator.allocate(10'000, "camera").size(), 10'000U);
}

TEST(SharedMemoryAllocatorTest, HeapFallbacksCountToTheQuota) {
  AllocatorConfig config = with_quota(3 * kMiB);
  config.max_memory_bytes = 0;
  SharedMemoryAllocator allocator(config);
  const MemoryBlock block = allocator.allocate(2 * kMiB, "a");
  EXPECT_EQ(block.kind(), BlockKind::heap);
  EXPECT_EQ(code_thrown([&] { (void)allocator.allocate(2 * kMiB, "a"); }), ErrorCode::quota_exceeded);
}

// Each thread counts its block before it lets go of it: if two were ever granted too much, the sum shows it.
TEST(SharedMemoryAllocatorTest, SixteenThreadsNeverExceedAQuota) {
  constexpr std::size_t kQuota = 100'000;
  constexpr std::size_t kThreads = 16;
  SharedMemoryAllocator allocator(with_quota(kQuota));
  std::atomic<std::size_t> held{0};
  std::atomic<std::size_t> most{0};
  std::atomic<int> granted{0};
  std::atomic<int> refused{0};
  testing::together(kThreads, [&](std::size_t thread) {
    for (std::size_t round = 0; round < 300; ++round) {
      const std::size_t bytes = 5'000 + (thread * 7919 + round * 104'729) % 30'000;
      try {
        MemoryBlock block = allocator.allocate(bytes, "a");
        const std::size_t now = held += bytes;
        std::size_t before = most;
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        EXPECT_LE(allocator.session_usage("a"), kQuota);
        ++granted;
        held -= bytes;
        block = MemoryBlock();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::quota_exceeded);
        ++refused;
      }
    }
  });
  EXPECT_LE(most, kQuota);
  EXPECT_GT(granted, 0);
  EXPECT_EQ(allocator.session_usage("a"), 0U);
  EXPECT_EQ(allocator.allocate(kQuota, "a").size(), kQuota) << "nothing of it was lost";
}

// A session that is new to all: while one thread makes its segment, the others' bytes count already.
TEST(SharedMemoryAllocatorTest, ReservationsCountWhileASegmentIsMade) {
  for (int round = 0; round < 20; ++round) {
    SharedMemoryAllocator allocator(with_quota(10'000));
    std::atomic<int> granted{0};
    std::vector<MemoryBlock> blocks(16);
    testing::together(16, [&](std::size_t thread) {
      try {
        blocks[thread] = allocator.allocate(3'000, "a");
        ++granted;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::quota_exceeded);
      }
      EXPECT_LE(allocator.session_usage("a"), 10'000U);
    });
    EXPECT_EQ(granted, 3);
    EXPECT_EQ(allocator.metrics().regions_active, 1U) << "the others waited for the one that was being made";
  }
}

TEST(SharedMemoryAllocatorTest, WithoutFallbackRefusalIsAnErrorThatNamesTheHolders) {
  AllocatorConfig config = small(2);
  config.heap_fallback = false;
  SharedMemoryAllocator allocator(config);
  const MemoryBlock much = allocator.allocate(900'000, "much");
  const MemoryBlock little = allocator.allocate(1'000, "little");
  for (int time = 0; time < 2; ++time) {
    const auto error = thrown<OutOfMemory>([&] { (void)allocator.allocate(kMiB, "new"); });
    EXPECT_EQ(error.unit, OutOfMemory::Unit::bytes);
    EXPECT_EQ(error.needed, kMiB);
    EXPECT_EQ(error.available, 0U);
    EXPECT_THAT(error.holders, ElementsAre("much", "little"));
    EXPECT_THAT(error.what(), HasSubstr("(budget)"));
  }
  EXPECT_EQ(allocator.session_usage("new"), 0U);
  EXPECT_TRUE(allocator.metrics().fallbacks.empty());
}

TEST(SharedMemoryAllocatorTest, WhatNobodyHasIsOutOfMemoryEachTime) {
  SharedMemoryAllocator allocator(small());
  for (const std::size_t bytes :
       {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 2}) {
    for (int time = 0; time < 2; ++time) {
      EXPECT_EQ(code_thrown([&] { (void)allocator.allocate(bytes, "a"); }), ErrorCode::out_of_memory);
    }
  }
  EXPECT_EQ(allocator.session_usage("a"), 0U);
  EXPECT_EQ(allocator.allocate(10, "a").kind(), BlockKind::shared_memory);
}

TEST(SharedMemoryAllocatorTest, LimitsThatMakeNoSenseAreRefused) {
  const auto code_of = [](void (*change)(AllocatorConfig&)) {
    AllocatorConfig config = small();
    change(config);
    return code_thrown([&] { SharedMemoryAllocator allocator(config); });
  };
  EXPECT_EQ(code_of([](AllocatorConfig& config) { config.first_segment_bytes = 8191; }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([](AllocatorConfig& config) { config.segment_bytes = 0; }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([](AllocatorConfig& config) { config.segment_bytes = ~std::size_t{0}; }),
            ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([](AllocatorConfig& config) { config.cleanup_interval = Duration{0}; }),
            ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([](AllocatorConfig& config) { config.lease_ttl = Duration{-1}; }), ErrorCode::invalid_argument);
}

TEST(SharedMemoryAllocatorTest, OneIsSharedByTheProcess) {
  SharedMemoryAllocator& allocator = SharedMemoryAllocator::process();
  EXPECT_EQ(&allocator, &SharedMemoryAllocator::process());
  EXPECT_EQ(allocator.metrics().regions_active, 0U) << "nothing is made before it is needed";
}

}  // namespace
}  // namespace remotemedia
