// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/range_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <random>
#include <vector>

namespace remotemedia::detail {
namespace {

constexpr std::size_t kGranule = RangeAllocator::kGranule;

/// The same book kept slowly: who has each granule of each space.
class SlowBook {
 public:
  /// The first 16 granules are nobody's.
  void add(std::size_t space, std::size_t granules) {
    owners_[space].assign(granules + 16, nullptr);
    std::fill_n(owners_[space].begin(), 16, &nobody_);
  }
  void remove(std::size_t space) { owners_.erase(space); }

  void take(const Range* range) {
    auto& owners = owners_.at(space_of(range));
    ASSERT_EQ(range->offset % kGranule, 0U);
    ASSERT_EQ(range->bytes % kGranule, 0U);
    ASSERT_LE((range->offset + range->bytes) / kGranule, owners.size());
    for (std::size_t i = 0; i < range->bytes / kGranule; ++i) {
      const Range*& owner = owners[range->offset / kGranule + i];
      ASSERT_EQ(owner, nullptr) << "two ranges share bytes";
      owner = range;
    }
  }

  void give_back(const Range* range) {
    std::ranges::replace(owners_.at(space_of(range)), range, static_cast<const Range*>(nullptr));
  }

  /// In granules.
  std::size_t largest_free() const {
    std::size_t largest = 0;
    for (const auto& [space, owners] : owners_) {
      std::size_t run = 0;
      for (const Range* owner : owners) {
        run = owner == nullptr ? run + 1 : 0;
        largest = std::max(largest, run);
      }
    }
    return largest;
  }

  static std::size_t space_of(const Range* range) { return reinterpret_cast<std::size_t>(range->space); }

