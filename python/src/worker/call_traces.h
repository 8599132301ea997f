// SPDX-License-Identifier: Apache-2.0
//
// CallTraces: what became of calls, from the threads of a worker to the one of Python that makes spans of it.

#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/worker/call_trace.h"
#include "remotemedia/worker/worker_config.h"

namespace remotemedia::python {

/// A CallTrace with what its times are to people's clocks.
struct TracedCall {
  CallTrace trace;
  Duration to_system_time{0};
};

/// Threads:  any, without the GIL.
class CallTraces {
 public:
  /// Told of the calls of a worker with `config`; closed when that is gone.
  static std::shared_ptr<CallTraces> of(WorkerConfig& config);

  /// Waits for some. None at the end.
  std::vector<TracedCall> take();

  /// What came before is still there to be taken.
  void close();

 private:
  void add(const CallTrace& trace) noexcept;

  Mutex mutex_;
  CondVar changed_;
  std::vector<TracedCall> waiting_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::size_t dropped_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  bool closed_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
};

}  // namespace remotemedia::python
