// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/memory_block.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using testing::thrown;

struct Kept {
  int released = 0;
  std::thread::id on;

  static void release(void* keep) noexcept {
    auto* const self = static_cast<Kept*>(keep);
    ++self->released;
    self->on = std::this_thread::get_id();
  }
};

TEST(MemoryBlockTest, AnEmptyOneHasNothing) {
  const MemoryBlock block;
  EXPECT_FALSE(block);
  EXPECT_EQ(block.data(), nullptr);
  EXPECT_EQ(block.size(), 0U);
  EXPECT_EQ(block.owner(), nullptr);
  EXPECT_FALSE(block.read_only());
}

TEST(MemoryBlockTest, HeapBlocksAreAlignedWritableAndOfTheSizeAskedFor) {
  for (const std::size_t bytes : {0U, 1U, 255U, 256U, 257U, 1U << 20}) {
    const MemoryBlock block = allocate_heap_block(bytes);
    ASSERT_NE(block.data(), nullptr);
    EXPECT_EQ(block.size(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.data()) % 256, 0U);
    EXPECT_EQ(block.kind(), BlockKind::heap);
    EXPECT_FALSE(block.read_only());
    EXPECT_EQ(block.owner()->shared_location(), nullptr);
    std::memset(block.data(), 0xA5, bytes);
  }
}

TEST(MemoryBlockTest, WhatTheHeapRefusesIsOutOfMemoryEachTime) {
  for (const std::size_t bytes :
       {std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max() / 2}) {
    for (int time = 0; time < 2; ++time) {
      const auto error = thrown<OutOfMemory>([&] { allocate_heap_block(bytes); });
      EXPECT_EQ(error.unit, OutOfMemory::Unit::bytes);
      EXPECT_EQ(error.needed, bytes);
    }
  }
}

TEST(MemoryBlockTest, TheLastHoldReleasesOnce) {
  Kept kept;
  std::vector<std::byte> bytes(10);
  MemoryBlock first = adopt_foreign_block(bytes.data(), bytes.size(), true, &kept, &Kept::release);
  EXPECT_EQ(first.kind(), BlockKind::foreign);
  EXPECT_TRUE(first.read_only());
  EXPECT_EQ(first.data(), bytes.data());

  MemoryBlock second = first;
  EXPECT_EQ(first, second);
  MemoryBlock third = std::move(first);
  EXPECT_EQ(second, third);
  EXPECT_NE(first, third);  // NOLINT(bugprone-use-after-move): a moved-from block is empty
  MemoryBlock& itself = third;
  third = itself;
  second = MemoryBlock();
  EXPECT_EQ(kept.released, 0);
  third = MemoryBlock();
  EXPECT_EQ(kept.released, 1);
}

TEST(MemoryBlockTest, ForeignMemoryNeedsNoRelease) {
  int value = 7;
  const MemoryBlock block = adopt_foreign_block(&value, sizeof value, false, nullptr, nullptr);
  EXPECT_FALSE(block.read_only());
}

TEST(MemoryBlockTest, AHoldTakenThroughTheOwnerCounts) {
  Kept kept;
  MemoryBlock first = adopt_foreign_block(nullptr, 0, false, &kept, &Kept::release);
  MemoryBlock second(*first.owner());
  first = MemoryBlock();
  EXPECT_EQ(kept.released, 0);
  second = MemoryBlock();
  EXPECT_EQ(kept.released, 1);
}

TEST(MemoryBlockTest, ItEndsOnTheThreadThatDropsTheLastHold) {
  Kept kept;
  MemoryBlock block = adopt_foreign_block(nullptr, 0, false, &kept, &Kept::release);
  std::thread other([&] { block = MemoryBlock(); });
  const std::thread::id id = other.get_id();
  other.join();
  EXPECT_EQ(kept.on, id);
}

TEST(MemoryBlockTest, ThreadsThatCopyAndDropReleaseOnce) {
  for (int round = 0; round < 50; ++round) {
    Kept kept;
    MemoryBlock shared = adopt_foreign_block(nullptr, 0, false, &kept, &Kept::release);
    std::vector<MemoryBlock> holds(8, shared);
    shared = MemoryBlock();
    testing::together(8, [&](std::size_t i) {
      for (int time = 0; time < 100; ++time) MemoryBlock another = holds[i];  // NOLINT: copied to be dropped
      holds[i] = MemoryBlock();
    });
    EXPECT_EQ(kept.released, 1);
  }
}

}  // namespace
}  // namespace remotemedia
