// SPDX-License-Identifier: Apache-2.0
//
// ModelRepository: models from files that share one memory budget. Each is loaded when it is called, and leaves when it
// was idle for longest and another one needs the room.
//
//     ModelRepository repository({.ttl = std::nullopt, .max_memory_bytes = 2'000'000'000});
//     ModelWorker vad(repository.add({.path = "vad.onnx"}));
//     ModelWorker embedder(repository.add({.path = "minilm.xml"}));

#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "remotemedia/backends/backend.h"
#include "remotemedia/base/export.h"
#include "remotemedia/registry/model_registry.h"
#include "remotemedia/registry/registry_config.h"
#include "remotemedia/worker/inference_model.h"

namespace remotemedia {

/// Threads:  any.
class REMOTEMEDIA_API ModelRepository {
 public:
  /// Errors:  invalid_argument, naming the option.
  explicit ModelRepository(const RegistryConfig& config);

  /// Loads `file`, warms it up, and gives what loads it again when it is called and has left meanwhile. A call for
  /// which there is no room waits until those under way have given theirs back; who waits for longest goes first.
  ///
  /// backend:   as find_backend().
  /// Errors:    invalid_argument for a model_id that is there already; load_failed; OutOfMemory if it is larger than
  ///            the budget. Of a later call: the same, and load_failed if the file's model has other inputs or outputs
  ///            than it had.
  /// Lifetime:  what it gives may outlive the repository.
  std::shared_ptr<InferenceModel> add(ModelFile file, const std::string& backend = {});

  /// Which of them are in memory.
  ModelRegistry& registry() noexcept;

 private:
  struct Shared;
  class Model;

  std::shared_ptr<Shared> shared_;
};

}  // namespace remotemedia
