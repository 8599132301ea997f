// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace remotemedia::detail {

std::size_t LatencyHistogram::bucket_of(std::uint64_t nanoseconds) noexcept {
  if (nanoseconds < kSteps) return nanoseconds;
  const auto power = static_cast<std::size_t>(std::bit_width(nanoseconds)) - 1;
  return (power - 1) * kSteps + ((nanoseconds >> (power - 2)) & (kSteps - 1));
}

std::uint64_t LatencyHistogram::upper_end_of(std::size_t bucket) noexcept {
  if (bucket < kSteps) return bucket;
  const std::size_t power = bucket / kSteps + 1;
  return ((std::uint64_t{kSteps} + bucket % kSteps + 1) << (power - 2)) - 1;
}

void LatencyHistogram::record(Duration latency) noexcept {
  const Duration known = std::max(latency, Duration{0});
  ++counts_[bucket_of(static_cast<std::uint64_t>(known.count()))];
  ++count_;
  nanoseconds_ += static_cast<double>(known.count());
}

Duration LatencyHistogram::percentile(double fraction) const noexcept {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  std::uint64_t passed = 0;
  for (std::size_t bucket = 0; bucket < counts_.size() && count_ > 0; ++bucket) {
    passed += counts_[bucket];
    if (passed >= std::max<std::uint64_t>(wanted, 1)) return Duration{static_cast<std::int64_t>(upper_end_of(bucket))};
  }
  return Duration{0};
}

std::uint64_t LatencyHistogram::count_up_to(Duration limit) const noexcept {
  std::uint64_t count = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    if (upper_end_of(bucket) > static_cast<std::uint64_t>(std::max(limit, Duration{0}).count())) break;
    count += counts_[bucket];
  }
  return count;
}

Duration LatencyHistogram::mean() const noexcept {
  if (count_ == 0) return Duration{0};
  const double mean = nanoseconds_ / static_cast<double>(count_);
  return mean < static_cast<double>(Duration::max().count()) ? Duration{static_cast<std::int64_t>(mean)}
                                                             : Duration::max();
}

}  // namespace remotemedia::detail
