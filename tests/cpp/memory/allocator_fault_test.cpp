// SPDX-License-Identifier: Apache-2.0
//
// An allocator whose system calls fail, one after the other: memory of this process, or an error, and then all as
// before.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "testing/held_resources.h"
#include "testing/system_faults.h"

namespace remotemedia {
namespace {

using testing::for_each_fault;
using testing::HeldResources;
using ::testing::IsSupersetOf;

/// Without what the C library keeps for threads.
HeldResources held() {
  HeldResources now = HeldResources::now();
  std::erase_if(now.mappings, [](const std::string& line) { return line.find("---p") != std::string::npos; });
  return now;
}

AllocatorConfig small() {
  return {.max_memory_bytes = std::size_t{1} << 20,
          .first_segment_bytes = std::size_t{64} << 10,
          .segment_bytes = std::size_t{64} << 10,
          .spare_segments = 0};
}

std::uint64_t fallbacks_of(const SharedMemoryAllocator& allocator) {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : allocator.metrics().fallbacks) sum += count;
  return sum;
}

TEST(AllocatorFaultTest, ARefusedCallIsAFallbackAndTheNextBlockIsShared) {
  const HeldResources before = held();
  std::set<std::string> reasons;
  const int faults = for_each_fault(
      [&] {
        SharedMemoryAllocator allocator(small());
        const MemoryBlock first = allocator.allocate(40'000, "a");
        std::memset(first.data(), 0xA5, first.size());
        EXPECT_EQ(allocator.session_usage("a"), 40'000U);
        EXPECT_EQ(fallbacks_of(allocator), first.kind() == BlockKind::heap ? 1U : 0U);
        EXPECT_EQ(allocator.metrics().bytes_reserved, first.kind() == BlockKind::heap ? 0U : 65'536U);

        const MemoryBlock second = allocator.allocate(40'000, "a");
        const MemoryBlock third = allocator.allocate(40'000, "a");
        std::memset(second.data(), 0x5A, second.size());
        std::memset(third.data(), 0x5A, third.size());
        EXPECT_EQ(static_cast<unsigned char>(first.data()[39'999]), 0xA5);
        std::uint64_t heap = 0;
        for (const MemoryBlock* block : {&first, &second, &third}) heap += block->kind() == BlockKind::heap ? 1 : 0;
        EXPECT_EQ(fallbacks_of(allocator), heap) << "each has its reason";
        EXPECT_LE(heap, 1U) << "one fault, one fallback";
        for (const auto& [reason, count] : allocator.metrics().fallbacks) reasons.insert(reason);
      },
      [&] { EXPECT_EQ(held(), before); });
  EXPECT_GT(faults, 10);
  EXPECT_THAT(reasons, IsSupersetOf({"memfd_create", "mmap", "ftruncate", "fcntl"}));
}

TEST(AllocatorFaultTest, WithoutFallbackItIsAnErrorThatLeavesNothing) {
  const HeldResources before = held();
  int refused = 0;
  for_each_fault(
      [&] {
        AllocatorConfig config = small();
        config.heap_fallback = false;
        SharedMemoryAllocator allocator(config);
        try {
          (void)allocator.allocate(40'000, "a");
        } catch (const OutOfMemory& error) {
          ++refused;
          EXPECT_EQ(error.needed, 40'000U);
          EXPECT_EQ(allocator.session_usage("a"), 0U);
          EXPECT_EQ(allocator.metrics().bytes_reserved, 0U);
        }
        EXPECT_EQ(allocator.allocate(40'000, "a").kind(), BlockKind::shared_memory);
      },
      [&] { EXPECT_EQ(held(), before); });
  EXPECT_GT(refused, 5);
}

TEST(AllocatorFaultTest, TheDefaultBudgetNeedsNoCallToSucceed) {
  for_each_fault(
      [] {
        AllocatorConfig config = small();
        config.max_memory_bytes.reset();
        SharedMemoryAllocator allocator(config);
        EXPECT_EQ(allocator.allocate(10).size(), 10U);
      },
      [] {});
}

}  // namespace
}  // namespace remotemedia
