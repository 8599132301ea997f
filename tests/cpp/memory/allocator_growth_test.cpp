// SPDX-License-Identifier: Apache-2.0
//
// Where an allocator's segments come from, and when they go: sizes, budget, spare ones, low water, cleanup.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/segment.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "testing/counting_clock.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::code_thrown;
using testing::CountingClock;
using ::testing::ElementsAre;
using ::testing::Pair;

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kFirst = kMiB / 2;

AllocatorConfig small(std::size_t budget = 64 * kMiB) {
  return {.max_memory_bytes = budget,
          .first_segment_bytes = kFirst,
          .segment_bytes = 4 * kMiB,
          .spare_segments = 0,
          .low_water_bytes = 0};
}

const Segment* segment_of(const MemoryBlock& block) { return block.owner()->shared_location()->segment; }

/// Returns once the allocator has that many segments; its own thread makes and drops them.
void wait_for_regions(const SharedMemoryAllocator& allocator, std::size_t regions) {
  while (allocator.metrics().regions_active != regions) std::this_thread::yield();
}

/// Whatever the allocator's thread takes the time for now, another 10 s pass after it.
void advance_until_regions(CountingClock& clock, const SharedMemoryAllocator& allocator, std::size_t regions) {
  while (allocator.metrics().regions_active != regions) {
    clock.advance(10s);
    std::this_thread::sleep_for(1ms);
  }
}

