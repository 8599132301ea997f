// SPDX-License-Identifier: Apache-2.0
//
// ModelService: what there is at an endpoint, and who wants which models to be in memory.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/raw_service.h"
#include "remotemedia/oip/model_loads.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

class GetOrLoadCall;

/// Threads:   any.
/// Lifetime:  what it is given outlives it, and it its methods.
class ModelService {
 public:
  /// Calls of GetOrLoad that may be open at once.
  static constexpr std::size_t kMostCalls = 1024;
  static constexpr std::size_t kMostCallsOfAConnection = 64;

  ModelService(ServedModels& models, ModelLoads& loads) : models_(models), loads_(loads) {}

  std::vector<Method> methods();

  /// Ends the leases of a model, whose worker ends.
  void end(const std::string& model_id);

 private:
  friend class GetOrLoadCall;

  /// Its number, by which its lease is known.
  ///
  /// Errors:  rejected where as many as may be are open.
  std::uint64_t enter(const std::shared_ptr<GetOrLoadCall>& call);
  void forget(std::uint64_t number) noexcept;
  void release(std::uint64_t number, const std::string& peer);

  ServedModels& models_;
  ModelLoads& loads_;
  Mutex mutex_;
  std::uint64_t last_number_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::map<std::uint64_t, std::shared_ptr<GetOrLoadCall>> calls_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::detail
