// SPDX-License-Identifier: Apache-2.0
//
// Calls as they leave a client, and what else it asks.

#include <algorithm>
#include <chrono>
#include <exception>
#include <limits>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/client_session.h"
#include "remotemedia/channel/inline_tensor.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

/// How long a caller waits for memory that the worker reads; without it the bytes travel with the call.
constexpr Duration kSegmentTime = std::chrono::seconds{1};
constexpr Duration kSegmentPause = std::chrono::seconds{10};  // after it has waited in vain
constexpr int kMostAskedFor = 4;

std::optional<Duration> time_left(TimePoint deadline) {
  if (deadline == TimePoint::max()) return std::nullopt;
  return std::max(deadline - monotonic_clock().now(), Duration{0});
}

std::size_t bytes_of(const Dims& shape, DataType dtype) {
  return static_cast<std::size_t>(checked(row_major(shape, dtype)).nbytes);
}

}  // namespace

TensorBuffer ClientSession::allocate(const Dims& shape, DataType dtype) {
  check_usable();
  const MemoryBlock block = input_block(bytes_of(shape, dtype), TimePoint::max());
  return block ? TensorBuffer::view_of(block, 0, row_major(shape, dtype)) : TensorBuffer::allocate(shape, dtype);
}

MemoryBlock ClientSession::input_block(std::size_t bytes, TimePoint deadline) {
  if (inputs_ == nullptr) return {};
  deadline = std::min(deadline, later(monotonic_clock().now(), kSegmentTime));
  for (int asked = 0; asked < kMostAskedFor; ++asked) {  // others take of what comes
    if (MemoryBlock block = inputs_->allocate(bytes)) return block;
    if (!ask_for_segment(bytes, deadline)) return {};
  }
  return inputs_->allocate(bytes);
}

bool ClientSession::ask_for_segment(std::size_t bytes, TimePoint deadline) {
  if (monotonic_clock().now().time_since_epoch() < ask_from_.load()) return false;
  const std::uint64_t wanted = bytes + kSegmentHeaderBytes + RangeAllocator::kGranule;
  try {
    const WorkerMessage reply = ask(AskSegmentMessage{0, wanted}, deadline);
    return std::holds_alternative<SegmentsMessage>(reply);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::deadline_exceeded) {
      ask_from_ = later(monotonic_clock().now(), kSegmentPause).time_since_epoch();
    }
    return false;
  }
}

void ClientSession::place(OutgoingTensor& outgoing, TimePoint deadline, Waiting waiting) {
  if (inputs_ == nullptr) return;
  const TensorBuffer& tensor = *outgoing.given;
  const std::size_t nbytes = tensor.nbytes();
  if (nbytes > 0) outgoing.place = inputs_->find(tensor.block());
  if (outgoing.place) return;
  outgoing.fits_record = fits_inline(tensor);
  if (outgoing.fits_record || nbytes == 0) return;
  const MemoryBlock block = waiting == Waiting::allowed ? input_block(nbytes, deadline) : inputs_->allocate(nbytes);
  if (!block) return;
  outgoing.copy = sound_view(block, 0, row_major(tensor.layout()));
  outgoing.copy->assign(tensor);
  outgoing.place = inputs_->find(block);
}

