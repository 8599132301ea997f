// SPDX-License-Identifier: Apache-2.0
//
// What a registry tells: lists, numbers, plans and events.

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/registry/janitor_alarm.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia {

std::string_view to_string(RegistryEvent::Kind kind) noexcept {
  switch (kind) {
    case RegistryEvent::Kind::load_started:
      return "load_started";
    case RegistryEvent::Kind::loaded:
      return "loaded";
    case RegistryEvent::Kind::load_failed:
      return "load_failed";
    case RegistryEvent::Kind::hit:
      return "hit";
    case RegistryEvent::Kind::released:
      return "released";
    case RegistryEvent::Kind::evicted:
      return "evicted";
    case RegistryEvent::Kind::destroyed:
      return "destroyed";
  }
  return "unknown";
}

}  // namespace remotemedia

namespace remotemedia::detail {
namespace {

/// Events that a slow listener may leave waiting; beyond, hits and releases are dropped.
constexpr std::size_t kMostEventsWaiting = 65'536;

std::chrono::system_clock::time_point wall_time(TimePoint time, TimePoint now) {
  const auto ago = std::chrono::duration_cast<std::chrono::system_clock::duration>(now - time);
  return std::chrono::system_clock::now() - ago;
}

}  // namespace

LoadPlan RegistryCore::plan(std::string_view key, std::size_t memory_bytes) const {
  MutexLock lock(mutex_);
  LoadPlan answer;
  const ModelSlot* const slot = table_.find(key, SlotTable::hash(key));
  if (slot != nullptr && counts_against_limits(*slot)) {
    answer.fits = true;
    return answer;
  }
  const Book models = book();
  const EvictionPlan plan = plan_eviction(models.entries, limits(), memory_bytes, clock_.now());
  answer.fits = plan.fits;
  for (const std::size_t i : plan.victims) answer.victims.push_back(models.slots[i]->key);
  for (const std::size_t i : plan.blockers) answer.blocked_by.push_back(models.slots[i]->key);
  return answer;
}

ModelInfo RegistryCore::describe(const ModelSlot& slot) const {
  const TimePoint now = clock_.now();
  const std::uint64_t word = slot.word.load();
  ModelInfo info;
  info.key = slot.key;
  info.state = slot.state;
  info.model_id = slot.key;
  info.device = slot.device;
  info.memory_bytes = slot.memory_bytes;
  info.pinned = slot.pinned;
  if (const Flight* const flight = slot.flight.get(); flight != nullptr && slot.state == ModelState::loading) {
    info.device = flight->device;
    info.memory_bytes = flight->memory_bytes;
  }
  if (slot.state == ModelState::ready || slot.state == ModelState::evicting) {
    info.model_id = slot.model_id;
    info.loaded_at = wall_time(slot.loaded_at, now);
  }
  if (slot.state != ModelState::ready) return info;
  info.reference_count = ModelSlot::holds_of(word);
  info.access_count = ModelSlot::accesses_of(word);
  info.last_accessed = wall_time(info.reference_count > 0 ? now : slot.released_at.load(), now);
  const TimePoint expiry = expires_at(slot);
  if (info.reference_count == 0 && expiry != TimePoint::max()) info.expires_in = std::max(Duration{0}, expiry - now);
  for (const Holder& holder : slot.holders) {
    info.holders.push_back(*holder.label);
    info.held_since.emplace_back(wall_time(holder.since, now));
  }
  // Labels come after their hold and go before it.
  info.holders.resize(std::max(info.holders.size(), info.reference_count), "(unnamed)");
  info.held_since.resize(info.holders.size());
  return info;
}

std::vector<ModelInfo> RegistryCore::list_models() const {
  std::vector<ModelInfo> models;
  {
    MutexLock lock(mutex_);
    for (const ModelSlot* slot : table_.slots()) {
      if (slot->state != ModelState::absent) models.push_back(describe(*slot));
    }
  }
  std::ranges::sort(models, {}, &ModelInfo::key);
  return models;
}

void RegistryCore::visit_kept(const std::function<void(void*)>& on_model,
                              const std::function<void(const std::exception_ptr&)>& on_failure) const {
  MutexLock lock(mutex_);
  for (const ModelSlot* slot : table_.slots()) {
    if (slot->model != nullptr) on_model(slot->model.get());
    if (slot->failure != nullptr) on_failure(slot->failure);
  }
  for (const Buried& one : graveyard_) on_model(one.model.get());
}

bool RegistryCore::contains(std::string_view key) const {
  MutexLock lock(mutex_);
  const ModelSlot* const slot = table_.find(key, SlotTable::hash(key));
  return slot != nullptr && slot->state == ModelState::ready;
}

RegistryMetrics RegistryCore::metrics() const {
  MutexLock lock(mutex_);
  RegistryMetrics metrics = counts_;
  metrics.total_models = used_models_;
  metrics.total_memory_bytes = used_bytes_;
  for (const ModelSlot* slot : table_.slots()) {
    if (slot->state != ModelState::ready) continue;
    metrics.cache_hits += ModelSlot::accesses_of(slot->word.load()) - slot->granted_by_load;
  }
  return metrics;
}

std::shared_ptr<Subscriber> RegistryCore::subscribe(std::function<void(const RegistryEvent&)> listener) {
  if (!listener) throw Error(ErrorCode::invalid_argument, "a listener must be callable");
  auto subscriber = std::make_shared<Subscriber>();
  subscriber->listener = std::move(listener);
  MutexLock lock(mutex_);
  subscriber->first_event = events_emitted_;
  subscribers_.push_back(subscriber);
  observed_.store(true);
  return subscriber;
}

void RegistryCore::unsubscribe(const std::shared_ptr<Subscriber>& subscriber) {
  subscriber->active.store(false);
  std::shared_ptr<Subscriber> gone;  // destroyed without the mutex
  MutexLock lock(mutex_);
  const auto found = std::ranges::find(subscribers_, subscriber);
  if (found == subscribers_.end()) return;
  gone = std::move(*found);
  subscribers_.erase(found);
  observed_.store(!subscribers_.empty());
}

void RegistryCore::emit(RegistryEvent::Kind kind, const ModelSlot& slot, Duration duration) {
  if (!observed_.load(std::memory_order_relaxed)) return;
  const bool droppable = kind == RegistryEvent::Kind::hit || kind == RegistryEvent::Kind::released;
  if (droppable && events_.size() >= kMostEventsWaiting) {
    ++events_dropped_;
    return;
  }
  events_.push_back({kind, slot.key, duration, slot.memory_bytes});
  ++events_emitted_;
  alarm_->ring();
}

void RegistryCore::deliver(const std::deque<RegistryEvent>& events, std::uint64_t first_event,
                           const std::vector<std::shared_ptr<Subscriber>>& subscribers) noexcept {
  std::uint64_t number = first_event;
  for (const RegistryEvent& event : events) {
    ++number;
    for (const auto& subscriber : subscribers) {
      if (number <= subscriber->first_event || !subscriber->active.load()) continue;
      try {
        subscriber->listener(event);
      } catch (const std::exception& error) {
        log(LogLevel::warning, "a registry listener failed on " + std::string(to_string(event.kind)) + " of '" +
                                   event.key + "': " + error.what());
      } catch (...) {
        log(LogLevel::warning, "a registry listener threw something that is no std::exception on " +
                                   std::string(to_string(event.kind)) + " of '" + event.key + "'");
      }
    }
  }
  std::size_t dropped = 0;
  {
    MutexLock lock(mutex_);
    dropped = std::exchange(events_dropped_, 0);
  }
  if (dropped > 0) {
    log(LogLevel::warning,
        "registry listeners are too slow: " + std::to_string(dropped) + " hits and releases unheard");
  }
}

}  // namespace remotemedia::detail
