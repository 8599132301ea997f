// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/http_schemes.h"

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/http/http_server.h"
#include "remotemedia/oip/servers_by_address.h"

namespace remotemedia::detail {
namespace {

constexpr std::string_view kScheme = "http://";

using Servers = ServersByAddress<HttpServer>;

Servers::Made server_at(const std::string& endpoint, const WireAccess& access) {
  static Servers servers;
  WireAddress address = wire_address_of(endpoint, kScheme);
  check_may_listen(endpoint, address, access);
  return servers.at(endpoint, address.text(), access, [&]() -> Servers::Made {
    auto server = std::make_shared<HttpServer>(address, access);
    address.port = std::to_string(server->port());
    return {server, address.text()};
  });
}

class HttpListener final : public WorkerListener {
 public:
  HttpListener(const ServedWorker& worker, const std::string& endpoint) : model_id_(worker.core.model_id()) {
    std::tie(server_, endpoint_) = server_at(endpoint, worker.core.config().access);
    endpoint_.insert(0, kScheme);
    server_->add(worker);
  }
  ~HttpListener() override { stop(); }

  const std::string& endpoint() const noexcept override { return endpoint_; }
  void announce_drain() noexcept override {}
  void stop() noexcept override {
    const std::shared_ptr<HttpServer> server = std::exchange(server_, nullptr);
    if (server != nullptr) server->remove(model_id_);
  }
  std::size_t shared_memory_bytes() const noexcept override { return 0; }

 private:
  const std::string model_id_;
  std::string endpoint_;
  std::shared_ptr<HttpServer> server_;
};

std::unique_ptr<WorkerListener> listen(const ServedWorker& worker, const std::string& endpoint) {
  return std::make_unique<HttpListener>(worker, endpoint);
}

std::shared_ptr<WorkerConnection> connect(const std::string& endpoint, std::span<const std::byte, 16> /*client_id*/,
                                          const ConnectOptions& /*options*/, TimePoint /*deadline*/) {
  refuse_endpoint(endpoint, "is for clients of HTTP: this one takes the worker's unix: or grpc: endpoint");
}

std::shared_ptr<ModelsConnection> connect_models(const std::string& endpoint, const ConnectOptions& /*options*/) {
  refuse_endpoint(endpoint, "is for clients of HTTP: models are listed, held and evicted at endpoints of gRPC");
}

std::string default_endpoint() { return std::string(kScheme) + "127.0.0.1:0"; }

}  // namespace

const EndpointScheme& http_scheme() noexcept {
  static constexpr EndpointScheme kHttp{kScheme,  Transport::grpc,   &listen,
                                        &connect, &default_endpoint, &connect_models};
  return kHttp;
}

}  // namespace remotemedia::detail
