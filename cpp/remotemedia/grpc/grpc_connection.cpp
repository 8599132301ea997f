// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/grpc_connection.h"

#include <chrono>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "remotemedia/grpc/attachment.h"
#include "remotemedia/grpc/call_in_parts.h"
#include "remotemedia/grpc/call_origin.h"
#include "remotemedia/grpc/client_call.h"
#include "remotemedia/grpc/client_queue.h"
#include "remotemedia/grpc/infer_message.h"
#include "remotemedia/grpc/method_path.h"
#include "remotemedia/grpc/received_message.h"
#include "remotemedia/grpc/status_of.h"
#include "remotemedia/grpc/worker_messages.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

void set_deadline(grpc::ClientContext& context, TimePoint deadline) {
  if (deadline == TimePoint::max()) return;
  context.set_deadline(system_time_of(deadline));
}

std::size_t bytes_of(const TensorMap& tensors) noexcept {
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : tensors) bytes += tensor.nbytes();
  return bytes;
}

}  // namespace

std::shared_ptr<GrpcConnection> GrpcConnection::connect(const std::string& endpoint, const std::string& target,
                                                        const ClientId& client, const std::string& model,
                                                        const ConnectOptions& options, TimePoint deadline) {
  auto connection = std::make_shared<GrpcConnection>(endpoint, target, options);
  connection->attach(client, model, deadline);
  return connection;
}

GrpcConnection::GrpcConnection(const std::string& endpoint, const std::string& target, const ConnectOptions& options)
    : channel_(endpoint, target, options, ClientChannel::Connects::once) {}

GrpcConnection::~GrpcConnection() {
  if (channel_.is_inherited()) {
    static_cast<void>(new std::shared_ptr<Attachment>(std::move(attachment_)));  // nothing of gRPC's is touched
    return;
  }
  GrpcConnection::close();
}

void GrpcConnection::attach(const ClientId& client, const std::string& model, TimePoint deadline) {
  const auto attachment = std::make_shared<Attachment>([connection = weak_from_this()] {
    if (const auto still_there = connection.lock()) still_there->attachment_is_over();
  });
  {
    MutexLock lock(mutex_);
    attachment_ = attachment;
  }
  v1::AttachRequest request;
  request.set_client_id(client.data(), client.size());
  request.set_model(model);
  attachment->start(channel_, method_path(kWorkerService, "Attach"), message_bytes(request));
  const std::optional<v1::AttachEvent> first = attachment->first(deadline);
  if (!first) {
    const std::optional<grpc::Status> status = attachment->status();
    const Error why = status ? error_of(*status, attachment->context)
                             : Error(ErrorCode::deadline_exceeded, channel_.worker() + " does not answer");
    close();
    throw Error(why);
  }
  try {
    if (!first->has_attached()) throw Error(ErrorCode::protocol_error, channel_.worker() + " says nothing");
    attachment_token_ = first->attached().token();
    shared_memory_endpoint_ = first->attached().shared_memory_endpoint();
    worker_ = description_of(first->attached());
  } catch (...) {
    close();
    throw;
  }
}

void GrpcConnection::attachment_is_over() noexcept {
  {
    MutexLock lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }
  for (const auto& call : calls()) {
    if (!withdraw(*call, {grpc::StatusCode::UNAVAILABLE, "it waited for the session's call before it"})) call->cancel();
  }
}

std::vector<std::shared_ptr<ClientCall>> GrpcConnection::calls() const {
  std::vector<std::shared_ptr<ClientCall>> all;
  MutexLock lock(mutex_);
  for (const auto& [number, call] : calls_) all.push_back(call);
  return all;
}

// The attachment is perhaps told later, and gRPC would connect anew for a call, whoever serves there now.
bool GrpcConnection::is_over() const noexcept {
  if (channel_.is_inherited() || !channel_.is_connected()) over_ = true;
  return over_;
}

void GrpcConnection::check_usable() const {
  if (!is_over()) return;
  throw Error(ErrorCode::worker_unavailable, "the connection with " + channel_.worker() + " is over");
}

TensorBuffer GrpcConnection::allocate(const Dims& shape, DataType dtype) {
  check_usable();
  return TensorBuffer::allocate(shape, dtype);
}

