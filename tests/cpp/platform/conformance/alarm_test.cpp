// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/alarm.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <vector>

#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/waiting.h"

namespace remotemedia::platform {
namespace {

using Indices = std::vector<std::size_t>;

class AlarmTest : public ::testing::Test {
 protected:
  bool has_gone_off() { return wait_until(TimePoint{}); }
  bool wait_until(TimePoint deadline) { return wait_for_any(std::array{alarm_.wait_handle()}, deadline) == Indices{0}; }

  Alarm alarm_ = Alarm::create();
};

TEST_F(AlarmTest, GoesOffOnceItIsSetAndStaysSo) {
  EXPECT_FALSE(has_gone_off());
  alarm_.set(std::chrono::milliseconds{1});
  EXPECT_TRUE(wait_until(TimePoint::max()));
  EXPECT_TRUE(has_gone_off());
}

TEST_F(AlarmTest, ClearedItHasNotGoneOff) {
  alarm_.set(std::chrono::milliseconds{1});
  ASSERT_TRUE(wait_until(TimePoint::max()));
  alarm_.clear();
  EXPECT_FALSE(has_gone_off());
  alarm_.clear();
  EXPECT_FALSE(has_gone_off());
}

TEST_F(AlarmTest, ClearedBeforehandItDoesNotGoOff) {
  alarm_.set(std::chrono::milliseconds{1});
  alarm_.clear();
  EXPECT_FALSE(wait_until(later(monotonic_clock().now(), std::chrono::milliseconds{5})));
}

TEST_F(AlarmTest, CanBeSetAgain) {
  for (int time = 0; time < 3; ++time) {
    alarm_.set(std::chrono::milliseconds{1});
    EXPECT_TRUE(wait_until(TimePoint::max()));
    alarm_.clear();
    EXPECT_FALSE(has_gone_off());
  }
}

}  // namespace
}  // namespace remotemedia::platform
