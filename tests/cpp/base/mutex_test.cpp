// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "testing/together.h"

namespace remotemedia {
namespace {

TEST(MutexTest, GuardsACounter) {
  Mutex mutex;
  int count = 0;
  testing::together(8, [&](std::size_t) {
    for (int i = 0; i < 1000; ++i) {
      MutexLock lock(mutex);
      ++count;
    }
  });
  EXPECT_EQ(count, 8000);
}

TEST(CondVarTest, WakesEverybodyAndGivesTheMutexBack) {
  Mutex mutex;
  CondVar changed;
  int waiting = 0;
  int woken = 0;
  bool go = false;
  testing::together(5, [&](std::size_t i) {
    MutexLock lock(mutex);
    if (i == 0) {
      while (waiting < 4) changed.wait(mutex);
      go = true;
      changed.notify_all();
    } else {
      ++waiting;
      changed.notify_all();
      while (!go) changed.wait(mutex);
      ++woken;
    }
  });
  EXPECT_EQ(woken, 4);
}

TEST(CondVarTest, WaitUntilReturnsWhenItsTimeHasPassed) {
  Mutex mutex;
  CondVar never_notified;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{2};
  MutexLock lock(mutex);
  while (std::chrono::steady_clock::now() < deadline) never_notified.wait_until(mutex, deadline);
  EXPECT_GE(std::chrono::steady_clock::now(), deadline);
}

}  // namespace
}  // namespace remotemedia