std::uint64_t GrpcConnection::submit(const TensorMap& inputs, Call&& call, ReceivedBy receiver, Waiting /*waiting*/) {
  const std::uint64_t number = ++last_number_;
  grpc::ByteBuffer request;
  const std::shared_ptr<ClientCall> made = make_call(number, inputs, call, std::move(call.on_answer), request);
  grpc::ClientContext& metadata = made->metadata();
  metadata.AddMetadata(kAttachmentKey, attachment_token_);
  if (call.session_id) metadata.AddMetadata(kSessionKey, *call.session_id);
  if (call.priority != 0) metadata.AddMetadata(kPriorityKey, std::to_string(call.priority));
  if (call.trace != nullptr) {
    metadata.AddMetadata(kTraceparentKey, call.trace->traceparent);
    if (!call.trace->tracestate.empty()) metadata.AddMetadata(kTracestateKey, call.trace->tracestate);
  }
  set_deadline(metadata, call.deadline);
  {
    MutexLock lock(mutex_);
    check_usable();
    calls_.emplace(number, made);
  }
  const bool by_caller = receiver == ReceivedBy::caller && !call.stream;
  if (call.session_id || !by_caller) made->receive_at_once();
  if (call.session_id) {
    if (call.deadline != TimePoint::max()) made->wait_at_most_until(made, call.deadline);
    if (!lines_.enter(made->session, {made, request})) return number;
  }
  if (by_caller) made->receive_by_caller();
  made->start(request);
  return number;
}

std::shared_ptr<ClientCall> GrpcConnection::find(std::uint64_t call) const {
  MutexLock lock(mutex_);
  const auto found = calls_.find(call);
  return found == calls_.end() ? nullptr : found->second;
}

/// request: what it starts with.
std::shared_ptr<ClientCall> GrpcConnection::make_call(std::uint64_t number, const TensorMap& inputs, const Call& call,
                                                      std::function<void(Answer&&)> on_answer,
                                                      grpc::ByteBuffer& request) {
  const std::string session = call.session_id.value_or("");
  if (call.stream || (bytes_of(inputs) < kWorthParts && !answers_in_parts_)) {
    request = request_bytes(worker_.model_id, inputs, call.parameters);
    return ClientCall::make(call.stream, shared_from_this(), number, session, std::move(on_answer));
  }
  PartsToSend parts = request_parts(worker_.model_id, inputs, call.parameters);
  request = parts.next();
  return std::make_shared<CallInParts>(shared_from_this(), number, session, std::move(on_answer), std::move(parts));
}

void GrpcConnection::heard(const TensorMap& outputs) noexcept { answers_in_parts_ = bytes_of(outputs) >= kWorthParts; }

void GrpcConnection::cancel(std::uint64_t call) noexcept {
  const auto found = find(call);
  if (found == nullptr) return;
  found->cancelled_here = true;
  if (withdraw(*found, grpc::Status::CANCELLED)) return;
  found->cancel();
  found->tell_all();
}

bool GrpcConnection::withdraw(ClientCall& call, const grpc::Status& status) noexcept {
  if (!lines_.withdraw(call.session, call)) return false;
  call.is_done(status);
  return true;
}

void GrpcConnection::answers_read(std::uint64_t call, std::uint32_t count) noexcept {
  if (const auto found = find(call)) found->answers_read(count);
}

void GrpcConnection::answered() noexcept {
  MutexLock lock(mutex_);
  ++given_;
  changed_.notify_all();
}

void GrpcConnection::is_done(const ClientCall& call) noexcept {
  if (auto next = lines_.next_after(call.session, call)) next->call->start(next->request);
  std::shared_ptr<ClientCall> done;
  MutexLock lock(mutex_);
  const auto found = calls_.find(call.number);
  if (found == calls_.end()) return;
  done = std::move(found->second);
  calls_.erase(found);
  changed_.notify_all();
}

