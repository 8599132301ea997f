// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/server_queue.h"

#include <chrono>
#include <utility>

#include "remotemedia/grpc/next_event.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

/// How long an instance may be away, to run its model, until the own thread looks.
constexpr Duration kMoment = std::chrono::milliseconds{1};

/// What has come while the model ran is submitted before it runs again, or there would be no batches.
constexpr int kMostAtOnce = 256;

}  // namespace

void ServerQueue::start(std::unique_ptr<grpc::ServerCompletionQueue> queue) {
  queue_ = std::move(queue);
  thread_ = std::thread([this] { run(); });
}

void ServerQueue::stop() noexcept {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  queue_->Shutdown();
  thread_.join();
}

void ServerQueue::run() noexcept {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    static_cast<Completion*>(tag)->completed(ok);
    stand_aside();
  }
}

/// Two threads at one queue would wake each other for every call. Until an instance has been away for a moment.
void ServerQueue::stand_aside() noexcept {
  MutexLock lock(mutex_);
  if (instance_ != Instance::waits) return;
  while (!ending_ && !left_) {
    const std::uint64_t waits = waits_;
    const TimePoint until = later(monotonic_clock().now(), kMoment);
    while (!ending_ && !left_ && monotonic_clock().now() < until) {
      monotonic_clock().wait_until(changed_, mutex_, until);
    }
    if (waits_ != waits) continue;
    if (instance_ != Instance::waits) return;
    sleeps_ = true;
    while (sleeps_ && !ending_) changed_.wait(mutex_);
  }
}

bool ServerQueue::wait(Seat& seat, TimePoint looks_until) noexcept {
  {
    MutexLock lock(mutex_);
    const bool was_rung = std::exchange(seat.was_rung_, false);
    if (ending_ || instance_ != Instance::away) return false;
    if (was_rung) return true;
    instance_ = Instance::waits;
    seat_ = &seat;
    left_ = false;
    ++waits_;
  }
  void* tag = nullptr;
  bool ok = false;
  const bool came = next_event(*queue_, looks_until, TimePoint::max(), tag, ok);
  {
    MutexLock lock(mutex_);
    instance_ = Instance::tells;
    wake_own_thread();
  }
  if (came) tell_all(tag, ok);
  MutexLock lock(mutex_);
  instance_ = Instance::away;
  return !ending_;
}

void ServerQueue::tell_all(void* tag, bool ok) noexcept {
  static_cast<Completion*>(tag)->completed(ok);
  for (int told = 1; told < kMostAtOnce; ++told) {
    if (!next_event(*queue_, TimePoint{}, TimePoint{}, tag, ok)) return;
    static_cast<Completion*>(tag)->completed(ok);
  }
}

void ServerQueue::end_looks(const Seat& seat) noexcept {
  MutexLock lock(mutex_);
  if (seat_ != &seat || instance_ != Instance::away) return;
  left_ = true;
  sleeps_ = false;
  changed_.notify_all();
}

void ServerQueue::wake_own_thread() noexcept {
  if (std::exchange(sleeps_, false)) changed_.notify_all();
}

void ServerQueue::end_wait(Seat& seat) noexcept {
  MutexLock lock(mutex_);
  if (seat_ == &seat && instance_ != Instance::away) {
    if (instance_ == Instance::waits && !ringing_) ring();
  } else {
    seat.was_rung_ = true;
  }
}

void ServerQueue::ring() noexcept {
  ringing_ = true;
  alarm_.Set(queue_.get(), kLongAgo, rang_.tag());
}

/// Where the own thread has heard it, an instance still sleeps.
void ServerQueue::rang(bool /*ok*/) noexcept {
  MutexLock lock(mutex_);
  ringing_ = false;
  if (instance_ == Instance::waits && !ending_) ring();
}

}  // namespace remotemedia::detail
