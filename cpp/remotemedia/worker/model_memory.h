// SPDX-License-Identifier: Apache-2.0
//
// ModelMemory: whether a worker's model is in memory, and who wants it to stay there.

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "remotemedia/base/export.h"
#include "remotemedia/worker/inference_model.h"

namespace remotemedia::detail {

/// Threads:  any.
class REMOTEMEDIA_API ModelMemory {
 public:
  /// As long as somebody has it the model is not evicted, unless by force.
  using Lease = std::shared_ptr<void>;

  explicit ModelMemory(std::shared_ptr<InferenceModel> model);

  ModelResidence residence() const { return model_->residence(); }

  /// As InferenceModel::stay_in_memory.
  std::shared_ptr<void> load(const ReportProgress& report) { return model_->stay_in_memory(report); }

  /// loaded: what load() gave. on_taken: called where the lease ends by force; must not throw.
  Lease lease(std::shared_ptr<void> loaded, std::function<void()> on_taken);
  std::size_t leases() const;

  /// As InferenceModel::leave_memory; `allowed` is called first, and until it returns nobody gets a lease.
  ///
  /// Errors:  rejected where there are leases, which end if it is by force.
  std::optional<std::size_t> leave(bool by_force, const std::function<void()>& allowed = {});

 private:
  struct Leases;

  const std::shared_ptr<InferenceModel> model_;
  const std::shared_ptr<Leases> leases_;
};

}  // namespace remotemedia::detail
