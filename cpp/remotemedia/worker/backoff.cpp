// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/backoff.h"

#include <algorithm>

namespace remotemedia::detail {

Duration Backoff::next() {
  const Duration longest = longest_;
  longest_ = std::min(2 * longest, kLongestBackoff);
  return Duration{std::uniform_int_distribution<Duration::rep>(longest.count() / 2, longest.count())(random_)};
}

}  // namespace remotemedia::detail
