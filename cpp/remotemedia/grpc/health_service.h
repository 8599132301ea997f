// SPDX-License-Identifier: Apache-2.0
//
// grpc.health.v1: the worker's own word, asked anew each time.

#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "remotemedia/grpc/protocol/health.pb.h"
#include "remotemedia/grpc/raw_service.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

inline constexpr const char* kHealthService = "grpc.health.v1.Health";

/// Lifetime:  `models` outlives it, and it its methods.
class Health {
 public:
  explicit Health(const ServedModels& models) : models_(models) {}

  std::vector<Method> methods();

  /// Everybody who watches hears NOT_SERVING, and no more.
  void end() noexcept { ending_ = true; }
  bool is_ending() const noexcept { return ending_; }

  /// Of a model, or, with an empty name, of all; UNKNOWN for one that is not there.
  grpc::health::v1::HealthCheckResponse::ServingStatus status_of(const std::string& service) const;

 private:
  const ServedModels& models_;
  std::atomic<bool> ending_{false};
};

}  // namespace remotemedia::detail