std::uint64_t ClientSession::submit(const TensorMap& inputs, Call&& call, ReceivedBy receiver, Waiting waiting) {
  check_usable();
  OutgoingTensors tensors;
  const bool numbered =
      for_each_keyed(inputs, worker_.signature.inputs, [&](TensorKey&& key, const TensorBuffer& tensor) {
        place(tensors.add(std::move(key), tensor), call.deadline, waiting);
      });
  const auto has_no_memory = [](const OutgoingTensor& tensor) { return !tensor.place && !tensor.fits_record; };
  if (waiting == Waiting::refused && inputs_ != nullptr && std::ranges::any_of(tensors.all(), has_no_memory)) return 0;
  const bool by_records = numbered && !call.stream && !call.session_id && call.parameters.empty() &&
                          call.priority == 0 && call.trace == nullptr && fits_records(tensors.all());
  const std::optional<Duration> left = time_left(call.deadline);
  const std::uint64_t number = ++last_number_;
  std::optional<Records> records;
  std::vector<Outgoing> items;
  if (by_records) {
    const auto left_ns = left ? std::max<std::int64_t>(left->count(), 1) : 0;
    records.emplace(
        RecordFields{
            .kind = DescriptorKind::submit, .request = number, .deadline_ns = static_cast<std::uint64_t>(left_ns)},
        tensors.all());
  } else {
    CallMessage message;
    message.request = number;
    message.priority = call.priority;
    message.time_left = left;
    message.stream = call.stream;
    message.session_id = call.session_id;
    message.parameters = std::move(call.parameters);
    if (call.trace != nullptr) {
      message.traceparent = call.trace->traceparent;
      message.tracestate = call.trace->tracestate;
    }
    append_message(items, std::move(message), DescriptorKind::submit, tensors.all(), limits_.inline_bytes);
  }
  Pending pending;
  pending.lent = lent_blocks(tensors.all());
  pending.on_answer = std::move(call.on_answer);
  pending.receiver = receiver;
  pending.deadline = call.deadline;
  add(number, std::move(pending));
  try {
    wake_receiver_unless(records ? outbox_->send(records->all()) : outbox_->send(std::move(items)));
  } catch (...) {
    if (remove(number, Inputs::let_go)) throw;
  }
  return number;
}

void ClientSession::cancel(std::uint64_t call) noexcept {
  try {
    check_usable();
    wake_receiver_unless(outbox_->send(write_message(CancelMessage{call})));
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): over, or it runs to its end
  }
}

void ClientSession::answers_read(std::uint64_t call, std::uint32_t count) noexcept {
  try {
    check_usable();
    wake_receiver_unless(outbox_->send(write_message(AnswersReadMessage{call, count})));
  } catch (const std::exception&) {
    channel_->shut_down();  // the stream would stand still
  }
}

void ClientSession::close_session(const std::string& session_id) {
  check_usable();
  wake_receiver_unless(outbox_->send(write_message(CloseSessionMessage{session_id})));
}

/// What could not be sent at once is sent by whoever receives, and he may sleep.
void ClientSession::wake_receiver_unless(bool all_went) noexcept {
  if (!all_went) wake_->ring();
}

template <class Question>
WorkerMessage ClientSession::ask(Question question, TimePoint deadline) {
  check_usable();
  struct Reply {
    Mutex mutex;
    std::optional<WorkerMessage> message REMOTEMEDIA_GUARDED_BY(mutex);
    std::exception_ptr error REMOTEMEDIA_GUARDED_BY(mutex);
  };
  const auto reply = std::make_shared<Reply>();
  const auto no_answer = std::make_exception_ptr(
      Error(ErrorCode::protocol_error, "the worker at " + endpoint_ + " answers a question as if it were a call"));
  Pending pending;
  pending.on_message = [reply](const WorkerMessage& message) {
    MutexLock lock(reply->mutex);
    reply->message = message;
  };
  pending.on_answer = [reply, no_answer](const Answer& answer) {
    MutexLock lock(reply->mutex);
    reply->error = answer.error != nullptr ? answer.error : no_answer;
  };
  question.request = ++last_number_;
  add(question.request, std::move(pending));
  wake_receiver_unless(outbox_->send(write_message(question)));
  const auto replied = [&] {
    MutexLock lock(reply->mutex);
    return reply->message.has_value() || reply->error != nullptr;
  };
  if (!receive_until(replied, deadline)) {
    (void)remove(question.request);
    throw Error(ErrorCode::deadline_exceeded, "the worker at " + endpoint_ + " does not answer");
  }
  MutexLock lock(reply->mutex);
  if (reply->error != nullptr) std::rethrow_exception(reply->error);
  return std::move(*reply->message);
}

WorkerInfo ClientSession::status(TimePoint deadline) {
  WorkerMessage reply = ask(AskStatusMessage{}, deadline);
  if (auto* const status = std::get_if<StatusMessage>(&reply)) return std::move(status->info);
  throw Error(ErrorCode::protocol_error, "the worker at " + endpoint_ + " answers something else than its status");
}

HealthReport ClientSession::health(TimePoint deadline) {
  WorkerMessage reply = ask(AskHealthMessage{}, deadline);
  if (auto* const health = std::get_if<HealthMessage>(&reply)) return {health->healthy, std::move(health->reason)};
  throw Error(ErrorCode::protocol_error, "the worker at " + endpoint_ + " answers something else than its health");
}

}  // namespace remotemedia::detail
