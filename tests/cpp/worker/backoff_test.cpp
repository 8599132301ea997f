// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace remotemedia::detail {
namespace {

TEST(BackoffTest, DoublesToALongestAndIsAtLeastHalfOfIt) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Backoff backoff(seed);
    Duration longest = kFirstBackoff;
    for (int wait = 0; wait < 10; ++wait) {
      const Duration next = backoff.next();
      EXPECT_GE(next, longest / 2);
      EXPECT_LE(next, longest);
      longest = std::min(2 * longest, kLongestBackoff);
    }
    EXPECT_EQ(longest, kLongestBackoff);
  }
}

TEST(BackoffTest, ThoseWhoBeginTogetherComeApart) {
  std::set<Duration> firsts;
  for (std::uint64_t seed = 0; seed < 100; ++seed) firsts.insert(Backoff(seed).next());
  EXPECT_GT(firsts.size(), 90U);
}

}  // namespace
}  // namespace remotemedia::detail
