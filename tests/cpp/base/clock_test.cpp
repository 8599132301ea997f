// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/clock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "remotemedia/base/mutex.h"
#include "testing/latch.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;

TEST(ManualClockTest, StandsStillUntilItIsAdvanced) {
  ManualClock clock;
  const TimePoint start = clock.now();
  EXPECT_EQ(clock.now(), start);
  clock.advance(3ms);
  EXPECT_EQ(clock.now() - start, 3ms);
  EXPECT_EQ(clock.coarse_now(), clock.now());
}

TEST(ManualClockTest, StartsWhereItIsTold) {
  const ManualClock clock(TimePoint{5s});
  EXPECT_EQ(clock.now(), TimePoint{5s});
}

TEST(ManualClockTest, AdvancesFromManyThreadsAddUp) {
  ManualClock clock;
  const TimePoint start = clock.now();
  testing::together(8, [&](std::size_t) {
    for (int i = 0; i < 1000; ++i) clock.advance(1us);
  });
  EXPECT_EQ(clock.now() - start, 8000us);
}

TEST(ManualClockTest, AdvanceEndsAWaitWithADeadline) {
  ManualClock clock;
  Mutex mutex;
  CondVar never_notified;
  const TimePoint deadline = clock.now() + 1h;
  testing::Latch waits(1);
  std::jthread waiter([&] {
    MutexLock lock(mutex);
    waits.count_down();
    while (clock.now() < deadline) clock.wait_until(never_notified, mutex, deadline);
  });
  waits.wait();
  clock.advance(1h);
  waiter.join();
}

TEST(ManualClockTest, ANotificationEndsAWaitWithoutADeadline) {
  const ManualClock clock;
  Mutex mutex;
  CondVar condition;
  bool told = false;
  std::jthread waiter([&] {
    MutexLock lock(mutex);
    while (!told) clock.wait_until(condition, mutex, TimePoint::max());
  });
  {
    MutexLock lock(mutex);
    told = true;
    condition.notify_all();
  }
  waiter.join();
}

TEST(ManualClockTest, APassedDeadlineDoesNotWait) {
  const ManualClock clock;
  Mutex mutex;
  CondVar never_notified;
  MutexLock lock(mutex);
  clock.wait_until(never_notified, mutex, clock.now());
  clock.wait_until(never_notified, mutex, clock.now() - 1s);
}

TEST(TimePointTest, AMomentTooFarAwayIsTheLastOne) {
  const TimePoint now{1h};
  EXPECT_EQ(later(now, 2s), TimePoint{1h + 2s});
  EXPECT_EQ(later(now, Duration::max()), TimePoint::max());
  EXPECT_EQ(later(now, Duration::max() - 30min), TimePoint::max());
  EXPECT_EQ(later(now, -2h), TimePoint{-1h});
  EXPECT_EQ(later(TimePoint::max(), 0ns), TimePoint::max());
}

}  // namespace
}  // namespace remotemedia
