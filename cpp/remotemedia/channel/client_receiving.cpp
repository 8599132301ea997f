// SPDX-License-Identifier: Apache-2.0
//
// What comes to a client, and who receives it.

#include <algorithm>
#include <array>
#include <exception>
#include <limits>
#include <thread>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/client_session.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/platform/cpu_relax.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/waiting.h"
#include "remotemedia/worker/answer_burst.h"

namespace remotemedia::detail {
namespace {

constexpr Duration kRetryTime = std::chrono::milliseconds{1};
constexpr std::size_t kMostOwnOutput = 4096;  // what is no larger is copied: memory that the worker has back at once
constexpr int kShareOfSocket = 64;
constexpr std::size_t kMostEarly = 4096;
constexpr Duration kSegmentTime = std::chrono::seconds{1};  // for one that was sent before the ring's record
constexpr std::size_t kMostWaitingForMessages = 4 * kMaxTensors;

/// How long the own thread lets others receive after the last one that waited for a call of its: two threads that take
/// turns wake each other for every few answers.
constexpr Duration kRest = std::chrono::milliseconds{1};

constexpr int kMostInBurst = 64;
constexpr Duration kBurstGap = std::chrono::microseconds{5};  // without an answer

/// Looks at the ring between two at the clock.
constexpr int kLooks = 32;

bool has_passed(TimePoint deadline) noexcept {
  return deadline != TimePoint::max() && monotonic_clock().now() >= deadline;
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::protocol_error, "the worker is refused: " + why);
}

TensorBuffer own_if_small(TensorBuffer tensor) {
  const bool is_lent = tensor.storage() == StorageKind::shared_memory;
  if (is_lent && tensor.nbytes() <= kMostOwnOutput) tensor = tensor.copy().as_read_only();
  return tensor;
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
    receive_some(done, deadline, callers_spin_);
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
            return closing_ || waiters_ > 0 || for_own_thread_ == 0 || next_deadline() < until;
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
void ClientSession::receive_some(const std::function<bool()>& done, TimePoint deadline, SpinTime& spin) {
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
        if (!early_.empty() && !receive_socket()) {
          end(gone());
          return;
        }
        if (waits_since != kNot) spin.waited(last_look - waits_since);
        if (done()) return;
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
  if (rings_ == nullptr || !rings_->ready()) return false;
  Record record;
  if (!rings_->pop(record)) return false;
  take(record);
  return true;
}

/// What was sent before a message that is here. More than the ring holds was not.
void ClientSession::empty_ring() {
  for (std::uint32_t taken = 0; taken < limits_.ring_depth && receive_ring(); ++taken) {
  }
}

/// A fair share of it, so that a deadline is seen whatever the worker sends. False when the worker has gone.
bool ClientSession::receive_socket() {
  heard_at_.store(monotonic_clock().coarse_now().time_since_epoch(), std::memory_order_relaxed);
  while (!early_.empty()) {
    platform::Message message = std::move(early_.front());
    early_.pop_front();
    take(message);
  }
  for (int taken = 0; taken < kShareOfSocket; ++taken) {
    platform::Message message;
    switch (channel_->receive(message, TimePoint{})) {
      case platform::DescriptorChannel::Received::message:
        take(message);
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
/// order with the ring.
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

void ClientSession::take(const Record& record) {
  const TensorDescriptor descriptor = decode(record);
  switch (static_cast<DescriptorKind>(descriptor.kind)) {
    case DescriptorKind::result:
      take_output(descriptor);
      return;
    case DescriptorKind::release:
      take_release(descriptor);
      return;
    default:
      refuse("it sent a record of a kind that no worker sends");
  }
}

void ClientSession::take_output(const TensorDescriptor& descriptor) {
  // The message that grants the segment was sent first, and may not be read yet.
  while ((descriptor.flags & kInline) == 0 && !outputs_.has(descriptor.segment)) receive_segment();
  TensorBuffer tensor = own_if_small(outputs_.view(descriptor));
  if ((descriptor.flags & kTensorOfMessage) != 0) {
    std::deque<TensorBuffer>& waiting = of_messages_[descriptor.request_id];
    if (++waiting_for_messages_ > kMostWaitingForMessages) refuse("it sent too many tensors without their messages");
    waiting.push_back(std::move(tensor));
    return;
  }
  if (!assembled_.add(descriptor, std::move(tensor), worker_.signature.outputs)) return;
  Answer answer;
  answer.outputs = assembled_.take(worker_.signature.outputs);
  give(assembled_.request(), std::move(answer),
       (descriptor.flags & kInputsLetGo) != 0 ? Inputs::let_go : Inputs::may_be_read);
}

void ClientSession::take_release(const TensorDescriptor& release) {
  const auto is_it = [&](const LentBlock& lent) {
    return lent.place.segment == release.segment && lent.place.generation == release.generation &&
           lent.place.slot_offset == release.slot_offset;
  };
  LentBlock given_back;  // let go without the mutex
  MutexLock lock(mutex_);
  const auto pending = pending_.find(release.request_id);
  const auto ended = pending == pending_.end() ? lent_.find(release.request_id) : lent_.end();
  if (pending == pending_.end() && ended == lent_.end()) refuse("it gave back a tensor of a call that lent it none");
  std::vector<LentBlock>& lent = ended != lent_.end() ? ended->second : pending->second.lent;
  const auto found = std::ranges::find_if(lent, is_it);
  if (found == lent.end()) refuse("it gave back a tensor that it was not lent");
  given_back = std::move(*found);
  lent.erase(found);
  if (ended != lent_.end() && lent.empty()) lent_.erase(ended);
}

void ClientSession::take(platform::Message& message) {
  WorkerMessage read = read_worker_message(message.bytes);
  if (auto* const segments = std::get_if<SegmentsMessage>(&read)) {
    add_segments(segments->segments, message.handles);
    if (segments->request == 0) return;
    take_reply(segments->request, read);
  } else if (!message.handles.empty()) {
    refuse("a message came with handles that it does not name");
  } else if (const auto* const answer = std::get_if<AnswerMessage>(&read)) {
    empty_ring();
    take_answer(*answer);
    return;
  } else if (const auto* const chunk = std::get_if<ChunkMessage>(&read)) {
    take_chunk(*chunk);
    return;
  } else if (const auto* const failure = std::get_if<FailureMessage>(&read)) {
    give(failure->request, Answer{{}, std::make_exception_ptr(Error(failure->code, failure->text)), true});
    return;
  } else if (const auto* const refused = std::get_if<RefusedMessage>(&read)) {
    throw Error(refused->code, "the worker at " + endpoint_ + " ended the session: " + refused->text);
  } else if (std::holds_alternative<WelcomeMessage>(read)) {
    refuse("it welcomed twice");
  } else {
    const std::uint64_t number = read_message_header(message.bytes).request;
    if (number == 0) return;
    take_reply(number, read);
  }
  MutexLock lock(mutex_);
  ++given_;
  if (waiters_ > 0) changed_.notify_all();
}

void ClientSession::take_reply(std::uint64_t number, const WorkerMessage& reply) {
  {
    MutexLock lock(mutex_);
    const auto found = pending_.find(number);
    if (found != pending_.end() && !found->second.on_message) refuse("it answered a call as if it were a question");
  }
  if (const std::optional<Pending> pending = remove(number)) pending->on_message(reply);
}

void ClientSession::take_answer(const AnswerMessage& answer) {
  if (chunked_) refuse("an answer is not complete, and another one came");
  std::deque<TensorBuffer> of_records;
  if (const auto found = of_messages_.find(answer.request); found != of_messages_.end()) {
    const auto records = static_cast<std::size_t>(std::ranges::count_if(
        answer.tensors, [](const MessageTensor& tensor) { return tensor.bytes_in == BytesIn::record; }));
    for (std::size_t i = 0; i < records && !found->second.empty(); ++i) {
      of_records.push_back(std::move(found->second.front()));
      found->second.pop_front();
      --waiting_for_messages_;
    }
    if (found->second.empty()) of_messages_.erase(found);
  }
  IncomingTensors tensors(answer.tensors, of_records, std::numeric_limits<std::int64_t>::max(), [](std::size_t bytes) {
    return TensorBuffer::allocate({static_cast<std::int64_t>(bytes)}, DataType::uint8);
  });
  chunked_.emplace(ChunkedAnswer{answer.request, answer.last, std::move(tensors)});
  finish_chunked();
}

void ClientSession::take_chunk(const ChunkMessage& chunk) {
  if (!chunked_ || chunked_->request != chunk.request) refuse("a chunk came of no answer");
  chunked_->tensors.add(chunk);
  finish_chunked();
}

void ClientSession::finish_chunked() {
  if (!chunked_->tensors.complete()) return;
  ChunkedAnswer complete = std::move(*chunked_);
  chunked_.reset();
  Answer answer;
  answer.last = complete.last;
  answer.outputs = complete.tensors.take(worker_.signature.outputs);
  give(complete.request, std::move(answer));
}

void ClientSession::give(std::uint64_t request, Answer&& answer, Inputs inputs) {
  AnswerFunction on_answer;
  if (answer.last) {
    if (std::optional<Pending> pending = remove(request, inputs)) on_answer = std::move(pending->on_answer);
  } else {
    MutexLock lock(mutex_);
    if (const auto found = pending_.find(request); found != pending_.end()) on_answer = found->second.on_answer;
  }
  if (on_answer) on_answer(std::move(answer));
  MutexLock lock(mutex_);
  ++given_;
  if (waiters_ > 0) changed_.notify_all();
}

}  // namespace remotemedia::detail
