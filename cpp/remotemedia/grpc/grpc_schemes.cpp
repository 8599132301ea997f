// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/grpc_schemes.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/grpc/grpc_connection.h"
#include "remotemedia/grpc/grpc_server.h"
#include "remotemedia/grpc/models_client.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/oip/servers_by_address.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia::detail {
namespace {

constexpr std::string_view kScheme = "grpc://";
constexpr std::string_view kUnixScheme = "grpc+unix:";

/// Its threads are not there in a forked child.
void check_not_forked(const std::string& endpoint) {
  static const std::uint64_t first_used_in = fork_generation();
  if (first_used_in == fork_generation()) return;
  throw Error(ErrorCode::platform_not_supported,
              "the endpoint '" + endpoint +
                  "' is gRPC's, which the parent of this forked process has used and the child cannot: start it with "
                  "spawn, or use unix:/path");
}

using Servers = ServersByAddress<GrpcServer>;

Servers::Made server_at(const std::string& endpoint, const WireAccess& access) {
  static Servers servers;
  check_not_forked(endpoint);
  return servers.at(endpoint, endpoint, access, [&]() -> Servers::Made {
    if (endpoint.starts_with(kUnixScheme)) {
      return {std::make_shared<GrpcServer>(std::filesystem::path(endpoint.substr(kUnixScheme.size())), access),
              endpoint};
    }
    WireAddress address = wire_address_of(endpoint, kScheme);
    check_may_listen(endpoint, address, access);
    auto server = std::make_shared<GrpcServer>(address.host, address.port, access);
    address.port = std::to_string(server->port());
    return {server, std::string(kScheme) + address.text()};
  });
}

class GrpcListener final : public WorkerListener {
 public:
  GrpcListener(const ServedWorker& worker, const std::string& endpoint)
      : core_(worker.core), model_id_(worker.core.model_id()) {
    std::tie(server_, endpoint_) = server_at(endpoint, worker.core.config().access);
    try {
      const EndpointScheme& local = scheme_of("unix:");
      local_ = local.listen(worker, local.default_endpoint());
    } catch (const platform::OsError& error) {
      log(LogLevel::info,
          std::string("clients of this machine have no shared memory with ") + endpoint_ + ": " + error.what());
    }
    server_->add(worker, local_ == nullptr ? std::string() : local_->endpoint());
    seat_.emplace(server_->queue());
    core_.add_source(*seat_);
  }
  ~GrpcListener() override { stop(); }

  const std::string& endpoint() const noexcept override { return endpoint_; }
  void announce_drain() noexcept override {
    if (local_ != nullptr) local_->announce_drain();
    if (server_ != nullptr) server_->announce_drain(model_id_);
  }
  void stop() noexcept override {
    const std::shared_ptr<GrpcServer> server = std::exchange(server_, nullptr);
    if (server != nullptr) {
      if (seat_) core_.remove_source(*seat_);
      seat_.reset();
      server->remove(model_id_);
    }
    if (local_ != nullptr) local_->stop();
  }
  std::size_t shared_memory_bytes() const noexcept override {
    return local_ == nullptr ? 0 : local_->shared_memory_bytes();
  }

 private:
  WorkerCore& core_;
  const std::string model_id_;
  std::string endpoint_;
  std::shared_ptr<GrpcServer> server_;
  std::optional<ServerQueue::Seat> seat_;
  std::unique_ptr<WorkerListener> local_;
};

std::unique_ptr<WorkerListener> listen(const ServedWorker& worker, const std::string& endpoint) {
  return std::make_unique<GrpcListener>(worker, endpoint);
}

/// The endpoint without the name of a model, and that name.
std::pair<std::string, std::string> split_model(const std::string& endpoint) {
  const std::size_t mark = endpoint.find('#');
  if (mark == std::string::npos) return {endpoint, ""};
  if (mark + 1 == endpoint.size()) refuse_endpoint(endpoint, "names no model behind its #");
  return {endpoint.substr(0, mark), endpoint.substr(mark + 1)};
}

std::string target_of(const std::string& endpoint) {
  if (endpoint.starts_with(kUnixScheme)) return endpoint.substr(std::string_view("grpc+").size());
  return wire_address_of(endpoint, kScheme).text();
}

/// To the same worker; none where it has none for this client.
std::shared_ptr<WorkerConnection> by_shared_memory(const GrpcConnection& made, std::span<const std::byte, 16> client_id,
                                                   const ConnectOptions& options, TimePoint deadline) {
  constexpr std::string_view kLocal = "unix:";
  if (!made.shared_memory_endpoint().starts_with(kLocal)) return nullptr;
  try {
    const TimePoint soon = std::min(deadline, later(monotonic_clock().now(), std::chrono::seconds{1}));
    auto local = scheme_of(std::string(kLocal)).connect(made.shared_memory_endpoint(), client_id, options, soon);
    if (local->worker().worker_id == made.worker().worker_id && local->worker().model_id == made.worker().model_id) {
      return local;
    }
  } catch (const Error&) {
    return nullptr;  // of another machine behind a tunnel, or of another user
  }
  return nullptr;
}

// Its calls keep the connection while they are under way; whoever holds it ends them.
std::shared_ptr<WorkerConnection> connect(const std::string& endpoint, std::span<const std::byte, 16> client_id,
                                          const ConnectOptions& options, TimePoint deadline) {
  check_not_forked(endpoint);
  ClientId client{};
  std::ranges::copy(client_id, client.begin());
  const auto [address, model] = split_model(endpoint);
  std::shared_ptr<GrpcConnection> made =
      GrpcConnection::connect(endpoint, target_of(address), client, model, options, deadline);
  if (options.transport != Transport::grpc) {
    if (auto local = by_shared_memory(*made, client_id, options, deadline)) return local;
    if (options.transport == Transport::shared_memory) {
      throw Error(ErrorCode::shared_memory_unavailable,
                  "the worker at '" + endpoint +
                      "' has no shared memory with this client: it takes the same machine "
                      "and user, and a run directory in common; transport auto goes by gRPC then");
    }
  }
  GrpcConnection* const connection = made.get();
  return {connection, [made = std::move(made)](WorkerConnection*) { made->close(); }};
}

std::shared_ptr<ModelsConnection> connect_models(const std::string& endpoint, const ConnectOptions& options) {
  check_not_forked(endpoint);
  return ModelsClient::connect(endpoint, target_of(endpoint), options);
}

std::string default_endpoint() { return std::string(kScheme) + "127.0.0.1:0"; }

}  // namespace

std::span<const EndpointScheme> grpc_schemes() noexcept {
  static constexpr std::array<EndpointScheme, 2> kSchemes{
      EndpointScheme{kScheme, Transport::grpc, &listen, &connect, &default_endpoint, &connect_models},
      EndpointScheme{kUnixScheme, Transport::grpc, &listen, &connect, &default_endpoint, &connect_models}};
  return kSchemes;
}

}  // namespace remotemedia::detail
