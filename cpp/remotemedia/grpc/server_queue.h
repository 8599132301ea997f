// SPDX-License-Identifier: Apache-2.0
//
// ServerQueue: where a server's calls begin and go on. An instance of a worker that has nothing to do sleeps there
// itself, and gRPC wakes it and no other thread for the next call, whichever model that is for. The queue's own thread
// is there when no instance is: none has been since a model began to run, longer than a moment ago, or all wait
// elsewhere.

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

class ServerQueue {
 public:
  /// For instances of one worker.
  ///
  /// Lifetime:  shorter than the queue's; the worker has no instance there when it ends.
  class Seat final : public CallSource {
   public:
    explicit Seat(ServerQueue& queue) noexcept : queue_(queue) {}

    const void* place() const noexcept override { return &queue_; }
    bool has_looks() const noexcept override { return false; }
    bool look() noexcept override { return false; }
    bool wait(TimePoint looks_until) noexcept override { return queue_.wait(*this, looks_until); }
    void end_wait() noexcept override { queue_.end_wait(*this); }
    void end_looks() noexcept override { queue_.end_looks(*this); }

   private:
    friend ServerQueue;
    ServerQueue& queue_;
    bool was_rung_ = false;  ///< Since it last waited; guarded by the queue's mutex.
  };

  ServerQueue() = default;
  ServerQueue(const ServerQueue&) = delete;
  ServerQueue& operator=(const ServerQueue&) = delete;
  ~ServerQueue() { stop(); }

  /// Once.
  void start(std::unique_ptr<grpc::ServerCompletionQueue> queue);

  /// Its server is shut down and has no call under way. Twice is once.
  void stop() noexcept;

  grpc::ServerCompletionQueue& get() noexcept { return *queue_; }

 private:
  enum class Instance { away, waits, tells };

  bool wait(Seat& seat, TimePoint looks_until) noexcept;
  void end_wait(Seat& seat) noexcept;
  void end_looks(const Seat& seat) noexcept;
  void tell_all(void* tag, bool ok) noexcept;
  void run() noexcept;
  void stand_aside() noexcept;
  void ring() noexcept REMOTEMEDIA_REQUIRES(mutex_);
  void rang(bool ok) noexcept;
  void wake_own_thread() noexcept REMOTEMEDIA_REQUIRES(mutex_);

  std::unique_ptr<grpc::ServerCompletionQueue> queue_;

  Mutex mutex_;
  CondVar changed_;
  Instance instance_ REMOTEMEDIA_GUARDED_BY(mutex_) = Instance::away;
  const Seat* seat_ REMOTEMEDIA_GUARDED_BY(mutex_) = nullptr;  ///< Of the last instance that came.
  std::uint64_t waits_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;     ///< So many times one has come.
  bool left_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;           ///< It will not come for a while.
  bool ringing_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool sleeps_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;  ///< The own thread, until an instance wakes.
  bool ending_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  grpc::Alarm alarm_ REMOTEMEDIA_GUARDED_BY(mutex_);
  CompletionOf<ServerQueue, &ServerQueue::rang> rang_{*this};
  std::thread thread_;
};

}  // namespace remotemedia::detail
