// SPDX-License-Identifier: Apache-2.0
//
// Clock: time as an argument. What expires, waits or measures asks a Clock, so that a test can move time
// by hand and be exact.

#pragma once

#include <atomic>
#include <chrono>

#include "remotemedia/base/export.h"
#include "remotemedia/base/mutex.h"

namespace remotemedia {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// `time` + `after`; TimePoint::max() if that is too far away to be written.
constexpr TimePoint later(TimePoint time, Duration after) noexcept {
  const bool too_far = after > Duration{0} && time > TimePoint::max() - after;
  return too_far ? TimePoint::max() : time + after;
}

/// Monotonic time.
///
/// Threads:  all functions may be called from any thread.
class REMOTEMEDIA_API Clock {
 public:
  virtual ~Clock();

  virtual TimePoint now() const noexcept = 0;

  /// now(), perhaps some milliseconds late and much cheaper.
  virtual TimePoint coarse_now() const noexcept = 0;

  /// Waits on `condition`; returns when it is notified, when now() has reached `deadline`, or without a
  /// reason. TimePoint::max() waits for a notification only.
  virtual void wait_until(CondVar& condition, Mutex& mutex, TimePoint deadline) const = 0;
};

/// A clock that stands still until it is told to move.
class REMOTEMEDIA_API ManualClock final : public Clock {
 public:
  explicit ManualClock(TimePoint start = TimePoint{std::chrono::hours{1}});
  ~ManualClock() override;

  TimePoint now() const noexcept override;
  TimePoint coarse_now() const noexcept override;

  /// Looks at the clock each millisecond of real time, so that advance() needs to know no waiter.
  void wait_until(CondVar& condition, Mutex& mutex, TimePoint deadline) const override;

  void advance(Duration step) noexcept;

 private:
  std::atomic<Duration> since_start_;
};

}  // namespace remotemedia
