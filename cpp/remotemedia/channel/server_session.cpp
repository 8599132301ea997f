// SPDX-License-Identifier: Apache-2.0
//
// A session's begin and end, and what comes in.

#include "remotemedia/channel/server_session.h"

#include <exception>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/message_limits.h"

namespace remotemedia::detail {
namespace {

constexpr std::uint32_t kShareOfRing = 64;
constexpr std::uint32_t kShareOfSocket = 32;

/// Above this nothing is taken from a client that does not read.
constexpr std::size_t kMostKept = 64;

}  // namespace

ServerSession::ServerSession(SessionHost& host, platform::DescriptorChannel channel,
                             std::shared_ptr<ClientProcess> process, std::string name, TimePoint hello_by)
    : host_(host),
      process_(std::move(process)),
      name_(std::move(name)),
      hello_by_(hello_by),
      watch_(platform::PeerWatch::of(channel)),
      outbox_(std::make_shared<Outbox>(channel_, nullptr)),
      inputs_(outbox_, kTensorOfMessage | kInline) {
  channel_.set(std::move(channel));
  ++process_->sessions;
}

void ServerSession::append_wait_handles(std::vector<platform::NativeHandle>& handles, bool bell) {
  handles.push_back(channel_->wait_handle());
  handles.push_back(watch_.wait_handle());
  if (bell && rings_ != nullptr) handles.push_back(rings_->wait_handle());
}

bool ServerSession::serve_ring() {
  if (rings_ == nullptr || !rings_->ready() || keeps_too_much()) return false;
  Record record;
  std::uint32_t taken = 0;
  for (; taken < kShareOfRing && rings_->pop(record); ++taken) take(record);
  return taken > 0;
}

bool ServerSession::keeps_too_much() const { return outbox_->waiting() > kMostKept; }

/// What was sent before a message that is here. More than the ring holds was not.
std::uint32_t ServerSession::empty_ring() {
  if (rings_ == nullptr) return 0;
  Record record;
  std::uint32_t taken = 0;
  for (; taken < ring_depth_ && rings_->pop(record); ++taken) take(record);
  return taken;
}

bool ServerSession::serve_socket() {
  outbox_->flush();
  if (outbox_->is_broken()) return false;
  for (std::uint32_t taken = 0; taken < kShareOfSocket && !keeps_too_much(); ++taken) {
    platform::Message message;
    switch (channel_->receive(message, TimePoint{})) {
      case platform::DescriptorChannel::Received::message:
        taken += empty_ring() / kShareOfRing;
        take(message);
        break;
      case platform::DescriptorChannel::Received::nothing:
        return !watch_.wait(TimePoint{});
      case platform::DescriptorChannel::Received::closed:
        return false;
    }
  }
  if (keeps_too_much() && channel_->peer_has_left()) return false;
  return !watch_.wait(TimePoint{});
}

void ServerSession::take(platform::Message& message) {
  if (!message.handles.empty()) throw Error(ErrorCode::protocol_error, "a client sent a handle");
  const ClientMessage read = read_client_message(message.bytes);
  if (std::holds_alternative<HelloMessage>(read) == (caller_ != nullptr)) {
    throw Error(ErrorCode::protocol_error,
                caller_ == nullptr ? "a client's first message must be its hello" : "a client said hello twice");
  }
  if (chunked_ && !std::holds_alternative<ChunkMessage>(read)) {
    throw Error(ErrorCode::protocol_error, "a client's call is not complete, and something else came");
  }
  std::visit([&](const auto& known) { take(known); }, read);
}

void ServerSession::take(const Record& record) {
  const TensorDescriptor descriptor = decode(record);
  switch (static_cast<DescriptorKind>(descriptor.kind)) {
    case DescriptorKind::submit:
      take_input(descriptor);
      return;
    case DescriptorKind::release:
      (void)lent_.take_back(descriptor);
      return;
    case DescriptorKind::cancel:
      take(CancelMessage{descriptor.request_id});
      return;
    default:
      throw Error(ErrorCode::protocol_error, "a client sent a record of a kind that no client sends");
  }
}

void ServerSession::announce_drain() noexcept {
  try {
    if (caller_ != nullptr) outbox_->send(write_message(DrainingMessage{}));
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): its calls will be refused
  }
}

void ServerSession::end(const Error* why) noexcept {
  over_ = true;
  --process_->sessions;
  try {
    if (why != nullptr) {
      RefusedMessage refused;
      refused.code = why->code();
      refused.text = why->what();
      outbox_->send(write_message(refused));
    }
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): it sees the end
  }
  outbox_->flush();
  outbox_->close();
  channel_->shut_down();
  const std::vector<RequestPtr> calls = calls_.clear();
  if (caller_ != nullptr) {
    if (host_.leave(client_)) host_.worker().core.close_client(caller_->client_id());
    for (const RequestPtr& request : calls) host_.worker().core.cancel(request);
  }
  assembled_.drop();
  chunked_.reset();
  of_messages_.clear();
  rings_.reset();
  // Unmapping takes milliseconds, and others wait for this thread.
  try {
    host_.run_beside([outputs = outputs_, blocks = lent_.clear(), segments = std::move(segments_),
                      unsealed = std::move(unsealed_), process = process_, counted = counted_inputs_]() mutable {
      blocks.clear();
      unsealed.clear();
      segments.clear();
      process->inputs.give_back(counted);
      if (outputs != nullptr) outputs->close();
    });
  } catch (const std::exception&) {
    if (outputs_ != nullptr) outputs_->close();
    process_->inputs.give_back(counted_inputs_);
  }
}

}  // namespace remotemedia::detail