TEST(AllocatorGrowthTest, ASessionsFirstSegmentIsSmallLaterOnesAreLarge) {
  SharedMemoryAllocator allocator(small());
  std::vector<MemoryBlock> blocks;
  while (allocator.metrics().regions_active < 3) blocks.push_back(allocator.allocate(100'000, "a"));
  EXPECT_EQ(segment_of(blocks.front())->size(), kFirst);
  EXPECT_EQ(segment_of(blocks.back())->size(), 4 * kMiB);
  EXPECT_EQ(allocator.metrics().bytes_reserved, kFirst + 8 * kMiB);
}

TEST(AllocatorGrowthTest, ALargeBlockGetsASegmentOfItsOwnSize) {
  SharedMemoryAllocator allocator(small());
  const MemoryBlock small_one = allocator.allocate(1'000, "a");
  const MemoryBlock half = allocator.allocate(2 * kMiB - 4096, "a");
  EXPECT_EQ(segment_of(half)->size(), 4 * kMiB) << "half of a segment is not large";
  const MemoryBlock large = allocator.allocate(9 * kMiB, "a");
  EXPECT_EQ(segment_of(large)->size(), 10 * kMiB) << "rounded up to huge pages, the header included";
  const MemoryBlock first = allocator.allocate(9 * kMiB, "b");
  EXPECT_EQ(segment_of(first)->size(), 10 * kMiB);
  EXPECT_EQ(segment_of(allocator.allocate(1'000, "b")), segment_of(first)) << "what is left over is used";
}

TEST(AllocatorGrowthTest, SegmentsMayGrowWithTheirSession) {
  AllocatorConfig config = small();
  config.segments_grow = true;
  config.segment_bytes = 16 * kMiB;
  SharedMemoryAllocator allocator(config);
  std::vector<MemoryBlock> blocks;
  std::vector<std::size_t> sizes;
  while (sizes.size() < 5) {
    blocks.push_back(allocator.allocate(400'000, "a"));
    const std::size_t size = segment_of(blocks.back())->size();
    if (sizes.empty() || segment_of(blocks.back()) != segment_of(blocks[blocks.size() - 2])) sizes.push_back(size);
  }
  EXPECT_THAT(sizes, ElementsAre(kFirst, 2 * kMiB, 4 * kMiB, 8 * kMiB, 16 * kMiB));
  EXPECT_EQ(segment_of(allocator.allocate(3 * kMiB, "a"))->size(), 16 * kMiB);

  const MemoryBlock first = allocator.allocate(kMiB, "b");
  EXPECT_EQ(segment_of(allocator.allocate(kMiB, "b"))->size(), 6 * kMiB) << "four, with their headers";
}

TEST(AllocatorGrowthTest, ALargeSegmentIsUsedAgain) {
  SharedMemoryAllocator allocator(small());
  for (int round = 0; round < 5; ++round) EXPECT_EQ(allocator.allocate(9 * kMiB, "a").kind(), BlockKind::shared_memory);
  EXPECT_EQ(allocator.metrics().regions_active, 1U);
}

TEST(AllocatorGrowthTest, TheLastSegmentIsWhatTheBudgetLeaves) {
  SharedMemoryAllocator allocator(small(kFirst + kMiB));
  const MemoryBlock first = allocator.allocate(500'000, "a");
  const MemoryBlock second = allocator.allocate(1'000'000, "a");
  EXPECT_EQ(second.kind(), BlockKind::shared_memory);
  EXPECT_EQ(segment_of(second)->size(), kMiB);
  EXPECT_EQ(allocator.allocate(100'000, "a").kind(), BlockKind::heap);
  EXPECT_THAT(allocator.metrics().fallbacks, ElementsAre(Pair("budget", 1)));
  EXPECT_EQ(allocator.metrics().bytes_reserved, kFirst + kMiB);
}

TEST(AllocatorGrowthTest, UnderPressureEmptySegmentsOfOtherSessionsGo) {
  SharedMemoryAllocator allocator(small(8 * kMiB));
  const MemoryBlock stays = allocator.allocate(10, "stays");
  (void)allocator.allocate(6 * kMiB - 4096, "was here");
  EXPECT_EQ(allocator.metrics().bytes_reserved, kFirst + 6 * kMiB);
  const MemoryBlock block = allocator.allocate(6 * kMiB - 4096, "comes");
  EXPECT_EQ(block.kind(), BlockKind::shared_memory);
  EXPECT_EQ(allocator.metrics().bytes_reserved, kFirst + 6 * kMiB);
  EXPECT_EQ(allocator.allocate(6 * kMiB, "too late").kind(), BlockKind::heap);
}

TEST(AllocatorGrowthTest, TheBudgetHoldsWhileManyThreadsGrow) {
  constexpr std::size_t kBudget = 12 * kMiB;
  SharedMemoryAllocator allocator(small(kBudget));
  std::atomic<int> shared{0};
  for (int round = 0; round < 5; ++round) {
    std::vector<MemoryBlock> blocks(16);
    testing::together(16, [&](std::size_t thread) {
      blocks[thread] = allocator.allocate((thread % 2 == 0 ? 3 : 1) * kMiB, std::to_string(thread % 5));
      EXPECT_LE(allocator.metrics().bytes_reserved, kBudget);
      if (blocks[thread].kind() == BlockKind::shared_memory) ++shared;
    });
  }
  EXPECT_GT(shared, 0);
  EXPECT_LE(allocator.metrics().bytes_reserved, kBudget);
}

TEST(AllocatorGrowthTest, WithoutABudgetOfItsOwnItTakesWhatTheMachineHas) {
  SharedMemoryAllocator allocator({.spare_segments = 0});
  EXPECT_EQ(allocator.allocate(10).kind(), BlockKind::shared_memory);
}

TEST(AllocatorGrowthTest, ASpareSegmentIsReadyForTheNextSession) {
  AllocatorConfig config = small();
  config.spare_segments = 1;
  SharedMemoryAllocator allocator(config);
  EXPECT_EQ(allocator.metrics().regions_active, 0U) << "nothing is made before it is needed";
  const MemoryBlock first = allocator.allocate(10, "a");
  wait_for_regions(allocator, 2);
  EXPECT_EQ(allocator.metrics().bytes_reserved, 2 * kFirst);
  const MemoryBlock second = allocator.allocate(10, "b");
  EXPECT_EQ(segment_of(second)->size(), kFirst);
  wait_for_regions(allocator, 3);

  const MemoryBlock later = allocator.allocate(kMiB, "a");
  EXPECT_EQ(segment_of(later)->size(), 4 * kMiB);
  wait_for_regions(allocator, 5);
  EXPECT_EQ(allocator.metrics().bytes_reserved, 3 * kFirst + 8 * kMiB) << "one spare of either size";
}

TEST(AllocatorGrowthTest, SparesGiveWayToWhoAsks) {
  AllocatorConfig config = small(2 * kMiB);
  config.spare_segments = 1;
  SharedMemoryAllocator allocator(config);
  const MemoryBlock first = allocator.allocate(10, "a");
  wait_for_regions(allocator, 2);
  const MemoryBlock large = allocator.allocate(kMiB + kMiB / 2 - 4096, "b");
  EXPECT_EQ(large.kind(), BlockKind::shared_memory);
  EXPECT_EQ(allocator.metrics().bytes_reserved, 2 * kMiB);
}

TEST(AllocatorGrowthTest, CleanupReturnsEmptySegmentsDownToTheLowWaterMark) {
  AllocatorConfig config = small();
  config.low_water_bytes = 5 * kMiB;
  SharedMemoryAllocator allocator(config);
  MemoryBlock kept = allocator.allocate(10, "a");
  for (const char* const name : {"b", "c", "d"}) (void)allocator.allocate(2 * kMiB - 4096, name);
  EXPECT_EQ(allocator.metrics().bytes_reserved, kFirst + 6 * kMiB);
  EXPECT_EQ(allocator.cleanup_expired(), 0U);
  EXPECT_EQ(allocator.metrics().bytes_reserved, kFirst + 4 * kMiB);
  EXPECT_EQ(allocator.cleanup_expired(), 0U) << "twice is once";
  EXPECT_EQ(allocator.metrics().bytes_reserved, kFirst + 4 * kMiB);
}

TEST(AllocatorGrowthTest, WhatIsInUseStaysBelowTheLowWaterMarkToo) {
  SharedMemoryAllocator allocator(small());
  const MemoryBlock first = allocator.allocate(10, "a");
  MemoryBlock second = allocator.allocate(10, "b");
  allocator.cleanup_expired();
  EXPECT_EQ(allocator.metrics().regions_active, 2U);
  second = MemoryBlock();
  allocator.cleanup_expired();
  EXPECT_EQ(allocator.metrics().regions_active, 1U);
  EXPECT_EQ(allocator.allocate(10, "b").kind(), BlockKind::shared_memory);
}

TEST(AllocatorGrowthTest, ItsThreadCleansUpAtTheExactInterval) {
  CountingClock clock(CountingClock::Sleepers::look_again);
  AllocatorConfig config = small();
  config.cleanup_interval = 10s;
  config.clock = &clock;
  SharedMemoryAllocator allocator(config);
  (void)allocator.allocate(10, "a");
  clock.wait_for_sleeps_with_end(1);
  clock.advance(10s - 1ns);
  clock.wait_for_sleeps_with_end(clock.sleeps_with_end() + 2);  // it has looked at the clock and sleeps on
  EXPECT_EQ(allocator.metrics().regions_active, 1U);
  clock.advance(1ns);
  wait_for_regions(allocator, 0);
  clock.wait_for_sleeps_with_end(clock.sleeps_with_end() + 1);
  (void)allocator.allocate(10, "a");
  advance_until_regions(clock, allocator, 0);
}

TEST(AllocatorGrowthTest, ExportsEndAtTheirExactTimeToLive) {
  ManualClock clock;
  AllocatorConfig config = small();
  config.lease_ttl = 5s;
  config.cleanup_interval = 24h;
  config.clock = &clock;
  SharedMemoryAllocator allocator(config);
  const MemoryBlock block = allocator.allocate(10, "a");
  const Export first = share(block);
  clock.advance(1ns);
  const Export second = share(block);
  clock.advance(5s - 2ns);
  EXPECT_EQ(allocator.cleanup_expired(), 0U);
  clock.advance(1ns);
  EXPECT_EQ(allocator.cleanup_expired(), 1U);
  EXPECT_EQ(allocator.cleanup_expired(), 0U);
  clock.advance(1ns);
  EXPECT_EQ(allocator.cleanup_expired(), 1U);

  const Export third = share(block);
  clock.advance(1s);
  EXPECT_EQ(allocator.cleanup_expired(1s + 1ns), 0U) << "a time to live may be given, too";
  EXPECT_EQ(allocator.cleanup_expired(1s), 1U);
  EXPECT_EQ(code_thrown([&] { allocator.cleanup_expired(-1ns); }), ErrorCode::invalid_argument);
  EXPECT_EQ(block.owner()->shared_location()->lease_ttl, Duration{5s});
}

TEST(AllocatorGrowthTest, WithoutATimeToLiveExportsStay) {
  ManualClock clock;
  AllocatorConfig config = small();
  config.clock = &clock;
  SharedMemoryAllocator allocator(config);
  const MemoryBlock block = allocator.allocate(10, "a");
  const Export one = share(block);
  clock.advance(1000h);
  EXPECT_EQ(allocator.cleanup_expired(), 0U);
  EXPECT_EQ(allocator.cleanup_expired(0s), 1U);
}

TEST(AllocatorGrowthTest, ItsThreadEndsExpiredExports) {
  CountingClock clock(CountingClock::Sleepers::look_again);
  AllocatorConfig config = small();
  config.lease_ttl = 5s;
  config.cleanup_interval = 10s;
  config.clock = &clock;
  SharedMemoryAllocator allocator(config);
  MemoryBlock block = allocator.allocate(10, "a");
  Export one = share(block);
  block = MemoryBlock();
  one = Export();  // the lease keeps it
  EXPECT_EQ(allocator.session_usage("a"), 10U);
  clock.wait_for_sleeps_with_end(1);
  advance_until_regions(clock, allocator, 0);
  EXPECT_EQ(allocator.session_usage("a"), 0U);
}

TEST(AllocatorGrowthTest, ClosingASessionEndsItsExports) {
  SharedMemoryAllocator allocator(small());
  MemoryBlock block = allocator.allocate(10, "a");
  const MemoryBlock other = allocator.allocate(10, "b");
  const Export one = share(block);
  const Export two = share(other);
  block = MemoryBlock();
  EXPECT_EQ(allocator.session_usage("a"), 10U) << "exports keep their blocks";
  EXPECT_EQ(allocator.close_session("a"), 0U);
  EXPECT_EQ(allocator.metrics().bytes_allocated, 10U);
  EXPECT_EQ(allocator.cleanup_expired(0s), 1U) << "the other session's is there";
}

TEST(AllocatorGrowthTest, ASessionWithoutBlocksAndSegmentsIsForgotten) {
  SharedMemoryAllocator allocator(small());
  const std::uint64_t before = allocator.allocate(10, "a").owner()->shared_location()->session;
  allocator.cleanup_expired();
  EXPECT_GT(allocator.allocate(10, "a").owner()->shared_location()->session, before);
}

}  // namespace
}  // namespace remotemedia
