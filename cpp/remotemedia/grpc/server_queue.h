// SPDX-License-Identifier: Apache-2.0
//
// ServerQueue: where a server's calls begin and go on. An instance of a worker that has nothing to do sleeps there
// itself, and gRPC wakes it and no other thread for the next call. The queue's own thread is there when no instance is:
// none has been since a model began to run, longer than a moment ago, or all wait elsewhere.

#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <cstdint>
#include <memory>
#include <thread>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/completion.h"
#include "remotemedia/worker/request.h"

namespace remotemedia::detail {

class ServerQueue final : public CallSource {
 public:
  ServerQueue() = default;
  ~ServerQueue() override { stop(); }

  /// Once.
  void start(std::unique_ptr<grpc::ServerCompletionQueue> queue);

  /// Its server is shut down and has no call under way; no instance looks here. Twice is once.
  void stop() noexcept;

  grpc::ServerCompletionQueue& get() noexcept { return *queue_; }

  bool looks_are_cheap() const noexcept override { return false; }
  bool look() noexcept override { return false; }
  bool wait() noexcept override;
  void end_wait() noexcept override;
  void end_looks() noexcept override;

 private:
  void run() noexcept;
  void stand_aside() noexcept;
  void rang(bool ok) noexcept;
  void ring() noexcept REMOTEMEDIA_REQUIRES(mutex_);
  void wake_own_thread() noexcept REMOTEMEDIA_REQUIRES(mutex_);

  std::unique_ptr<grpc::ServerCompletionQueue> queue_;

  Mutex mutex_;
  CondVar changed_;
  enum class Instance { away, waits, tells };
  Instance instance_ REMOTEMEDIA_GUARDED_BY(mutex_) = Instance::away;
  std::uint64_t waits_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  ///< So many times it has waited.
  bool left_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;        ///< It will not come for a while.
  bool ends_next_wait_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool ringing_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool sleeps_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  ///< The own thread, until an instance wakes.
  bool ending_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  grpc::Alarm alarm_ REMOTEMEDIA_GUARDED_BY(mutex_);
  CompletionOf<ServerQueue, &ServerQueue::rang> rang_{*this};
  std::thread thread_;
};

}  // namespace remotemedia::detail
