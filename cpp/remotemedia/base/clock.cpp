// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/clock.h"

namespace remotemedia {

Clock::~Clock() = default;

ManualClock::ManualClock(TimePoint start) : since_start_(start.time_since_epoch()) {}
ManualClock::~ManualClock() = default;

TimePoint ManualClock::now() const noexcept { return TimePoint{since_start_.load()}; }
TimePoint ManualClock::coarse_now() const noexcept { return now(); }

void ManualClock::wait_until(CondVar& condition, Mutex& mutex, TimePoint deadline) const
    REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  if (deadline == TimePoint::max()) {
    condition.wait(mutex);
  } else if (now() < deadline) {
    condition.wait_until(mutex, std::chrono::steady_clock::now() + std::chrono::milliseconds{1});
  }
}

void ManualClock::advance(Duration step) noexcept {
  Duration before = since_start_.load();
  while (!since_start_.compare_exchange_weak(before, before + step)) {
  }
}

}  // namespace remotemedia
