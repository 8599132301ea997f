// SPDX-License-Identifier: Apache-2.0
//
// CountingClock: a clock that stands still and counts who waits for it.

#pragma once

#include <atomic>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"

namespace remotemedia::testing {

class CountingClock final : public Clock {
 public:
  TimePoint now() const noexcept override {
    ++looks_;
    return time_.now();
  }
  TimePoint coarse_now() const noexcept override { return time_.now(); }

  void wait_until(CondVar& condition, Mutex& mutex, TimePoint deadline) const override
      REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
    ++(deadline == TimePoint::max() ? sleeps_without_end_ : sleeps_with_end_);
    time_.wait_until(condition, mutex, deadline);
  }

  void advance(Duration step) noexcept { time_.advance(step); }

  int looks() const { return looks_; }
  int sleeps_with_end() const { return sleeps_with_end_; }
  int sleeps_without_end() const { return sleeps_without_end_; }

 private:
  ManualClock time_;
  mutable std::atomic<int> looks_{0};
  mutable std::atomic<int> sleeps_with_end_{0};
  mutable std::atomic<int> sleeps_without_end_{0};
};

}  // namespace remotemedia::testing
