// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/spin_time.h"

#include <gtest/gtest.h>

namespace remotemedia::detail {
namespace {

using namespace std::chrono_literals;

void wait_often(SpinTime& spin, Duration time) {
  for (int i = 0; i < 100; ++i) spin.waited(time);
}

TEST(SpinTimeTest, ItIsTwiceAsLongAsAWaitAndNeverLessThanTheLeast) {
  SpinTime spin;
  EXPECT_EQ(spin.get(), SpinTime::kLeast);
  wait_often(spin, 100us);
  EXPECT_NEAR(static_cast<double>(spin.get().count()), 200e3, 1e3);
  wait_often(spin, 1us);
  EXPECT_EQ(spin.get(), SpinTime::kLeast);
}

TEST(SpinTimeTest, WhoWaitsForLongSleepsSoon) {
  SpinTime spin;
  wait_often(spin, 1ms);
  EXPECT_EQ(spin.get(), SpinTime::kLeast);
}

TEST(SpinTimeTest, APauseIsForgotten) {
  SpinTime spin;
  wait_often(spin, 100us);
  spin.waited(1h);
  EXPECT_EQ(spin.get(), SpinTime::kLeast);
  for (int i = 0; i < 10; ++i) spin.waited(100us);
  EXPECT_GT(spin.get(), 200us);
}

}  // namespace
}  // namespace remotemedia::detail
