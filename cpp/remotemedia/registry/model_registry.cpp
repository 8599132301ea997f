// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/model_registry.h"

#include <utility>

namespace remotemedia {

Subscription::Subscription(std::weak_ptr<detail::RegistryCore> core,
                           std::shared_ptr<detail::Subscriber> subscriber) noexcept
    : core_(std::move(core)), subscriber_(std::move(subscriber)) {}

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  if (this == &other) return *this;
  cancel();
  core_ = std::move(other.core_);
  subscriber_ = std::move(other.subscriber_);
  return *this;
}

Subscription::~Subscription() { cancel(); }

void Subscription::cancel() noexcept {
  const std::shared_ptr<detail::Subscriber> subscriber = std::exchange(subscriber_, nullptr);
  if (subscriber == nullptr) return;
  if (const auto core = core_.lock()) core->unsubscribe(subscriber);
}

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

Subscription ModelRegistry::subscribe(std::function<void(const RegistryEvent&)> listener) {
  return {core_, core_->subscribe(std::move(listener))};
}

}  // namespace remotemedia
