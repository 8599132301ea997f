// SPDX-License-Identifier: Apache-2.0
//
// What comes to a client: answers, memory that comes back, and replies to what it asked.

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/client_session.h"
#include "remotemedia/channel/message_limits.h"

namespace remotemedia::detail {
namespace {

constexpr std::size_t kMostOwnOutput = 4096;  // what is no larger is copied: memory that the worker has back at once
constexpr std::size_t kMostWaitingForMessages = 4 * kMaxTensors;

TensorBuffer own_if_small(TensorBuffer tensor) {
  const bool is_lent = tensor.storage() == StorageKind::shared_memory;
  if (is_lent && tensor.nbytes() <= kMostOwnOutput) tensor = tensor.copy().as_read_only();
  return tensor;
}

}  // namespace

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
  LentBlocks& lent = ended != lent_.end() ? ended->second : pending->second.lent;
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
  note_given();
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
  note_given();
}

/// Whoever waits counts himself before he looks at what was given.
void ClientSession::note_given() {
  ++given_;
  if (waiters_ == 0) return;
  MutexLock lock(mutex_);
  changed_.notify_all();
}

}  // namespace remotemedia::detail
