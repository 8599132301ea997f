// SPDX-License-Identifier: Apache-2.0
//
// Backoff: how long to wait between tries, so that many who wait for the same thing do not come at once.

#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"

namespace remotemedia::detail {

inline constexpr Duration kFirstBackoff = std::chrono::milliseconds{50};
inline constexpr Duration kLongestBackoff = std::chrono::seconds{1};

/// Doubles from kFirstBackoff to kLongestBackoff; of that, by chance, between half and all.
///
/// Threads:  one at a time.
class REMOTEMEDIA_API Backoff {
 public:
  explicit Backoff(std::uint64_t seed) noexcept : random_(seed) {}

  Duration next();

 private:
  std::mt19937_64 random_;
  Duration longest_ = kFirstBackoff;
};

}  // namespace remotemedia::detail
