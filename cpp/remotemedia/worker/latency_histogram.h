// SPDX-License-Identifier: Apache-2.0
//
// LatencyHistogram: durations counted in buckets of a quarter of a power of two, so that a percentile is at most 25 %
// too large, whatever was recorded.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"

namespace remotemedia::detail {

/// Threads:  one at a time.
class REMOTEMEDIA_API LatencyHistogram {
 public:
  void record(Duration latency) noexcept;

  /// What `fraction` of them did not exceed; zero without any.
  Duration percentile(double fraction) const noexcept;

  Duration mean() const noexcept;

  /// How many took no longer; exact where `limit` is one nanosecond below a power of two of them.
  std::uint64_t count_up_to(Duration limit) const noexcept;

 private:
  static constexpr std::size_t kSteps = 4;  // for each power of two

  static std::size_t bucket_of(std::uint64_t nanoseconds) noexcept;
  static std::uint64_t upper_end_of(std::size_t bucket) noexcept;

  std::array<std::uint64_t, kSteps * 64> counts_{};
  std::uint64_t count_ = 0;
  double nanoseconds_ = 0;  // of all; more than a Duration can hold
};

}  // namespace remotemedia::detail
