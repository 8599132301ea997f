// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/grpc_server.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <string>

#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/grpc/credentials.h"
#include "remotemedia/grpc/grpc_limits.h"
#include "remotemedia/grpc/transfer_arguments.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/tcp_address.h"

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

/// After gRPC has refused: nothing else can be why.
void check_credentials(const WireAccess& access) {
  if (!access.tls) return;
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

bool GrpcServer::listen(const std::string& address) {
  take_over_log();
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  set_limits(builder);
  builder.AddListeningPort(address, credentials_of(access_), &port_);
  for (RawService* const service : services()) builder.RegisterService(service);
  std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (server_ != nullptr) {
    queue_.start(std::move(queue));
  } else {
    queue->Shutdown();
  }
  return server_ != nullptr && port_ != 0;
}

GrpcServer::GrpcServer(const std::string& host, const std::string& port, const WireAccess& access)
    : GrpcServer(access) {
  const std::string address = host + ":" + port;
  if (listen(address)) return;
  const int refused = platform::tcp_bind_error(unbracketed(host), port);
  if (refused == 0) check_credentials(access_);
  throw platform::OsError("bind", refused == 0 ? EADDRINUSE : refused, "listen at " + address);
}

GrpcServer::GrpcServer(const std::filesystem::path& path, const WireAccess& access) : GrpcServer(access) {
  path_.emplace(path);
  if (!listen("unix:" + path_->unfinished().string())) {
    check_credentials(access_);
    throw platform::OsError("bind", EADDRNOTAVAIL, "listen at " + path.string());
  }
  path_->publish();
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
  health_.end();
  server_->Shutdown(std::chrono::system_clock::now() + kToLeave);
  for (RawService* const service : services()) service->wait_for_last_call();
  queue_.stop();
}

}  // namespace remotemedia::detail
