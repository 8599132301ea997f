// SPDX-License-Identifier: Apache-2.0
//
// Who receives what comes to a client, and from where.

#include <algorithm>
#include <array>
#include <exception>
#include <thread>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/client_session.h"
#include "remotemedia/platform/cpu_relax.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/waiting.h"
#include "remotemedia/worker/answer_burst.h"

namespace remotemedia::detail {
namespace {

constexpr Duration kRetryTime = std::chrono::milliseconds{1};
constexpr int kShareOfSocket = 64;
constexpr std::size_t kMostEarly = 4096;
constexpr Duration kSegmentTime = std::chrono::seconds{1};  // for one that was sent before the ring's record

/// How long the own thread lets others receive after the last one that waited for a call of its: two threads that take
/// turns wake each other for every few answers.
constexpr Duration kRest = std::chrono::milliseconds{1};

constexpr int kMostInBurst = 64;
constexpr int kMostBehind = 8;  // of others', behind the one that was waited for: with more of them caches grow cold
constexpr Duration kBurstGap = std::chrono::microseconds{5};  // without an answer

/// Looks at the ring between two at the clock.
constexpr int kLooks = 32;

bool has_passed(TimePoint deadline) noexcept {
  return deadline != TimePoint::max() && monotonic_clock().now() >= deadline;
}

}  // namespace

bool ClientSession::receive_until(const std::function<bool()>& done, TimePoint deadline, ReceivedBy receiver) {
  for (;;) {
    const std::uint64_t given = given_;
    if (done()) return true;
    if (has_passed(deadline)) return false;
    {
      MutexLock lock(mutex_);
      ++waiters_;
      while (receiving_ && given_ == given && !over_ && !has_passed(deadline)) {
        monotonic_clock().wait_until(changed_, mutex_, deadline);
      }
      while (over_ && !all_told_) changed_.wait(mutex_);
      --waiters_;
      if (given_ != given || receiving_) continue;
      if (over_) return false;
      receiving_ = true;
    }
    // Others' answers, which nobody receives before the next one waits.
    receive_some(done, deadline, callers_spin_,
                 receiver == ReceivedBy::connection ? Then::take_what_is_there : Then::stop);
    MutexLock lock(mutex_);
    receiving_ = false;
    if (receiver == ReceivedBy::connection) own_thread_rests_until_ = later(monotonic_clock().now(), kRest);
    const bool own_thread = for_own_thread_ > 0 && std::exchange(own_thread_sleeps_, false);
    if (waiters_ > 0 || own_thread || closing_) changed_.notify_all();
  }
}

void ClientSession::run_own_thread() {
  for (;;) {
    TimePoint until{};
    bool receives = false;
    {
      MutexLock lock(mutex_);
      const auto may_receive = [this]() REMOTEMEDIA_REQUIRES(mutex_) {
        if (answer_was_taken_.exchange(false)) own_thread_rests_until_ = later(monotonic_clock().now(), kRest);
        return !receiving_ && for_own_thread_ > 0 && !over_ && monotonic_clock().now() >= own_thread_rests_until_;
      };
      while (!closing_ && !may_receive() && !has_passed(next_deadline())) {
        own_thread_sleeps_ = monotonic_clock().now() >= own_thread_rests_until_;
        const TimePoint rested = own_thread_sleeps_ ? TimePoint::max() : own_thread_rests_until_;
        monotonic_clock().wait_until(changed_, mutex_, std::min(rested, next_deadline()));
      }
      own_thread_sleeps_ = false;
      if (closing_) return;
      until = next_deadline();
      receives = may_receive() && !has_passed(until);
      if (receives) receiving_ = true;
    }
    if (receives) {
      SpinTime spin;  // forgets: with many connections the threads that look for long would be many
      receive_some(
          [&] {
            MutexLock lock(mutex_);
            return closing_ || waiters_ > 0 || answer_was_taken_ || for_own_thread_ == 0 || next_deadline() < until;
          },
          until, spin);
      MutexLock lock(mutex_);
      receiving_ = false;
      changed_.notify_all();
    }
    end_late_calls();
  }
}

TimePoint ClientSession::next_deadline() const {
  return deadlines_.empty() ? TimePoint::max() : deadlines_.begin()->first;
}

/// The worker ends them as well; but it may stand still.
void ClientSession::end_late_calls() {
  for (;;) {
    std::uint64_t number = 0;
    {
      MutexLock lock(mutex_);
      if (!has_passed(next_deadline())) return;
      number = deadlines_.begin()->second;
    }
    std::optional<Pending> late = remove(number);
    if (!late) continue;
    late->on_answer(
        Answer{{},
               std::make_exception_ptr(Error(ErrorCode::deadline_exceeded,
                                             "the worker at " + endpoint_ + " has not answered in the call's time")),
               true});
    cancel(number);
  }
}

/// Until `done`, the deadline or the end.
void ClientSession::receive_some(const std::function<bool()>& done, TimePoint deadline, SpinTime& spin, Then then) {
  AnswerBurst burst;
  int in_burst = 0;
  try {
    constexpr TimePoint kNot = TimePoint::max();
    TimePoint idle_since = kNot;  // or since it slept
    TimePoint waits_since = kNot;
    TimePoint last_look = kNot;
    const Duration spin_time = spin.get();
    for (;;) {
      bool came = false;
      for (int looks = 0; looks < kLooks && !came; ++looks) {
        came = receive_ring();
        if (!came) platform::cpu_relax();
      }
      if (came) {
        if (waits_since != kNot) spin.waited(last_look - waits_since);
        if (done()) {
          if (then == Then::stop) return;
          for (int behind = 0; behind < kMostBehind && receive_ring(); ++behind) {
          }
          return;
        }
        if (has_passed(deadline)) return;
        idle_since = waits_since = kNot;
        if (++in_burst == kMostInBurst) {
          burst.end();
          in_burst = 0;
        }
        continue;
      }
      const TimePoint now = monotonic_clock().now();
      if (now >= deadline) return;
      last_look = now;
      if (idle_since == kNot) idle_since = now;
      if (waits_since == kNot) waits_since = now;
      const bool looks_on = rings_ != nullptr && now - idle_since < spin_time;
      if (!looks_on || now - idle_since >= kBurstGap) {
        burst.end();
        in_burst = 0;
      }
      if (looks_on) {
        if (now - idle_since >= kEagerTime) std::this_thread::yield();
        continue;
      }
      if (rings_ != nullptr && !rings_->begin_sleep()) continue;
      std::array<platform::NativeHandle, 4> handles{channel_->wait_handle(), watch_.wait_handle(), wake_->wait_handle(),
                                                    rings_ != nullptr ? rings_->wait_handle() : platform::kNoHandle};
      const TimePoint wake = outbox_->is_waiting() ? std::min(deadline, later(now, kRetryTime)) : deadline;
      const std::vector<std::size_t> ready =
          platform::wait_for_any(std::span(handles).first(rings_ != nullptr ? 4 : 3), wake);
      if (rings_ != nullptr) rings_->end_sleep();
      if (std::ranges::find(ready, std::size_t{2}) != ready.end()) (void)wake_->wait(TimePoint{});
      outbox_->flush();
      if (outbox_->is_broken()) refuse("its ring says what cannot be");
      const bool socket_ready = std::ranges::any_of(ready, [](std::size_t index) { return index < 2; });
      if (socket_ready && !receive_socket()) {
        empty_ring();
        take_early();
        end(gone());
        return;
      }
      last_look = monotonic_clock().now();
      if (done()) return;
      idle_since = kNot;
    }
  } catch (const std::exception&) {
    end(std::current_exception());
  }
}

bool ClientSession::receive_ring() {
  if (!receive_record()) return false;
  take_early();
  return true;
}

bool ClientSession::receive_record() {
  if (rings_ == nullptr || !rings_->ready()) return false;
  Record record;
  if (!rings_->pop(record)) return false;
  take(record);
  return true;
}

/// What was sent before a message that is here. More than the ring holds was not.
void ClientSession::empty_ring() {
  for (std::uint32_t taken = 0; taken < limits_.ring_depth && receive_record(); ++taken) {
  }
}

/// Messages before which a segment was read, once whatever needed it is taken.
void ClientSession::take_early() {
  while (!early_.empty()) {
    platform::Message message = std::move(early_.front());
    early_.pop_front();
    take(message);
  }
}

/// A fair share of it, so that a deadline is seen whatever the worker sends. False when the worker has gone.
bool ClientSession::receive_socket() {
  heard_at_.store(monotonic_clock().coarse_now().time_since_epoch(), std::memory_order_relaxed);
  for (int taken = 0; taken < kShareOfSocket; ++taken) {
    platform::Message message;
    switch (channel_->receive(message, TimePoint{})) {
      case platform::DescriptorChannel::Received::message:
        take(message);
        take_early();
        break;
      case platform::DescriptorChannel::Received::nothing:
        return !watch_.wait(TimePoint{});
      case platform::DescriptorChannel::Received::closed:
        return false;
    }
  }
  return true;
}

/// Reads on until one has come: a pipe may be slower than the ring. What else comes has to wait, so that it stays in
/// order with what is being taken.
void ClientSession::receive_segment() {
  const TimePoint until = later(monotonic_clock().now(), kSegmentTime);
  for (;;) {
    platform::Message message;
    if (channel_->receive(message, until) != platform::DescriptorChannel::Received::message) {
      refuse("it sent a tensor in a segment that it did not send");
    }
    const bool is_segment =
        read_message_header(message.bytes).kind == static_cast<std::uint16_t>(MessageKind::segments);
    if (is_segment) {
      take(message);
      return;
    }
    if (early_.size() >= kMostEarly) refuse("it sent a tensor before its segment");
    early_.push_back(std::move(message));
  }
}

}  // namespace remotemedia::detail
