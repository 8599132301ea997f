// SPDX-License-Identifier: Apache-2.0
//
// JanitorAlarm: when a registry's own thread has to look at its models again.
//
// A release of the last hold must be able to wake that thread, at the cost of one load when there is no
// need, and must not touch the registry afterwards: by then the registry may be gone. So alarms live as
// long as the process; a registry borrows one and returns it.

#pragma once

#include <atomic>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"

namespace remotemedia::detail {

class JanitorAlarm {
 public:
  static JanitorAlarm* borrow();
  static void give_back(JanitorAlarm* alarm) noexcept;
  static Mutex& pool_mutex();

  /// Wakes the janitor if it would sleep past `deadline`. A late call, to an alarm that another registry has
  /// borrowed meanwhile, makes that one look in vain once.
  void ring_before(TimePoint deadline) noexcept {
    if (deadline < next_look_.load()) ring();
  }
  void ring() noexcept REMOTEMEDIA_EXCLUDES(mutex_);

  /// The janitor begins to look: from here each ring_before() rings.
  void arm() noexcept { next_look_.store(TimePoint::max()); }

  /// Returns at `deadline`, or at once when it rang since arm().
  void sleep_until(const Clock& clock, TimePoint deadline) REMOTEMEDIA_EXCLUDES(mutex_);

  // Around fork(), by the forking thread. In the child nobody sleeps here.
  void lock_for_fork();
  void unlock_after_fork(bool in_child);

 private:
  std::atomic<TimePoint> next_look_{TimePoint::min()};
  Mutex mutex_;
  CondVar rings_;
  bool rung_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
};

}  // namespace remotemedia::detail
