// SPDX-License-Identifier: Apache-2.0
//
// CallersQueue: where the answer to one call comes, for whoever made the call and waits for it: gRPC wakes that thread
// and no other.

#pragma once

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <memory>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"

namespace remotemedia::detail {

/// Threads:  any.
class CallersQueue {
 public:
  CallersQueue();
  CallersQueue(const CallersQueue&) = delete;
  CallersQueue& operator=(const CallersQueue&) = delete;

  /// After all of its completions were told.
  ~CallersQueue();

  grpc::CompletionQueue& get() noexcept { return *queue_; }

  enum class Told { here, elsewhere, not_in_time };

  /// Waits for the next completion of a call and tells it, until `deadline`; not while another thread does, or after
  /// end().
  ///
  /// looks_until:  it does not sleep before.
  Told tell(TimePoint looks_until, TimePoint deadline);

  /// With its last completion.
  void end() noexcept { over_ = true; }

 private:
  std::unique_ptr<grpc::CompletionQueue> queue_;  ///< Lent: there is a store of them.
  Mutex mutex_;
  bool others_may_not_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  ///< Since one waits.
  std::atomic<bool> over_{false};
};

}  // namespace remotemedia::detail
