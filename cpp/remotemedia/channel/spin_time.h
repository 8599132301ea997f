// SPDX-License-Identifier: Apache-2.0
//
// SpinTime: how long whoever waits looks for what comes before it sleeps.

#pragma once

#include <algorithm>
#include <chrono>

#include "remotemedia/base/clock.h"

namespace remotemedia::detail {

/// Twice as long as waits usually last, where that is about as short as being woken; `kLeast` where it is not.
class SpinTime {
 public:
  static constexpr Duration kLeast = std::chrono::microseconds{50};
  static constexpr Duration kLongestUsual = std::chrono::microseconds{300};

  /// For the next wait.
  Duration get() const noexcept { return usual_ <= kLongestUsual ? std::max(kLeast, 2 * usual_) : kLeast; }

  /// Tells of a wait. One pause is soon forgotten.
  void waited(Duration time) noexcept { usual_ += (std::min(time, 10 * kLongestUsual) - usual_) / 8; }

 private:
  Duration usual_{0};
};

}  // namespace remotemedia::detail
