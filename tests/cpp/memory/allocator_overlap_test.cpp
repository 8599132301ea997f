// SPDX-License-Identifier: Apache-2.0
//
// Whoever writes to his block writes to nobody else's: each byte of each block carries its block's mark.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "remotemedia/memory/segment.h"
#include "remotemedia/memory/shared_memory_allocator.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

AllocatorConfig small() {
  return {.max_memory_bytes = 24 * kMiB,
          .first_segment_bytes = kMiB / 4,
          .segment_bytes = 2 * kMiB,
          .spare_segments = 0,
          .low_water_bytes = 4 * kMiB};
}

struct Marked {
  MemoryBlock block;
  std::uint64_t mark = 0;

  void write() const {
    std::uint64_t word = mark;
    for (std::size_t at = 0; at < block.size(); at += sizeof word) {
      std::memcpy(block.data() + at, &word, std::min(sizeof word, block.size() - at));
    }
  }
  bool is_whole() const {
    std::uint64_t word = mark;
    for (std::size_t at = 0; at < block.size(); at += sizeof word) {
      if (std::memcmp(block.data() + at, &word, std::min(sizeof word, block.size() - at)) != 0) return false;
    }
    return true;
  }
};

TEST(AllocatorOverlapTest, NoTwoLivingBlocksShareAByte) {
  SharedMemoryAllocator allocator(small());
  testing::together(4, [&](std::size_t thread) {
    std::mt19937 random(static_cast<unsigned>(thread));  // NOLINT: the same each time
    std::vector<Marked> living;
    std::set<const Segment*> seen;
    const auto let_one_go = [&] {
      const std::size_t which = random() % living.size();
      ASSERT_TRUE(living[which].is_whole());
      std::swap(living[which], living.back());
      living.pop_back();
    };
    for (std::uint64_t step = 0; step < 1'500; ++step) {
      if (random() % 100 < 53) {
        const std::size_t bytes = random() % (std::size_t{1} << (2 + random() % 17));
        Marked one{allocator.allocate(bytes, std::to_string(random() % 3)), (step << 8 | thread) * 0x9E3779B97F4A7C15U};
        one.write();
        if (const SharedLocation* const location = one.block.owner()->shared_location()) {
          const Segment& segment = *location->segment;
          ASSERT_NO_THROW(read_segment_header({segment.data(), segment.size()}));
        }
        living.push_back(std::move(one));
      } else if (!living.empty()) {
        let_one_go();
      }
      if (random() % 200 == 0) allocator.cleanup_expired();
      if (::testing::Test::HasFatalFailure()) return;
    }
    while (!living.empty() && !::testing::Test::HasFatalFailure()) let_one_go();
  });
}

TEST(AllocatorOverlapTest, TheAllocatorTouchesNoByteBehindTheHeader) {
  SharedMemoryAllocator allocator(small());
  Marked all{allocator.allocate(kMiB / 4 - kSegmentHeaderBytes), 0x0123456789ABCDEFU};
  all.write();
  const std::byte* const begin = all.block.data();
  const std::size_t bytes = all.block.size();
  all.block = MemoryBlock();
  std::vector<MemoryBlock> pieces;
  for (std::size_t i = 0; i < 200; ++i) {
    pieces.push_back(allocator.allocate(i * 11));
    if (i % 3 == 0) pieces[i / 2] = MemoryBlock();
  }
  pieces.clear();
  const MemoryBlock again = allocator.allocate(bytes);
  ASSERT_EQ(again.data(), begin);
  EXPECT_TRUE((Marked{again, all.mark}.is_whole()));
}

}  // namespace
}  // namespace remotemedia
