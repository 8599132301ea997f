// SPDX-License-Identifier: Apache-2.0
//
// IdleSpin: how long an instance that has nothing to do looks for the next call before it sleeps.
//
//     const Duration time = spin.get(config.spin);
//     ...
//     spin.waited(clock.now() - idle_since, config.spin);

#pragma once

#include <algorithm>
#include <chrono>

#include "remotemedia/base/clock.h"

namespace remotemedia::detail {

/// As long as it may, until several calls in a row came later than that: looking for them was in vain, and it looks no
/// longer than a caller takes that calls again at once. The first call that comes sooner has it look as before. One
/// that would have, had nobody had to be woken for it, has it look once: who sleeps is late because he sleeps.
///
/// Threads:  one.
class IdleSpin {
 public:
  static constexpr int kPatience = 8;
  static constexpr Duration kShort = std::chrono::microseconds{3};
  static constexpr Duration kWaking = std::chrono::microseconds{100};  ///< Longest, on virtual machines.

  /// most:  what it may look for.
  Duration get(Duration most) const noexcept { return late_ < kPatience ? most : std::min(most, kShort); }

  /// Tells how long the last call was awaited.
  void waited(Duration time, Duration most) noexcept {
    if (time <= most) {
      late_ = 0;
    } else if (get(most) < most && time <= most + kWaking) {
      late_ = kPatience - 1;
    } else {
      late_ = std::min(late_ + 1, kPatience);
    }
  }

 private:
  int late_ = 0;  // calls in a row
};

}  // namespace remotemedia::detail
