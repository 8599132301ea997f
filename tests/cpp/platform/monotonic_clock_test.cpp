// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/monotonic_clock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "remotemedia/base/mutex.h"
#include "testing/latch.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;

TEST(MonotonicClockTest, IsOneForTheWholeProcess) { EXPECT_EQ(&monotonic_clock(), &monotonic_clock()); }

TEST(MonotonicClockTest, IsTheSteadyClock) {
  const TimePoint before = std::chrono::steady_clock::now();
  const TimePoint now = monotonic_clock().now();
  EXPECT_GE(now, before);
  EXPECT_LE(now, std::chrono::steady_clock::now());
}

TEST(MonotonicClockTest, CoarseTimeIsNeverAheadAndHardlyBehind) {
  for (int i = 0; i < 1000; ++i) {
    const TimePoint before = monotonic_clock().now();
    const TimePoint coarse = monotonic_clock().coarse_now();
    EXPECT_LE(coarse, monotonic_clock().now());
    EXPECT_GE(coarse, before - 20ms);
  }
}

TEST(MonotonicClockTest, WaitsUntilTheDeadline) {
  Mutex mutex;
  CondVar never_notified;
  const TimePoint deadline = monotonic_clock().now() + 2ms;
  MutexLock lock(mutex);
  while (monotonic_clock().now() < deadline) monotonic_clock().wait_until(never_notified, mutex, deadline);
  EXPECT_GE(monotonic_clock().now(), deadline);
}

TEST(MonotonicClockTest, ANotificationEndsAWaitWithoutADeadline) {
  Mutex mutex;
  CondVar condition;
  bool told = false;
  std::jthread waiter([&] {
    MutexLock lock(mutex);
    while (!told) monotonic_clock().wait_until(condition, mutex, TimePoint::max());
  });
  {
    MutexLock lock(mutex);
    told = true;
    condition.notify_all();
  }
  waiter.join();
}

}  // namespace
}  // namespace remotemedia
