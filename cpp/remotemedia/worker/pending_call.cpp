// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/pending_call.h"

#include <algorithm>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

Answer over(ErrorCode code, const char* what) { return {{}, std::make_exception_ptr(Error(code, what)), true}; }

}  // namespace

PendingCall::PendingCall(TimePoint deadline, ReceivedBy receiver, Done done)
    : deadline_(deadline), receiver_(receiver), made_in_(fork_generation()), done_(std::move(done)) {}

void PendingCall::sent(std::shared_ptr<WorkerConnection> connection, std::uint64_t number) noexcept {
  connection_ = std::move(connection);
  number_ = number;
}

void PendingCall::answer(Answer&& answer) {
  if (answer.last) {
    settle(std::move(answer));
    return;
  }
  std::function<void()> readable;
  {
    MutexLock lock(mutex_);
    if (settled()) return;
    unread_.push_back(std::move(answer));
    any_unread_ = true;
    readable.swap(readable_);
    changed_.notify_all();
  }
  if (readable) readable();
}

// Whether this was the last word.
bool PendingCall::settle(Answer&& last, Unread unread) {
  Done done;
  std::function<void()> readable;
  std::list<Answer> dropped;
  TensorMap outputs;
  const std::exception_ptr error = last.error;
  {
    MutexLock lock(mutex_);
    if (settled()) return false;
    done.swap(done_);
    readable.swap(readable_);
    if (unread == Unread::dropped) dropped.swap(unread_);
    if (done) {
      outputs.swap(last.outputs);
    } else {
      last_.emplace(std::move(last));
    }
    settled_.store(true, std::memory_order_release);
    changed_.notify_all();
  }
  if (done) done(std::move(outputs), error);
  if (readable) readable();
  return true;
}

bool PendingCall::wait_until_readable(TimePoint deadline) {
  check_not_inherited();
  deadline = std::min(deadline, deadline_);
  if (receiver_ == ReceivedBy::caller || connection_->lets_others_receive()) {
    connection_->receive_until(
        number_, receiver_, [this] { return is_readable(); }, deadline);
  } else {
    MutexLock lock(mutex_);
    while (!is_readable() && monotonic_clock().now() < deadline) {
      monotonic_clock().wait_until(changed_, mutex_, deadline);
    }
  }
  if (is_readable()) return true;
  if (monotonic_clock().now() < deadline_) return false;
  if (settle(over(ErrorCode::deadline_exceeded, "the call's timeout has passed"))) connection_->cancel(number_);
  return true;
}

void PendingCall::when_readable(std::function<void()> readable) {
  check_not_inherited();
  {
    MutexLock lock(mutex_);
    is_told_ = true;
    if (!is_readable()) {
      readable.swap(readable_);  // what it replaces goes without the mutex
      return;
    }
  }
  readable();
}

std::optional<Answer> PendingCall::next() {
  if (!wait_until_readable(TimePoint::max())) settle(over(ErrorCode::worker_unavailable, "the connection is over"));
  std::optional<Answer> first;
  {
    MutexLock lock(mutex_);
    if (receiver_ == ReceivedBy::connection && !is_told_) connection_->answer_taken();
    if (unread_.empty()) return std::exchange(last_, std::nullopt);
    first = std::move(unread_.front());
    unread_.pop_front();
    any_unread_ = !unread_.empty();
  }
  connection_->answers_read(number_, 1);
  return first;
}

void PendingCall::cancel() {
  check_not_inherited();
  if (settle(over(ErrorCode::cancelled, "the call was cancelled"), Unread::dropped)) connection_->cancel(number_);
}

void PendingCall::abandon() noexcept {
  if (is_inherited()) return;
  std::list<Answer> dropped;
  std::optional<Answer> last;
  std::function<void()> readable;
  bool goes_on = false;
  {
    MutexLock lock(mutex_);
    dropped.swap(unread_);
    last.swap(last_);
    readable.swap(readable_);
    goes_on = !settled_.exchange(true);
  }
  if (goes_on) connection_->cancel(number_);
}

bool PendingCall::is_inherited() const noexcept { return made_in_ != fork_generation(); }

void PendingCall::check_not_inherited() const {
  if (is_inherited()) {
    throw Error(ErrorCode::worker_unavailable, "the call is the parent's of this forked process: connect anew");
  }
}

}  // namespace remotemedia::detail
