// SPDX-License-Identifier: Apache-2.0
//
// WorkerStatistics: how requests have ended, how long they took, how well they were batched.

#pragma once

#include <cstdint>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/worker/latency_histogram.h"
#include "remotemedia/worker/worker_info.h"

namespace remotemedia::detail {

/// How a request has ended.
enum class Outcome : std::uint8_t {
  answered,
  failed,      ///< The model could not.
  cancelled,   ///< By its caller.
  expired,     ///< Its deadline came first.
  unfinished,  ///< The worker ended first.
};

/// Threads:  one at a time.
class REMOTEMEDIA_API WorkerStatistics {
 public:
  void count_end(Outcome outcome, Duration latency) noexcept;
  void count_rejection() noexcept { ++rejected_; }
  void count_run(std::int64_t rows) noexcept;

  void write_to(WorkerInfo& info) const;

 private:
  std::uint64_t ended_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t cancelled_ = 0;
  std::uint64_t expired_ = 0;
  std::uint64_t rejected_ = 0;
  std::uint64_t runs_ = 0;
  std::uint64_t rows_ = 0;
  LatencyHistogram latencies_;
};

}  // namespace remotemedia::detail
