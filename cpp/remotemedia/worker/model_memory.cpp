// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/model_memory.h"

#include <map>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/mutex.h"

namespace remotemedia::detail {

struct ModelMemory::Leases {
  struct Entry {
    std::shared_ptr<void> loaded;
    std::function<void()> on_taken;
  };
  using Entries = std::map<const void*, Entry>;

  void end(const void* lease) noexcept {
    Entries::node_type ended;
    MutexLock lock(mutex);
    ended = entries.extract(lease);
  }

  Mutex mutex;
  Entries entries REMOTEMEDIA_GUARDED_BY(mutex);
};

ModelMemory::ModelMemory(std::shared_ptr<InferenceModel> model)
    : model_(std::move(model)), leases_(std::make_shared<Leases>()) {}

ModelMemory::Lease ModelMemory::lease(std::shared_ptr<void> loaded, std::function<void()> on_taken) {
  Lease lease(new char, [leases = leases_](char* name) {
    leases->end(name);
    delete name;
  });
  MutexLock lock(leases_->mutex);
  leases_->entries.emplace(lease.get(), Leases::Entry{std::move(loaded), std::move(on_taken)});
  return lease;
}

std::size_t ModelMemory::leases() const {
  MutexLock lock(leases_->mutex);
  return leases_->entries.size();
}

std::optional<std::size_t> ModelMemory::leave(bool by_force, const std::function<void()>& allowed) {
  Leases::Entries taken;
  {
    MutexLock lock(leases_->mutex);
    const std::size_t held_by = leases_->entries.size();
    if (held_by > 0 && !by_force) {
      throw Error(ErrorCode::rejected,
                  "the model '" + model_->model_id() + "' stays in memory: " + std::to_string(held_by) +
                      (held_by == 1 ? " lease holds" : " leases hold") + " it, which only an eviction by force ends");
    }
    taken.swap(leases_->entries);
    if (allowed) allowed();
  }
  for (auto& [lease, entry] : taken) {
    entry.loaded.reset();
    entry.on_taken();
  }
  return model_->leave_memory();
}

}  // namespace remotemedia::detail
