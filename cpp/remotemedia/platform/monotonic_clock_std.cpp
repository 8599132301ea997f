// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia {
namespace {

class MonotonicClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return std::chrono::steady_clock::now(); }

  TimePoint coarse_now() const noexcept override { return now(); }

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
