// SPDX-License-Identifier: Apache-2.0
//
// WorkerConfig: how a ModelWorker runs its model.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/worker/wire_access.h"

namespace remotemedia {

struct CallTrace;

struct WorkerConfig {
  std::int64_t max_batch_size = 8;  ///< Rows of a batch; the smaller of this and the signature's counts.

  /// How long a batch that is not full may wait for more; 0 takes what queued while the model was busy.
  Duration batch_delay{0};

  std::size_t instances = 1;                  ///< Batches that may run at once; above 1 the model is thread-safe.
  std::size_t max_queue = 1024;               ///< Requests that wait; beyond, rejected.
  std::size_t max_concurrent_requests = 100;  ///< Unanswered ones of one client; beyond, rejected.

  /// Streams open at once. With 1 a stream has its instance to itself; above, they are resumed in turn, with other
  /// requests between.
  std::size_t concurrent_streams = 1;
  std::size_t stream_window = 16;  ///< Unread answers of a stream, after which it is not resumed.

  Duration watchdog = std::chrono::seconds{60};       ///< A call that runs longer makes health false.
  Duration session_idle = std::chrono::seconds{300};  ///< After which a session is closed.

  /// Of one client process, however often it connects: bytes in shared memory that it writes, bytes of inputs that
  /// came in pieces, and bytes of outputs that it has. None: half of what the machine has left, 10 GiB at most.
  std::optional<std::size_t> memory_quota_bytes = std::nullopt;
  std::size_t max_connections = 256;  ///< Of one client process; beyond, rejected.

  /// How long a client may keep an output that lies in shared memory. After once to twice this time its connection
  /// ends: the views that it has stay, and the worker's memory comes back. None: as long as it likes, within its quota.
  std::optional<Duration> output_lease = std::nullopt;

  /// How long a thread looks for more before it sleeps, twice that over gRPC; hardly at all once calls keep coming
  /// later.
  Duration spin = std::chrono::microseconds{50};
  Duration drain_timeout = std::chrono::seconds{30};

  WireAccess access = {};

  /// Told of each call that came with a sampled traceparent, after its last answer was given, by whichever thread gave
  /// it. Must not throw, and hold nothing up.
  std::function<void(const CallTrace&)> on_call_traced = {};

  const Clock* clock = nullptr;  ///< For tests; nullptr: the machine's.
};

/// Errors:  invalid_argument that names the option.
REMOTEMEDIA_API void check_config(const WorkerConfig& config);

}  // namespace remotemedia
