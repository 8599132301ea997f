// SPDX-License-Identifier: Apache-2.0
//
// Calls as they come to a worker, and their answers.

#include <algorithm>
#include <exception>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/channel/server_session.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/worker/batch.h"

namespace remotemedia::detail {
namespace {

/// Tensors whose record came and whose message did not: a client sends the message next.
constexpr std::size_t kMostWaitingForMessages = 4 * kMaxTensors;

/// Inputs that will be copied: a tensor that repeats its elements takes more than it has in its segment.
void check_copies(const TensorMap& inputs, std::size_t most_bytes) {
  std::size_t left = most_bytes;
  for (const auto& [name, tensor] : inputs) {
    if (!is_copied_for_the_model(tensor)) continue;
    if (tensor.nbytes() > left) {
      throw Error(ErrorCode::quota_exceeded,
                  "inputs of whole numbers and of bytes are copied, and these have more than the " +
                      std::to_string(most_bytes) + " bytes that are permitted");
    }
    left -= tensor.nbytes();
  }
}

}  // namespace

void ServerSession::take_input(const TensorDescriptor& descriptor) {
  TensorBuffer tensor = inputs_.view(descriptor);
  if ((descriptor.flags & kTensorOfMessage) != 0) {
    if (++waiting_for_messages_ > kMostWaitingForMessages) {
      throw Error(ErrorCode::protocol_error, "a client sent too many tensors without their messages");
    }
    of_messages_[descriptor.request_id].push_back(std::move(tensor));
    return;
  }
  const std::span<const TensorSpec> specs = host_.worker().core.signature().inputs;
  if (!assembled_.add(descriptor, std::move(tensor), specs)) return;
  Call call;
  const std::uint64_t left = std::min<std::uint64_t>(assembled_.deadline_ns(), kMaxCounted);
  if (left != 0) call.deadline = later(monotonic_clock().now(), Duration{static_cast<std::int64_t>(left)});
  try {
    call.inputs = assembled_.take(specs);
  } catch (const Error& error) {
    fail(assembled_.request(), error.code(), error.what());
    return;
  }
  submit(assembled_.request(), std::move(call), Inputs::do_not_count);
}

void ServerSession::take(const CallMessage& call) {
  std::deque<TensorBuffer> of_records;
  if (const auto found = of_messages_.find(call.request); found != of_messages_.end()) {
    of_records = std::move(found->second);
    of_messages_.erase(found);
    waiting_for_messages_ -= of_records.size();
  }
  ChunkedCall taken;
  taken.call.request = call.request;
  taken.call.priority = call.priority;
  taken.call.time_left = call.time_left;
  taken.call.stream = call.stream;
  taken.call.session_id = call.session_id;
  taken.call.parameters = call.parameters;
  taken.call.traceparent = call.traceparent;
  taken.call.tracestate = call.tracestate;
  try {
    taken.tensors.emplace(call.tensors, of_records, process_->copied_inputs.most(),
                          [this](std::size_t bytes) { return allocate_copied_input(process_, bytes); });
  } catch (const Error& error) {
    if (error.code() == ErrorCode::protocol_error) throw;
    fail(call.request, error.code(), error.what());
  }
  const bool chunks =
      std::ranges::any_of(call.tensors, [](const MessageTensor& tensor) { return tensor.bytes_in == BytesIn::chunks; });
  if (!chunks && !taken.tensors) return;
  if (chunks) {
    for (const MessageTensor& tensor : call.tensors) {
      if (tensor.bytes_in == BytesIn::chunks) taken.last = static_cast<std::uint32_t>(&tensor - call.tensors.data());
      if (tensor.bytes_in == BytesIn::chunks) taken.last_bytes = static_cast<std::uint64_t>(dense_size(tensor).nbytes);
    }
    chunked_ = std::move(taken);
    return;
  }
  complete(taken);
}

void ServerSession::take(const ChunkMessage& chunk) {
  if (!chunked_ || chunk.request != chunked_->call.request) {
    throw Error(ErrorCode::protocol_error, "a client sent a chunk of no call");
  }
  if (chunked_->tensors) {
    chunked_->tensors->add(chunk);
    if (!chunked_->tensors->complete()) return;
    ChunkedCall complete_call = std::move(*chunked_);
    chunked_.reset();
    complete(complete_call);
  } else if (chunk.tensor == chunked_->last && chunk.offset + chunk.bytes.size() >= chunked_->last_bytes) {
    chunked_.reset();
  }
}

void ServerSession::complete(ChunkedCall& taken) {
  Call call;
  try {
    call.inputs = taken.tensors->take(host_.worker().core.signature().inputs);
  } catch (const Error& error) {
    fail(taken.call.request, error.code(), error.what());
    return;
  }
  call.parameters = std::move(taken.call.parameters);
  call.session_id = std::move(taken.call.session_id);
  call.priority = taken.call.priority;
  call.stream = taken.call.stream;
  call.trace = trace_context(taken.call.traceparent, taken.call.tracestate);
  if (taken.call.time_left) call.deadline = later(monotonic_clock().now(), *taken.call.time_left);
  submit(taken.call.request, std::move(call), Inputs::count);
}

void ServerSession::submit(std::uint64_t request, Call&& call, Inputs inputs) {
  if (call.stream) {
    call.on_answer = [self = shared_from_this(), request, number = std::uint64_t{0}](Answer&& answer) mutable {
      self->answer(request, true, number++, Inputs::count, std::move(answer));
    };
  } else {
    call.on_answer = {shared_from_this(), request,
                      inputs == Inputs::count ? &answer_to<Inputs::count> : &answer_to<Inputs::do_not_count>};
  }
  if (request == 0 || calls_.find(request) != nullptr) {
    throw Error(ErrorCode::protocol_error, "a client used the number of a call that is not answered yet");
  }
  try {
    check_copies(call.inputs, process_->copied_inputs.most());
    RequestPtr& place = calls_.place(request);
    place = host_.worker().core.submit(caller_, std::move(call));
  } catch (const std::exception&) {
    fail(request, std::current_exception());
  }
}

void ServerSession::take(const CancelMessage& cancel) {
  if (const RequestPtr request = calls_.find(cancel.request)) host_.worker().core.cancel(request);
}

void ServerSession::take(const AnswersReadMessage& read) {
  if (const RequestPtr request = calls_.find(read.request)) host_.worker().core.answers_read(request, read.count);
}

void ServerSession::take(const CloseSessionMessage& close) {
  host_.worker().core.close_session({caller_->client_id(), close.session_id});
}

void ServerSession::take(const AskStatusMessage& ask) {
  outbox_->send(write_message(StatusMessage{ask.request, host_.worker().status()}));
}

void ServerSession::take(const AskHealthMessage& ask) {
  const bool healthy = host_.worker().core.healthy();
  outbox_->send(write_message(HealthMessage{ask.request, healthy, healthy ? "" : host_.worker().status().reason}));
}

/// Inputs that count are let go before the client hears: it may call again at once.
void ServerSession::answer(std::uint64_t request, bool stream, std::uint64_t number, Inputs inputs, Answer&& answer) {
  bool all_went = true;
  try {
    if (answer.error == nullptr) {
      all_went = answer_outputs(request, stream, number, inputs, answer);
    } else {
      answer.inputs.clear();
      all_went = fail(request, answer.error);
    }
  } catch (const std::exception&) {
    answer.inputs.clear();
    all_went = fail(request, std::current_exception());
  }
  if (!all_went) host_.wake_poller();
}

bool ServerSession::answer_outputs(std::uint64_t request, bool stream, std::uint64_t number, Inputs inputs,
                                   Answer& answer) {
  OutgoingTensors tensors;
  const bool numbered = for_each_keyed(
      answer.outputs, host_.worker().core.signature().outputs,
      [&](TensorKey&& key, const TensorBuffer& tensor) { outputs_->place(tensors.add(std::move(key), tensor)); });
  if (numbered && !stream && fits_records(tensors.all())) {
    lent_.lend(tensors.all());
    const std::uint32_t flags = PeerSegments::end_unsaid(answer.inputs) ? kInputsLetGo : 0;
    if (inputs == Inputs::count) answer.inputs.clear();
    const Records records({.kind = DescriptorKind::result, .request = request, .flags = flags}, tensors.all());
    return outbox_->send(records.all());
  }
  std::vector<Outgoing> items;
  append_message(items, AnswerMessage{request, number, answer.last, {}}, DescriptorKind::result, tensors.all(),
                 kMaxInlineBytes);
  lent_.lend(tensors.all());
  answer.inputs.clear();
  return outbox_->send(std::move(items));
}

bool ServerSession::fail(std::uint64_t request, ErrorCode code, const std::string& text) {
  try {
    return outbox_->send(write_message(FailureMessage{request, code, text}));
  } catch (const std::exception&) {
    channel_->shut_down();  // an answer that is not told would be waited for
    return true;
  }
}

bool ServerSession::fail(std::uint64_t request, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return fail(request, known.code(), known.what());
  } catch (const std::bad_alloc&) {
    return fail(request, ErrorCode::out_of_memory, "the worker has no memory left for this call");
  } catch (const std::exception& other) {
    return fail(request, ErrorCode::inference_failed, other.what());
  }
}

}  // namespace remotemedia::detail
