// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/client_queue.h"

#include <grpcpp/alarm.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/completion.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

/// After the last caller has waited. Callers who come less often find the thread at its queue.
constexpr Duration kQuietTime = std::chrono::milliseconds{5};

thread_local bool reads_client_queue = false;

class ClientQueue {
 public:
  ClientQueue() {
    std::thread([this] { run(); }).detach();
  }
  ClientQueue(const ClientQueue&) = delete;
  ClientQueue& operator=(const ClientQueue&) = delete;

  grpc::CompletionQueue& queue() noexcept { return queue_; }

  void want_prompt() noexcept {
    MutexLock lock(mutex_);
    if (prompts_++ == 0) changed_.notify_all();
  }
  void end_prompt() noexcept {
    MutexLock lock(mutex_);
    --prompts_;
  }

  void begin_wait() noexcept {
    const TimePoint now = monotonic_clock().now();
    MutexLock lock(mutex_);
    ++callers_;
    if (prompts_ > 0 || resting_ || called_away_ || now - last_wait_ > kQuietTime) return;
    called_away_ = true;
    alarm_.emplace().Set(&queue_, std::chrono::system_clock::now(), away_.tag());
  }
  void end_wait() noexcept {
    const TimePoint now = monotonic_clock().now();
    MutexLock lock(mutex_);
    --callers_;
    last_wait_ = now;
  }

 private:
  ~ClientQueue() = default;

  void run() noexcept {
    reads_client_queue = true;
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
      static_cast<Completion*>(tag)->completed(ok);
      rest();
    }
  }

  void called_away(bool /*ok*/) noexcept {
    MutexLock lock(mutex_);
    called_away_ = false;
  }

  void rest() noexcept {
    MutexLock lock(mutex_);
    resting_ = true;
    for (TimePoint now = monotonic_clock().now(); prompts_ == 0; now = monotonic_clock().now()) {
      if (callers_ == 0 && now - last_wait_ > kQuietTime) break;
      monotonic_clock().wait_until(changed_, mutex_, later(now, kQuietTime));
    }
    resting_ = false;
  }

  grpc::CompletionQueue queue_;
  Mutex mutex_;
  CondVar changed_;
  std::size_t prompts_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::size_t callers_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  TimePoint last_wait_ REMOTEMEDIA_GUARDED_BY(mutex_);
  bool resting_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  bool called_away_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Alarm> alarm_ REMOTEMEDIA_GUARDED_BY(mutex_);
  CompletionOf<ClientQueue, &ClientQueue::called_away> away_{*this};
};

ClientQueue& the_queue() {
  static auto* const queue = new ClientQueue;
  return *queue;
}

}  // namespace

grpc::CompletionQueue& client_queue() { return the_queue().queue(); }

Prompt::Prompt() { the_queue().want_prompt(); }
Prompt::~Prompt() { the_queue().end_prompt(); }

CallerWaits::CallerWaits() { the_queue().begin_wait(); }
CallerWaits::~CallerWaits() { the_queue().end_wait(); }

std::chrono::system_clock::time_point system_time_of(TimePoint time) {
  using std::chrono::system_clock;
  return system_clock::now() + std::chrono::duration_cast<system_clock::duration>(time - monotonic_clock().now());
}

bool is_client_queue_thread() noexcept { return reads_client_queue; }

}  // namespace remotemedia::detail
