// SPDX-License-Identifier: Apache-2.0
//
// PendingCall: one call of a client, from submission to its last answer; what InferenceFuture and InferenceStream are
// made of.

#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <optional>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/worker/model_worker_client.h"
#include "remotemedia/worker/request.h"
#include "remotemedia/worker/transport.h"

namespace remotemedia::detail {

/// Whichever comes first settles it, and what comes later is dropped: the last answer, cancel(), its deadline.
///
/// Threads:  all functions may be called from any thread.
class PendingCall {
 public:
  using Done = std::function<void(TensorMap, std::exception_ptr)>;

  PendingCall(TimePoint deadline, ReceivedBy receiver, Done done = {});
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;
  ~PendingCall() = default;

  /// Where it went, and as what. Before anybody else has it, but for answer().
  void sent(std::shared_ptr<WorkerConnection> connection, std::uint64_t number) noexcept;

  /// One answer, or the last. Calls `done` with the last.
  void answer(Answer&& answer);

  /// Whether next() does not wait.
  bool is_readable() const noexcept { return settled() || any_unread_.load(std::memory_order_acquire); }

  /// False when `deadline` passed first. At the call's own deadline it is over. Where the caller receives, he does it
  /// here.
  bool wait_until_readable(TimePoint deadline);

  /// Calls `readable` once, as soon as next() does not wait: perhaps now, and on any thread. Must not throw. Another
  /// one takes its place.
  void when_readable(std::function<void()> readable);

  /// Waits for the next answer. None after the last.
  std::optional<Answer> next();

  /// Ends it here and in the worker.
  void cancel();

  /// The same for one that nobody reads any more.
  void abandon() noexcept;

  bool is_inherited() const noexcept;
  void check_not_inherited() const;

 private:
  enum class Unread { kept, dropped };

  bool settle(Answer&& last, Unread unread = Unread::kept);
  bool settled() const noexcept { return settled_.load(std::memory_order_acquire); }

  const TimePoint deadline_;
  const ReceivedBy receiver_;
  const std::uint64_t made_in_;
  std::shared_ptr<WorkerConnection> connection_;
  std::uint64_t number_ = 0;
  std::atomic<bool> settled_{false};
  std::atomic<bool> any_unread_{false};  // set with the mutex

  Mutex mutex_;
  CondVar changed_;
  Done done_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::function<void()> readable_ REMOTEMEDIA_GUARDED_BY(mutex_);
  bool is_told_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;      // somebody is, or was
  std::list<Answer> unread_ REMOTEMEDIA_GUARDED_BY(mutex_);  // before the last
  std::optional<Answer> last_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::detail

namespace remotemedia {

struct InferenceFuture::State : detail::PendingCall {
  using PendingCall::PendingCall;
};

struct InferenceStream::State : detail::PendingCall {
  using PendingCall::PendingCall;
};

}  // namespace remotemedia
