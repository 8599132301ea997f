// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/worker_statistics.h"

namespace remotemedia::detail {
namespace {

double milliseconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

}  // namespace

void WorkerStatistics::count_end(Outcome outcome, Duration latency) noexcept {
  ++ended_;
  latencies_.record(latency);
  (outcome == Outcome::answered ? counts_.answered : counts_.not_answered).add(latency);
  if (outcome == Outcome::failed || outcome == Outcome::unfinished) ++failed_;
  if (outcome == Outcome::cancelled) ++cancelled_;
  if (outcome == Outcome::expired) ++expired_;
}

void WorkerStatistics::count_run(std::int64_t rows, TimePoint now) noexcept {
  ++counts_.runs;
  counts_.rows += static_cast<std::uint64_t>(rows);
  counts_.last_run_at = now;
}

void WorkerStatistics::count_times(Duration queued, Duration computed) noexcept {
  counts_.queued.add(queued);
  counts_.computed.add(computed);
}

void WorkerStatistics::write_to(WorkerInfo& info) const {
  info.total_requests = ended_;
  info.failed_requests = failed_;
  info.cancelled_requests = cancelled_;
  info.expired_requests = expired_;
  info.rejected_requests = rejected_;
  info.average_batch_size =
      counts_.runs == 0 ? 0 : static_cast<double>(counts_.rows) / static_cast<double>(counts_.runs);
  info.average_latency_ms = milliseconds(latencies_.mean());
  info.p50_latency_ms = milliseconds(latencies_.percentile(0.5));
  info.p99_latency_ms = milliseconds(latencies_.percentile(0.99));
}

}  // namespace remotemedia::detail
