// SPDX-License-Identifier: Apache-2.0
//
// ServerQueue: the threads on which a server's calls begin and go on.

#pragma once

#include <grpcpp/completion_queue.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "remotemedia/grpc/completion.h"

namespace remotemedia::detail {

/// Lifetime:  its server is shut down and has no call under way when it ends.
class ServerQueue {
 public:
  static constexpr int kThreads = 2;

  explicit ServerQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue) : queue_(std::move(queue)) {
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { tell_completions(*queue_); });
  }
  ServerQueue(const ServerQueue&) = delete;
  ServerQueue& operator=(const ServerQueue&) = delete;
  ~ServerQueue() { queue_->Shutdown(); }

  grpc::ServerCompletionQueue& get() noexcept { return *queue_; }

 private:
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::vector<std::jthread> threads_;  // ends first
};

}  // namespace remotemedia::detail
