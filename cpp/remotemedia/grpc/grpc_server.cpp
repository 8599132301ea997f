// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/grpc_server.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <mutex>
#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/grpc/credentials.h"
#include "remotemedia/grpc/grpc_limits.h"
#include "remotemedia/grpc/infer_handlers.h"
#include "remotemedia/grpc/transfer_arguments.h"

namespace remotemedia::detail {
namespace {

constexpr std::chrono::milliseconds kToLeave{500};

void set_limits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(-1);  // of 2 GiB, which is protobuf's
  builder.SetMaxSendMessageSize(-1);
  builder.SetResourceQuota(grpc::ResourceQuota("remotemedia").Resize(kMostBytesReceived));
  const auto set = [&](const char* name, int value) { builder.AddChannelArgument(name, value); };
  set_transfer_arguments(set);
  set(GRPC_ARG_ALLOW_REUSEPORT, 0);
  set(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreams);
  set(GRPC_ARG_MAX_METADATA_SIZE, kMostMetadataBytes);
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kTimeForHandshake);
  set(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kTimeWithoutCalls);
  set(GRPC_ARG_KEEPALIVE_TIME_MS, kTimeWithoutBytes);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kTimeForPing);
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kTimeBetweenPings);
}

std::string unbracketed(const std::string& host) {
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

/// Of connections that are handed to it gRPC does not say beforehand that it cannot speak TLS with them.
void check_credentials(const WireAccess& access, const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  if (!access.tls) return;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", credentials, &port);
  const std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server != nullptr) server->Shutdown();
  queue->Shutdown();
  if (server != nullptr && port != 0) return;
  throw Error(ErrorCode::invalid_argument, "the TLS certificate '" + access.tls->certificate + "' and the key '" +
                                               access.tls->key + "' are no pair that can be used");
}

/// What gRPC and protobuf say goes where we say ours, once for the process; as no warning, since strangers can make
/// them say things.
void take_over_log() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function([](gpr_log_func_args* said) { log(LogLevel::info, "gRPC: " + std::string(said->message)); });
    google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*, int, const std::string& said) {
      log(LogLevel::info, "protobuf: " + said);
    });
  });
}

}  // namespace

void GrpcServer::listen(platform::StreamListener listener) {
  take_over_log();
  const std::shared_ptr<grpc::ServerCredentials> credentials = credentials_of(access_);
  check_credentials(access_, credentials);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  set_limits(builder);
  using From = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  auto acceptor = builder.experimental().AddExternalConnectionAcceptor(From::FROM_FD, credentials);
  for (RawService* const service : services()) builder.RegisterService(service);
  std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    queue->Shutdown();
    throw Error(ErrorCode::platform_not_supported, "gRPC cannot take connections here");
  }
  queue_.start(std::move(queue));
  port_ = listener.port();
  connections_.emplace(std::move(listener), std::move(acceptor));
}

GrpcServer::GrpcServer(const std::string& host, const std::string& port, const WireAccess& access)
    : GrpcServer(access) {
  listen(platform::StreamListener::at_port(unbracketed(host), port));
}

GrpcServer::GrpcServer(const std::filesystem::path& path, const WireAccess& access) : GrpcServer(access) {
  path_.emplace(path);
  listen(platform::StreamListener::at_path(path_->unfinished()));
  path_->publish();
}

std::vector<Method> GrpcServer::worker_methods() {
  std::vector<Method> methods = clients_.methods();
  methods.push_back(
      {"InferInParts", StreamHandler([this](StreamingCall& call) { return infer_in_parts_handler(call, infer_); })});
  return methods;
}

void GrpcServer::add(const ServedWorker& worker, const std::string& shared_memory_endpoint) {
  models_.add(worker);
  clients_.offer(worker.core.model_id(), shared_memory_endpoint);
  std::call_once(accepts_, [this] {
    for (RawService* const service : services()) service->accept(queue_.get());
  });
}

void GrpcServer::remove(const std::string& model_id) {
  clients_.end(model_id);
  leases_.end(model_id);
  models_.remove(model_id);
  leases_.end(model_id);  // of those who had found it before
}

GrpcServer::~GrpcServer() {
  if (server_ == nullptr) return;
  connections_.reset();
  health_.end();
  server_->Shutdown(std::chrono::system_clock::now() + kToLeave);
  for (RawService* const service : services()) service->wait_for_last_call();
  queue_.stop();
}

}  // namespace remotemedia::detail
