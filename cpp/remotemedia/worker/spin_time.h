// SPDX-License-Identifier: Apache-2.0
//
// SpinTime: how long whoever waits looks for what comes before it sleeps.
//
//     const TimePoint began = clock.now();
//     while (!came() && clock.now() < later(began, spin.get())) continue;
//     ...
//     spin.waited(clock.now() - began);

#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>

#include "remotemedia/base/clock.h"

namespace remotemedia::detail {

/// Of looking: without a word to the scheduler.
inline constexpr Duration kEagerTime = std::chrono::microseconds{10};

/// Twice as long as waits usually last, where that is about as short as being woken; `kLeast` where it is not.
///
/// Threads:  any. Of waits that end at once some may be forgotten.
class SpinTime {
 public:
  static constexpr Duration kLeast = std::chrono::microseconds{50};
  static constexpr Duration kLongestUsual = std::chrono::microseconds{300};

  /// For the next wait.
  Duration get() const noexcept {
    const Duration usual{usual_.load(std::memory_order_relaxed)};
    return usual <= kLongestUsual ? std::max(kLeast, 2 * usual) : kLeast;
  }

  /// Tells of a wait. One pause is soon forgotten.
  void waited(Duration time) noexcept {
    const Duration usual{usual_.load(std::memory_order_relaxed)};
    usual_.store((usual + (std::min(time, 10 * kLongestUsual) - usual) / 8).count(), std::memory_order_relaxed);
  }

 private:
  std::atomic<Duration::rep> usual_{0};
};

}  // namespace remotemedia::detail
