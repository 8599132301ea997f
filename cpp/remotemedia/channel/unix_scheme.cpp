// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/unix_scheme.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "remotemedia/base/error.h"
#include "remotemedia/base/hexadecimal.h"
#include "remotemedia/channel/channel_server.h"
#include "remotemedia/channel/client_session.h"
#include "remotemedia/platform/machine.h"

namespace remotemedia::detail {
namespace {

constexpr std::string_view kScheme = "unix:";

std::string path_of(const std::string& endpoint) {
  std::string path = endpoint.substr(kScheme.size());
  if (path.empty()) {
    throw Error(ErrorCode::invalid_argument, "the endpoint '" + endpoint + "' has no path: write unix:/path");
  }
  return path;
}

std::unique_ptr<WorkerListener> listen(const ServedWorker& worker, const std::string& endpoint) {
  return std::make_unique<ChannelServer>(worker, endpoint, path_of(endpoint));
}

// Its own thread keeps the session alive; whoever holds the connection ends both.
std::shared_ptr<WorkerConnection> connect(const std::string& endpoint, std::span<const std::byte, 16> client_id,
                                          const ConnectOptions& /*options*/, TimePoint deadline) {
  ClientId client{};
  std::ranges::copy(client_id, client.begin());
  std::shared_ptr<ClientSession> session = ClientSession::connect(endpoint, path_of(endpoint), client, deadline);
  ClientSession* const connection = session.get();
  return {connection, [session = std::move(session)](WorkerConnection*) { session->close(); }};
}

std::shared_ptr<ModelsConnection> connect_models(const std::string& endpoint, const ConnectOptions& /*options*/) {
  throw Error(ErrorCode::invalid_argument,
              "'" + endpoint + "' has one model: models are listed, held and evicted at endpoints of gRPC");
}

std::string default_endpoint() {
  std::array<std::byte, 8> random{};
  platform::random_bytes(random);
  return std::string(kScheme) + (platform::run_directory() / ("worker-" + hexadecimal(random))).string();
}

}  // namespace

const EndpointScheme& unix_scheme() noexcept {
  static constexpr EndpointScheme kUnix{kScheme,  Transport::shared_memory, &listen,
                                        &connect, &default_endpoint,        &connect_models};
  return kUnix;
}

}  // namespace remotemedia::detail
