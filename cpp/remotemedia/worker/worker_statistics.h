// SPDX-License-Identifier: Apache-2.0
//
// WorkerStatistics: how requests have ended, how long they took, how well they were batched.

#pragma once

#include <cstdint>
#include <optional>

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

struct CountedTime {
  std::uint64_t count = 0;
  Duration time{0};

  void add(Duration one) noexcept {
    ++count;
    time += one;
  }
};

/// What has happened since the worker began.
struct WorkerCounts {
  std::uint64_t rows = 0;  ///< Of all runs of the model.
  std::uint64_t runs = 0;
  std::optional<TimePoint> last_run_at;
  CountedTime answered;      ///< From acceptance to answer.
  CountedTime not_answered;  ///< Those that failed, however, or were cancelled or too late.
  CountedTime queued;        ///< Of those that were answered: until the model began,
  CountedTime computed;      ///< and from then on.
};

/// Threads:  one at a time.
class REMOTEMEDIA_API WorkerStatistics {
 public:
  void count_end(Outcome outcome, Duration latency) noexcept;
  void count_rejection() noexcept { ++rejected_; }
  void count_run(std::int64_t rows, TimePoint now) noexcept;

  /// Of a request that was answered.
  void count_times(Duration queued, Duration computed) noexcept;

  void write_to(WorkerInfo& info) const;
  const WorkerCounts& counts() const noexcept { return counts_; }

  /// Of all that ended, however.
  const LatencyHistogram& latencies() const noexcept { return latencies_; }

 private:
  std::uint64_t ended_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t cancelled_ = 0;
  std::uint64_t expired_ = 0;
  std::uint64_t rejected_ = 0;
  WorkerCounts counts_;
  LatencyHistogram latencies_;
};

}  // namespace remotemedia::detail
