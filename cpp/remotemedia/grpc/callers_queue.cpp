// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/callers_queue.h"

#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "remotemedia/grpc/client_queue.h"
#include "remotemedia/grpc/completion.h"
#include "remotemedia/grpc/next_event.h"

namespace remotemedia::detail {
namespace {

constexpr std::size_t kMostStored = 64;

/// Empty queues, which are dear to make.
class Store {
 public:
  std::unique_ptr<grpc::CompletionQueue> take() {
    {
      MutexLock lock(mutex_);
      if (!queues_.empty()) {
        std::unique_ptr<grpc::CompletionQueue> queue = std::move(queues_.back());
        queues_.pop_back();
        return queue;
      }
    }
    return std::make_unique<grpc::CompletionQueue>();
  }

  void give_back(std::unique_ptr<grpc::CompletionQueue> queue) noexcept {
    {
      MutexLock lock(mutex_);
      if (queues_.size() < kMostStored) {
        queues_.push_back(std::move(queue));
        return;
      }
    }
    queue->Shutdown();
    tell_completions(*queue);
  }

 private:
  Mutex mutex_;
  std::vector<std::unique_ptr<grpc::CompletionQueue>> queues_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

Store& store() {
  static auto* const all = new Store;
  return *all;
}

}  // namespace

CallersQueue::CallersQueue() : queue_(store().take()) {}

CallersQueue::~CallersQueue() { store().give_back(std::move(queue_)); }

CallersQueue::Told CallersQueue::tell(TimePoint looks_until, TimePoint deadline) {
  {
    MutexLock lock(mutex_);
    if (over_ || std::exchange(others_may_not_, true)) return Told::elsewhere;
  }
  void* tag = nullptr;
  bool ok = false;
  bool came = false;
  {
    const CallerWaits waits;
    came = next_event(*queue_, looks_until, deadline, tag, ok);
  }
  if (came) static_cast<Completion*>(tag)->completed(ok);
  MutexLock lock(mutex_);
  others_may_not_ = false;
  return came ? Told::here : Told::not_in_time;
}

}  // namespace remotemedia::detail
