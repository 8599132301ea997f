// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/client_queue.h"

#include <thread>

#include "remotemedia/grpc/completion.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

constexpr int kThreads = 2;

thread_local bool reads_client_queue = false;

}  // namespace

grpc::CompletionQueue& client_queue() {
  static grpc::CompletionQueue* const queue = [] {
    auto* const made = new grpc::CompletionQueue;
    for (int i = 0; i < kThreads; ++i) {
      std::thread([made] {
        reads_client_queue = true;
        tell_completions(*made);
      }).detach();
    }
    return made;
  }();
  return *queue;
}

std::chrono::system_clock::time_point system_time_of(TimePoint time) {
  using std::chrono::system_clock;
  return system_clock::now() + std::chrono::duration_cast<system_clock::duration>(time - monotonic_clock().now());
}

bool is_client_queue_thread() noexcept { return reads_client_queue; }

}  // namespace remotemedia::detail
