// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/served_models.h"

#include <algorithm>
#include <utility>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

bool serves(const ServedWorker& worker) {
  const WorkerState state = worker.core.status().status;
  return (state == WorkerState::ready || state == WorkerState::busy) && worker.core.healthy();
}

}  // namespace

void ServedModels::add(const ServedWorker& worker) {
  // Made before the lock, and so ended after it: its end takes the lock.
  Model added{nullptr, false, std::make_shared<bool>(true)};
  added.use = Use(std::make_unique<const ServedWorker>(worker).release(),
                  [this, in_use = added.in_use](const ServedWorker* unused) {
                    std::unique_ptr<const ServedWorker>(unused).reset();
                    MutexLock lock(mutex_);
                    *in_use = false;
                    let_go_.notify_all();
                  });
  const std::string& name = worker.core.model_id();
  MutexLock lock(mutex_);
  if (models_.contains(name)) {
    throw Error(ErrorCode::invalid_argument, "a model '" + name + "' is served at this endpoint already");
  }
  models_.emplace(name, added);
}

void ServedModels::remove(const std::string& model_id) {
  Model removed;
  {
    MutexLock lock(mutex_);
    const auto found = models_.find(model_id);
    if (found == models_.end()) return;
    removed = std::move(found->second);
    models_.erase(found);
  }
  removed.use.reset();
  MutexLock lock(mutex_);
  while (*removed.in_use) let_go_.wait(mutex_);
}

bool ServedModels::empty() const {
  MutexLock lock(mutex_);
  return models_.empty();
}

ServedModels::Use ServedModels::find(const std::string& name, const std::string& version) const {
  MutexLock lock(mutex_);
  const Model& model = named(name);
  if (!version.empty() && version != kModelVersion) {
    throw Error(ErrorCode::model_not_found, "the model '" + name + "' has no version '" + version.substr(0, 40) +
                                                "': its only one is " + std::string(kModelVersion));
  }
  if (model.unloaded) {
    throw Error(ErrorCode::model_not_found, "the model '" + name + "' was unloaded: it takes calls once it is loaded");
  }
  return model.use;
}

ServedModels::Use ServedModels::known(const std::string& name) const {
  MutexLock lock(mutex_);
  return named(name).use;
}

const ServedModels::Model& ServedModels::named(const std::string& name) const {
  const auto found = models_.find(name);
  if (found != models_.end()) return found->second;
  throw Error(ErrorCode::model_not_found, "no model '" + name.substr(0, 200) + "' is served at this endpoint");
}

void ServedModels::set_unloaded(const std::string& name, bool unloaded) {
  MutexLock lock(mutex_);
  const auto found = models_.find(name);
  if (found != models_.end()) found->second.unloaded = unloaded;
}

bool ServedModels::is_unloaded(const std::string& name) const {
  MutexLock lock(mutex_);
  const auto found = models_.find(name);
  return found != models_.end() && found->second.unloaded;
}

void ServedModels::unload(const std::string& name) {
  known(name)->core.memory().leave(false, [&] { set_unloaded(name, true); });
}

std::vector<ServedModels::Use> ServedModels::all() const {
  MutexLock lock(mutex_);
  std::vector<Use> all;
  all.reserve(models_.size());
  for (const auto& [name, model] : models_) all.push_back(model.use);
  return all;
}

bool ServedModels::is_serving(const std::string& name, const std::string& version) const {
  const bool any_version = version.empty() || version == kModelVersion;
  return any_version && !is_unloaded(name) &&
         std::ranges::any_of(all(), [&](const Use& model) { return model->core.model_id() == name && serves(*model); });
}

bool ServedModels::are_serving() const {
  return std::ranges::all_of(
      all(), [this](const Use& model) { return is_unloaded(model->core.model_id()) || serves(*model); });
}

}  // namespace remotemedia::detail
