// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/client_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/create_channel_posix.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "remotemedia/grpc/credentials.h"
#include "remotemedia/grpc/transfer_arguments.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/platform/stream_connection.h"

namespace remotemedia::detail {
namespace {

/// How long nobody asks whether a call is still wanted.
constexpr std::chrono::milliseconds kAskTime{50};

grpc::ChannelArguments channel_arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // each connection tries for itself
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_MINIMAL_STACK, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_DEADLINE_CHECKS, 1);
  set_transfer_arguments([&](const char* name, int value) { arguments.SetInt(name, value); });
  return arguments;
}

/// By a socket that is better suited to large tensors than gRPC's own; none where gRPC is to say why it cannot connect.
platform::OwnedHandle connected(const std::string& target, const ConnectOptions& options,
                                ClientChannel::Connects connects) {
  constexpr std::string_view kUnix = "unix:";
  if (connects == ClientChannel::Connects::again || options.tls || !target.starts_with(kUnix)) return {};
  return platform::connect_stream(target.substr(kUnix.size()));
}

/// socket: becomes the channel's, which keeps the same one beside it.
std::shared_ptr<grpc::Channel> channel_by(platform::OwnedHandle& socket, const std::string& target,
                                          const ConnectOptions& options) {
  if (socket) {
    if (platform::OwnedHandle kept = platform::same_stream(socket.get())) {
      const int given = static_cast<int>(std::exchange(socket, std::move(kept)).release());
      return grpc::CreateCustomInsecureChannelFromFd(target, given, channel_arguments());
    }
    socket.close();
  }
  return grpc::CreateCustomChannel(target, credentials_of_client(options.tls), channel_arguments());
}

}  // namespace

ClientChannel::ClientChannel(const std::string& endpoint, const std::string& target, const ConnectOptions& options,
                             Connects connects)
    : worker_("the worker at " + endpoint),
      authorization_(options.token.empty() ? "" : "Bearer " + options.token),
      made_in_(fork_generation()),
      socket_(connected(target, options, connects)),
      channel_(channel_by(socket_, target, options)),
      stub_(std::make_unique<grpc::GenericStub>(channel_)) {}

ClientChannel::~ClientChannel() {
  if (!is_inherited()) return;
  static_cast<void>(stub_.release());
  static_cast<void>(new std::shared_ptr<grpc::Channel>(std::move(channel_)));
}

bool ClientChannel::is_inherited() const noexcept { return made_in_ != fork_generation(); }

bool ClientChannel::is_connected() const {
  return socket_ ? platform::has_peer(socket_.get()) : channel_->GetState(false) == GRPC_CHANNEL_READY;
}

void ClientChannel::authorize(grpc::ClientContext& context) const {
  if (!authorization_.empty()) context.AddMetadata("authorization", authorization_);
}

std::unique_ptr<grpc::GenericClientAsyncResponseReader> ClientChannel::unary(grpc::ClientContext& context,
                                                                             const std::string& method,
                                                                             const grpc::ByteBuffer& request,
                                                                             grpc::CompletionQueue& queue) {
  authorize(context);
  return stub_->PrepareUnaryCall(&context, method, request, &queue);
}

std::unique_ptr<grpc::GenericClientAsyncReaderWriter> ClientChannel::stream(grpc::ClientContext& context,
                                                                            const std::string& method,
                                                                            grpc::CompletionQueue& queue) {
  authorize(context);
  return stub_->PrepareCall(&context, method, &queue);
}

grpc::Status ClientChannel::ask(grpc::ClientContext& context, const std::string& method,
                                const grpc::ByteBuffer& request, grpc::ByteBuffer& response,
                                const std::function<bool()>& given_up) {
  grpc::CompletionQueue queue;
  grpc::Status status;
  const auto call = unary(context, method, request, queue);
  call->StartCall();
  call->Finish(&response, &status, this);
  void* tag = nullptr;
  bool ok = false;
  while (given_up) {
    const auto look_again = std::chrono::system_clock::now() + kAskTime;
    if (queue.AsyncNext(&tag, &ok, look_again) != grpc::CompletionQueue::TIMEOUT) return status;
    if (!given_up()) continue;
    context.TryCancel();
    break;
  }
  queue.Next(&tag, &ok);
  return status;
}

}  // namespace remotemedia::detail
