// SPDX-License-Identifier: Apache-2.0

#include <time.h>

#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia {
namespace {

class MonotonicClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return std::chrono::steady_clock::now(); }

  TimePoint coarse_now() const noexcept override {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return TimePoint{std::chrono::seconds{time.tv_sec} + Duration{time.tv_nsec}};
  }

  void wait_until(CondVar& condition, Mutex& mutex, TimePoint deadline) const override
      REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
    if (deadline == TimePoint::max()) {
      condition.wait(mutex);
    } else {
      condition.wait_until(mutex, deadline);
    }
  }
};

}  // namespace

const Clock& monotonic_clock() noexcept {
  static const Clock* const clock = new MonotonicClock;
  return *clock;
}

}  // namespace remotemedia
