// SPDX-License-Identifier: Apache-2.0
//
// AttachService: what ModelWorkerClient asks a worker for beyond the Open Inference Protocol.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/callers.h"
#include "remotemedia/grpc/raw_service.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

class AttachedClient;

/// Threads:   any.
/// Lifetime:  what it is given outlives it, and it its methods.
class AttachService {
 public:
  AttachService(const ServedModels& models, Callers& callers) : models_(models), callers_(callers) {}

  std::vector<Method> methods();

  /// What clients of the worker's own machine are told from now on; empty: nothing.
  void offer(const std::string& model_id, const std::string& shared_memory_endpoint);

  /// Tells the clients of a model that nothing new is accepted.
  void announce_drain(const std::string& model_id);

  /// Lets the clients of a model go.
  void end(const std::string& model_id);

 private:
  friend class AttachedClient;
  void add(std::shared_ptr<AttachedClient> client);
  void forget(const AttachedClient& client) noexcept;
  std::vector<std::shared_ptr<AttachedClient>> clients_of(const std::string& model_id) const;
  ServedModels::Use model_of(const std::string& name) const;
  std::string offered(const std::string& model_id) const;

  const ServedModels& models_;
  Callers& callers_;
  mutable Mutex mutex_;
  std::map<const AttachedClient*, std::shared_ptr<AttachedClient>> clients_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::map<std::string, std::string> offers_ REMOTEMEDIA_GUARDED_BY(mutex_);  ///< Endpoints by model.
};

}  // namespace remotemedia::detail
