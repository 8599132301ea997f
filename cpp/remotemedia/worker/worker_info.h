// SPDX-License-Identifier: Apache-2.0
//
// WorkerInfo: what a worker tells about itself.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "remotemedia/worker/worker_state.h"

namespace remotemedia {

struct WorkerInfo {
  std::string worker_id;
  std::string model_id;
  WorkerState status = WorkerState::starting;
  std::string reason;            ///< Why it is not healthy; empty when it is.
  std::size_t current_load = 0;  ///< Requests that run now.
  std::size_t queue_depth = 0;   ///< Requests that wait.
  std::int64_t max_batch_size = 0;

  std::uint64_t total_requests = 0;  ///< Accepted and ended, however.
  std::uint64_t failed_requests = 0;
  std::uint64_t cancelled_requests = 0;
  std::uint64_t expired_requests = 0;
  std::uint64_t rejected_requests = 0;  ///< Never accepted.

  double average_batch_size = 0;  ///< Rows for each run of the model.
  double average_latency_ms = 0;  ///< From acceptance to answer.
  double p50_latency_ms = 0;
  double p99_latency_ms = 0;

  std::size_t sessions = 0;
  std::size_t shared_memory_bytes = 0;
  double uptime_seconds = 0;
  std::int64_t pid = 0;
};

}  // namespace remotemedia
