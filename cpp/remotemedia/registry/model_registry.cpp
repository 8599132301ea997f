// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/model_registry.h"

#include <utility>

#include "remotemedia/registry/fork_guard.h"

namespace remotemedia {

ModelRegistry::ModelRegistry(const RegistryConfig& config) : core_(detail::RegistryCore::open(config)) {}

ModelRegistry::~ModelRegistry() { core_->close(); }

ModelRegistry& ModelRegistry::process() {
  static ModelRegistry registry;
  return registry;
}

bool ModelRegistry::contains(std::string_view key) const { return core_->contains(key); }

bool ModelRegistry::evict(std::string_view key) { return core_->evict(key); }

EvictionResult ModelRegistry::evict_expired() { return core_->evict_expired(); }

void ModelRegistry::pin(std::string_view key) { core_->pin(key, true); }
void ModelRegistry::unpin(std::string_view key) { core_->pin(key, false); }

void ModelRegistry::clear(std::optional<Duration> timeout) { core_->clear(timeout); }

LoadPlan ModelRegistry::plan(std::string_view key, std::size_t memory_bytes) const {
  return core_->plan(key, memory_bytes);
}

std::vector<ModelInfo> ModelRegistry::list_models() const { return core_->list_models(); }
RegistryMetrics ModelRegistry::metrics() const { return core_->metrics(); }

RegistryMetrics ModelRegistry::metrics_of_all() { return detail::metrics_of_all_registries(); }

std::function<void()> ModelRegistry::subscribe(std::function<void(const RegistryEvent&)> listener) {
  return [core = std::weak_ptr(core_), subscriber = core_->subscribe(std::move(listener))] {
    if (const auto alive = core.lock()) alive->unsubscribe(subscriber);
  };
}

}  // namespace remotemedia