 private:
  Range nobody_;
  std::map<std::size_t, std::vector<const Range*>> owners_;
};

void* space(std::size_t number) { return reinterpret_cast<void*>(number); }  // NOLINT: a name, never looked at

TEST(RangeAllocatorTest, WithoutSpaceThereIsNothing) {
  RangeAllocator ranges;
  EXPECT_EQ(ranges.take(1), nullptr);
  EXPECT_EQ(ranges.take(RangeAllocator::kMostBytes, RangeAllocator::Search::thorough), nullptr);
}

TEST(RangeAllocatorTest, WhatIsGivenBackIsWholeAgain) {
  RangeAllocator ranges;
  Range* const first = ranges.add_space(space(1), 4096, 1 << 20);
  EXPECT_TRUE(ranges.is_empty(first));
  std::vector<Range*> taken;
  while (Range* range = ranges.take(3 * kGranule)) taken.push_back(range);
  EXPECT_EQ(taken.size(), (std::size_t{1} << 20) / (3 * kGranule));
  EXPECT_EQ(taken.front()->offset, 4096U);
  EXPECT_FALSE(ranges.is_empty(first));
  std::ranges::shuffle(taken, std::mt19937(1));  // NOLINT: the same each time
  for (Range* range : taken) ranges.give_back(range);
  EXPECT_TRUE(ranges.is_empty(first));
  Range* const all = ranges.take(1 << 20);
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(all->offset, 4096U);
  EXPECT_EQ(ranges.take(1), nullptr);
}

TEST(RangeAllocatorTest, ARangeIsLessThanAGranuleLargerThanAskedFor) {
  RangeAllocator ranges;
  ranges.add_space(space(1), 0, 1 << 20);
  for (const std::size_t bytes : {1U, 255U, 256U, 257U, 1000U, 5000U, 70'000U}) {
    Range* const range = ranges.take(bytes);
    ASSERT_NE(range, nullptr);
    EXPECT_GE(range->bytes, bytes);
    EXPECT_LT(range->bytes, bytes + kGranule);
  }
}

TEST(RangeAllocatorTest, WhatFitsExactlyIsFound) {
  for (std::size_t granules = 1; granules < 3000; granules += granules / 7 + 1) {
    RangeAllocator ranges;
    ranges.add_space(space(1), 4096, granules * kGranule);
    EXPECT_EQ(ranges.take(granules * kGranule + 1, RangeAllocator::Search::thorough), nullptr);
    EXPECT_NE(ranges.take(granules * kGranule), nullptr) << granules;
  }
}

TEST(RangeAllocatorTest, AThoroughSearchFindsWhatStandsBehindManySmallerOnes) {
  RangeAllocator ranges;
  constexpr std::size_t kSize = 1024 * kGranule;  // one class: 1024 to 1087 granules
  ranges.add_space(space(1), 0, kSize + 10 * kGranule);
  for (std::size_t i = 2; i < 20; ++i) ranges.add_space(space(i), 0, kSize);
  EXPECT_EQ(ranges.take(kSize + 10 * kGranule), nullptr) << "a quick one looks at some only";
  Range* const range = ranges.take(kSize + 10 * kGranule, RangeAllocator::Search::thorough);
  ASSERT_NE(range, nullptr);
  EXPECT_EQ(range->space, space(1));
}

TEST(RangeAllocatorTest, TheLargestSpacesHaveALine) {
  RangeAllocator ranges;
  ranges.add_space(space(1), 0, RangeAllocator::kMostBytes);
  Range* const one = ranges.take(RangeAllocator::kMostBytes / 2 + 1);
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(ranges.take(RangeAllocator::kMostBytes / 2), nullptr);
  ranges.give_back(one);
  EXPECT_NE(ranges.take(RangeAllocator::kMostBytes), nullptr);
}

TEST(RangeAllocatorTest, ARemovedSpaceIsNeverHandedOut) {
  RangeAllocator ranges;
  Range* const first = ranges.add_space(space(1), 0, 1 << 20);
  ranges.give_back(ranges.take(1000));
  ranges.remove_space(first);
  EXPECT_EQ(ranges.take(1, RangeAllocator::Search::thorough), nullptr);
  ranges.add_space(space(2), 0, 4096);
  EXPECT_EQ(ranges.take(1)->space, space(2));
}

// Random work of all sizes, against the slow book: nothing overlaps, nothing is lost, and what exists is found.
TEST(RangeAllocatorTest, ItAgreesWithASlowBook) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    std::mt19937 random(seed);  // NOLINT: the same each time
    const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
    RangeAllocator ranges;
    SlowBook book;
    std::map<std::size_t, Range*> spaces;
    std::vector<Range*> taken;
    std::size_t next_space = 1;
    const std::size_t largest = std::size_t{1} << (2 + below(11));
    for (int step = 0; step < 4000; ++step) {
      const std::size_t choice = below(100);
      if (spaces.empty() || choice < 2) {
        const std::size_t granules = 16 + below(4096);
        book.add(next_space, granules);
        spaces[next_space] = ranges.add_space(space(next_space), 16 * kGranule, granules * kGranule);
        ++next_space;
      } else if (choice < 55) {
        const std::size_t granules = 1 + below(largest);
        Range* const range = ranges.take(granules * kGranule - below(kGranule), RangeAllocator::Search::thorough);
        ASSERT_EQ(range != nullptr, granules <= book.largest_free()) << "seed " << seed << ", step " << step;
        if (range == nullptr) continue;
        book.take(range);
        taken.push_back(range);
      } else if (!taken.empty() && choice < 97) {
        const std::size_t which = below(taken.size());
        book.give_back(taken[which]);
        ranges.give_back(taken[which]);
        taken[which] = taken.back();
        taken.pop_back();
      } else {
        const auto one = std::next(spaces.begin(), static_cast<std::ptrdiff_t>(below(spaces.size())));
        const bool unused =
            std::ranges::none_of(taken, [&](const Range* range) { return SlowBook::space_of(range) == one->first; });
        ASSERT_EQ(ranges.is_empty(one->second), unused);
        if (!unused) continue;
        ranges.remove_space(one->second);
        book.remove(one->first);
        spaces.erase(one);
      }
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace remotemedia::detail
