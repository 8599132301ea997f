// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/last_inference.h"

#include <chrono>

#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {

std::uint64_t last_inference(const WorkerCounts& counts) {
  if (!counts.last_run_at) return 0;
  const auto at = std::chrono::system_clock::now() - (monotonic_clock().now() - *counts.last_run_at);
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count());
}

}  // namespace remotemedia::detail
