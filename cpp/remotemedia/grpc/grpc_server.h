// SPDX-License-Identifier: Apache-2.0
//
// GrpcServer: one address at which models are served.

#pragma once

#include <grpcpp/server.h>

#include <array>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "remotemedia/grpc/attach_service.h"
#include "remotemedia/grpc/callers.h"
#include "remotemedia/grpc/connection_listener.h"
#include "remotemedia/grpc/grpc_limits.h"
#include "remotemedia/grpc/health_service.h"
#include "remotemedia/grpc/infer_message.h"
#include "remotemedia/grpc/inference_service.h"
#include "remotemedia/grpc/model_messages.h"
#include "remotemedia/grpc/model_service.h"
#include "remotemedia/grpc/raw_service.h"
#include "remotemedia/grpc/server_queue.h"
#include "remotemedia/grpc/worker_messages.h"
#include "remotemedia/oip/bytes_in_flight.h"
#include "remotemedia/oip/client_regions.h"
#include "remotemedia/oip/model_loads.h"
#include "remotemedia/oip/served_models.h"
#include "remotemedia/platform/claimed_address.h"

namespace remotemedia::detail {

/// Threads:  any.
class GrpcServer {
 public:
  /// At a port of `host`, or at a socket of the file system.
  ///
  /// Errors:  platform::OsError, EADDRINUSE among them; invalid_argument for files of TLS that are none.
  GrpcServer(const std::string& host, const std::string& port, const WireAccess& access);
  GrpcServer(const std::filesystem::path& path, const WireAccess& access);
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  /// Lets all clients go; answers that were given are on their way.
  ~GrpcServer();

  int port() const noexcept { return port_; }
  const WireAccess& access() const noexcept { return access_; }

  /// shared_memory_endpoint: where the same is served to clients of this machine and user; empty: nowhere.
  ///
  /// Errors:  invalid_argument for a name that is there already.
  void add(const ServedWorker& worker, const std::string& shared_memory_endpoint);

  void announce_drain(const std::string& model_id) { clients_.announce_drain(model_id); }

  /// Where calls of all its models come.
  ServerQueue& queue() noexcept { return queue_; }

  /// Waits until nobody uses it.
  void remove(const std::string& model_id);

 private:
  explicit GrpcServer(const WireAccess& access) : access_(access) {}
  void listen(platform::StreamListener listener);
  std::vector<Method> worker_methods();
  std::array<RawService*, 4> services() noexcept {
    return {&inference_service_, &worker_service_, &model_service_, &health_service_};
  }

  const WireAccess access_;
  ServedModels models_;
  ServerQueue queue_;
  Callers callers_{&queue_};
  const std::shared_ptr<BytesInFlight> bytes_ = std::make_shared<BytesInFlight>(kMostRequestBytes);
  ClientRegions regions_{access_.allow_client_shared_memory};
  AttachService clients_{models_, callers_};
  ModelService leases_{models_, loads_};
  ModelLoads loads_{models_};  // ends first: those who wait are the service's
  Health health_{models_};
  const WireAccess everybody_;
  const InferService infer_{models_, loads_, callers_, regions_, bytes_};
  RawService inference_service_{kInferenceService, inference_methods(infer_), access_};
  RawService worker_service_{kWorkerService, worker_methods(), access_};
  RawService model_service_{kModelService, leases_.methods(), access_};
  RawService health_service_{kHealthService, health_.methods(), everybody_};
  int port_ = 0;
  std::optional<platform::ClaimedAddress> path_;
  std::unique_ptr<grpc::Server> server_;
  std::optional<ConnectionListener> connections_;
  std::once_flag accepts_;  ///< Calls, with the first model: those that came before wait for it.
};

}  // namespace remotemedia::detail
