// SPDX-License-Identifier: Apache-2.0
//
// CountingClock: a clock that stands still and counts who goes to sleep by it.

#pragma once

#include <atomic>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"

namespace remotemedia::testing {

class CountingClock final : public Clock {
 public:
  /// Whether a sleeper wakes up by itself to see if it was advanced. If not, only what wakes it is counted.
  enum class Sleepers { look_again, must_be_woken };

  explicit CountingClock(Sleepers sleepers, Duration coarse_lag = Duration{0})
      : sleepers_(sleepers), coarse_lag_(coarse_lag) {}

  TimePoint now() const noexcept override { return time_.now(); }
  TimePoint coarse_now() const noexcept override { return time_.now() - coarse_lag_; }

  void wait_until(CondVar& condition, Mutex& mutex, TimePoint deadline) const override
      REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
    auto& sleeps = deadline == TimePoint::max() ? sleeps_without_end_ : sleeps_with_end_;
    ++sleeps;
    sleeps.notify_all();
    time_.wait_until(condition, mutex, sleepers_ == Sleepers::look_again ? deadline : TimePoint::max());
  }

  void advance(Duration step) noexcept { time_.advance(step); }

  int sleeps_with_end() const { return sleeps_with_end_; }
  int sleeps_without_end() const { return sleeps_without_end_; }
  /// Returns when somebody has gone to sleep until some time for the `count`th time.
  void wait_for_sleeps_with_end(int count) const {
    for (int seen = sleeps_with_end_; seen < count; seen = sleeps_with_end_) sleeps_with_end_.wait(seen);
  }

  int sleeps() const { return sleeps_with_end_ + sleeps_without_end_; }

 private:
  const Sleepers sleepers_;
  const Duration coarse_lag_;
  ManualClock time_;
  mutable std::atomic<int> sleeps_with_end_{0};
  mutable std::atomic<int> sleeps_without_end_{0};
};

}  // namespace remotemedia::testing