bool GrpcConnection::receive_until(std::uint64_t call, ReceivedBy /*receiver*/, const std::function<bool()>& done,
                                   TimePoint deadline) {
  const std::shared_ptr<ClientCall> receives = find(call);
  for (;;) {
    const std::uint64_t given = given_;
    if (done()) return true;
    if (deadline != TimePoint::max() && monotonic_clock().now() >= deadline) {
      MutexLock lock(mutex_);
      changed_.notify_all();  // another one may wait for the same call
      return false;
    }
    const auto told = receives == nullptr ? CallersQueue::Told::elsewhere : tell(*receives, deadline);
    if (told == CallersQueue::Told::here) continue;
    MutexLock lock(mutex_);
    if (given_ != given) continue;
    if (over_ && calls_.empty()) return false;
    monotonic_clock().wait_until(changed_, mutex_, deadline);
  }
}

/// One caller at a time looks: as many as call would be as many CPUs.
CallersQueue::Told GrpcConnection::tell(ClientCall& call, TimePoint deadline) {
  if (caller_looks_.exchange(true)) return call.tell(TimePoint{}, deadline);
  const TimePoint began = monotonic_clock().now();
  const auto told = call.tell(later(began, callers_spin_.get()), deadline);
  if (told == CallersQueue::Told::here) callers_spin_.waited(monotonic_clock().now() - began);
  caller_looks_ = false;
  return told;
}

Error GrpcConnection::error_of(const grpc::Status& status, std::string_view name, bool cancelled_here) const {
  const grpc::StatusCode code = status.error_code();
  const bool of_connection = code == grpc::StatusCode::CANCELLED || code == grpc::StatusCode::UNKNOWN ||
                             code == grpc::StatusCode::INTERNAL || code == grpc::StatusCode::UNAVAILABLE;
  const bool over = name.empty() && over_ && of_connection;
  Error error = detail::error_of(status, name, channel_.worker());
  // To a client that was attached these say that the worker ends.
  const bool ends =
      error.code() == ErrorCode::model_not_found || (error.code() == ErrorCode::cancelled && !cancelled_here);
  if (!over && !(ends && !attachment_token_.empty())) return error;
  return {ErrorCode::worker_unavailable, channel_.worker() + " is gone, or its connection: " + status.error_message()};
}

/// The attachment is told of the connection's end perhaps later than this call.
Error GrpcConnection::error_of(const grpc::Status& status, const grpc::ClientContext& context, bool cancelled_here) {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) over_ = true;
  return error_of(status, error_name(context), cancelled_here);
}

template <class Response, class Request>
Response GrpcConnection::ask(const char* method, const Request& request, TimePoint deadline) {
  check_usable();
  grpc::ClientContext context;
  context.AddMetadata(kAttachmentKey, attachment_token_);
  set_deadline(context, deadline);
  grpc::ByteBuffer response;
  const grpc::Status status =
      channel_.ask(context, method_path(kWorkerService, method), message_bytes(request), response);
  if (!status.ok()) throw error_of(status, context);
  return received_message<Response>(response);
}

void GrpcConnection::close_session(const std::string& session_id) {
  v1::CloseSessionRequest request;
  request.set_model(worker_.model_id);
  request.set_session_id(session_id);
  ask<v1::CloseSessionResponse>("CloseSession", request, TimePoint::max());
}

WorkerInfo GrpcConnection::status(TimePoint deadline) {
  v1::StatusRequest request;
  request.set_model(worker_.model_id);
  return info_of(ask<v1::StatusResponse>("Status", request, deadline));
}

HealthReport GrpcConnection::health(TimePoint deadline) {
  v1::HealthRequest request;
  request.set_model(worker_.model_id);
  const auto response = ask<v1::HealthResponse>("Health", request, deadline);
  return {response.healthy(), response.reason()};
}

void GrpcConnection::close() noexcept {
  if (channel_.is_inherited()) return;
  std::shared_ptr<Attachment> attachment;
  {
    MutexLock lock(mutex_);
    attachment = attachment_;
  }
  attachment_is_over();
  if (attachment != nullptr) attachment->cancel();
  if (is_client_queue_thread()) return;  // which the calls end on, when it has returned
  const Prompt prompt;
  for (const auto& call : calls()) call->tell_all();
  {
    MutexLock lock(mutex_);
    while (!calls_.empty()) changed_.wait(mutex_);
  }
  if (attachment != nullptr) attachment->wait_until_over();
}

}  // namespace remotemedia::detail
