// SPDX-License-Identifier: Apache-2.0
//
// Residency: who stays, who goes, and the janitor, the thread that destroys.

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/registry/fork_guard.h"
#include "remotemedia/registry/janitor_alarm.h"
#include "remotemedia/registry/keep_alive.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia::detail {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_argument, message); }

Duration limited(std::optional<Duration> time) { return !time || *time < Duration{0} ? kKeepForever : *time; }

}  // namespace

std::shared_ptr<RegistryCore> RegistryCore::open(const RegistryConfig& config, WhenOrphaned when_orphaned) {
  if (config.max_models && *config.max_models == 0) refuse("max_models must be at least 1, or none for no limit");
  if (config.eviction_policy < EvictionPolicy::lru || config.eviction_policy > EvictionPolicy::manual) {
    refuse("eviction_policy must be lru, lfu, ttl or manual");
  }
  if (config.max_concurrent_loads == 0) refuse("max_concurrent_loads must be at least 1");
  if (config.cleanup_interval <= Duration{0}) refuse("cleanup_interval must be more than zero");
  if (config.min_residency < Duration{0}) refuse("min_residency must not be negative");
  if (config.failed_load_ttl < Duration{0}) refuse("failed_load_ttl must not be negative");
  auto core = std::make_shared<RegistryCore>(config, when_orphaned);
  {
    MutexLock lock(core->mutex_);
    core->ensure_janitor();
  }
  guard_forks(*core);
  return core;
}

RegistryCore::RegistryCore(const RegistryConfig& config, WhenOrphaned when_orphaned)
    : clock_(config.clock != nullptr ? *config.clock : monotonic_clock()),
      limited_(config.max_memory_bytes || config.max_models),
      alarm_(JanitorAlarm::borrow()),
      config_(config),
      default_keep_alive_(limited(config.ttl)),
      when_orphaned_(when_orphaned) {}

RegistryCore::~RegistryCore() { JanitorAlarm::give_back(alarm_); }

bool RegistryCore::is_janitor() const noexcept {
  return janitor_ != nullptr && std::this_thread::get_id() == janitor_->get_id();
}

void RegistryCore::ensure_janitor() {
  if (janitor_ == nullptr)
    janitor_ = std::make_unique<std::thread>([core = shared_from_this()] { core->run_janitor(); });
}

bool RegistryCore::is_idle(const ModelSlot& slot) const {
  if (slot.state != ModelState::ready || slot.pinned) return false;
  // A loader may have kept a shared_ptr of its own: that is a hold too.
  return ModelSlot::holds_of(slot.word.load()) == 0 && slot.model.use_count() <= 1;
}

TimePoint RegistryCore::expires_at(const ModelSlot& slot) const {
  const Duration after = slot.expires_after.load();
  return later(slot.released_at.load(), after);
}

void RegistryCore::set_keep_alive(ModelSlot& slot, Duration keep_alive) {
  slot.keep_alive = keep_alive;
  const bool never = keep_alive < Duration{0} || slot.pinned || config_.eviction_policy == EvictionPolicy::manual;
  const Duration after = never ? Duration::max() : keep_alive;
  if (slot.expires_after.exchange(after) != after) alarm_->ring();
}

bool RegistryCore::counts_against_limits(const ModelSlot& slot) const {
  if (slot.state == ModelState::ready) return true;
  return slot.flight != nullptr &&
         (slot.flight->phase == Flight::Phase::making_room || slot.flight->phase == Flight::Phase::running);
}

RegistryCore::Book RegistryCore::book(const ModelSlot* without) const {
  Book book;
  for (ModelSlot* slot : table_.slots()) {
    if (slot == without) continue;
    if (!counts_against_limits(*slot)) continue;
    EvictionEntry entry;
    if (slot->state != ModelState::ready) {
      entry.memory_bytes = slot->flight->memory_bytes;
    } else {
      entry.memory_bytes = slot->memory_bytes;
      entry.idle = is_idle(*slot);
      entry.access_count = ModelSlot::accesses_of(slot->word.load());
      entry.release_order = slot->release_order.load();
      entry.loaded_at = slot->loaded_at;
      entry.expires_at = expires_at(*slot);
    }
    book.entries.push_back(entry);
    book.slots.push_back(slot);
  }
  return book;
}

bool RegistryCore::begin_eviction(ModelSlot& slot) {
  const std::optional<std::uint64_t> word = slot.withdraw();
  if (word) evict_withdrawn(slot, *word);
  return word.has_value();
}

bool RegistryCore::begin_evictions(const std::vector<ModelSlot*>& slots) {
  std::vector<std::uint64_t> words;
  for (ModelSlot* slot : slots) {
    const std::optional<std::uint64_t> word = slot->withdraw();
    if (!word) {  // it was asked for at this very moment
      for (std::size_t i = 0; i < words.size(); ++i) slots[i]->word.fetch_add(words[i]);
      return false;
    }
    words.push_back(*word);
  }
  for (std::size_t i = 0; i < slots.size(); ++i) evict_withdrawn(*slots[i], words[i]);
  return true;
}

void RegistryCore::evict_withdrawn(ModelSlot& slot, std::uint64_t word) {
  const Duration age = clock_.now() - slot.loaded_at;
  counts_.cache_hits += ModelSlot::accesses_of(word) - slot.granted_by_load;
  ++counts_.evictions;
  counts_.evicted_bytes += slot.memory_bytes;
  counts_.eviction_age_total += age;
  emit(RegistryEvent::Kind::evicted, slot, age);
  slot.enter(ModelState::evicting);
  bury(slot);
}

void RegistryCore::bury(ModelSlot& slot) {
  ensure_janitor();
  graveyard_.push_back({std::move(slot.model), &slot});
  slot.model = nullptr;
  slot.object = nullptr;
  slot.pinned = false;
  ++unreleased_;
  alarm_->ring();
}

void RegistryCore::release_memory(ModelSlot& slot) {
  emit(RegistryEvent::Kind::destroyed, slot);
  used_bytes_ -= slot.memory_bytes;
  --used_models_;
  --unreleased_;
  slot.memory_bytes = 0;
  slot.enter(ModelState::absent);
  if (slot.flight != nullptr) slot.enter(ModelState::loading);
  drained_.notify_all();
}

bool RegistryCore::evict(std::string_view key) {
  MutexLock lock(mutex_);
  ModelSlot* const slot = table_.find(key, SlotTable::hash(key));
  return slot != nullptr && is_idle(*slot) && begin_eviction(*slot);
}

EvictionResult RegistryCore::evict_idle_expired(TimePoint now) {
  const Book models = book();
  EvictionResult evicted;
  for (const std::size_t i : find_expired(models.entries, config_.eviction_policy, now)) {
    if (!begin_eviction(*models.slots[i])) continue;
    ++evicted.count;
    evicted.bytes += models.entries[i].memory_bytes;
  }
  counts_.evictions_by_time += evicted.count;
  return evicted;
}

EvictionResult RegistryCore::evict_expired() {
  MutexLock lock(mutex_);
  return evict_idle_expired(clock_.now());
}

void RegistryCore::pin(std::string_view key, bool pinned) {
  MutexLock lock(mutex_);
  ModelSlot* const slot = table_.find(key, SlotTable::hash(key));
  if (slot == nullptr || slot->state != ModelState::ready) {
    throw Error(ErrorCode::model_not_found,
                "model '" + std::string(key) + "' is not loaded, so it cannot be " + (pinned ? "pinned" : "unpinned"));
  }
  slot->pinned = pinned;
  set_keep_alive(*slot, slot->keep_alive);
}

std::size_t RegistryCore::evict_all_idle() {
  std::size_t count = 0;
  const std::vector<ModelSlot*> slots = table_.slots();
  for (ModelSlot* slot : slots) {
    if (slot->state != ModelState::ready) continue;
    const bool kept_outside = slot->model.use_count() > 1 && !closing_;
    if (!kept_outside && begin_eviction(*slot)) ++count;
  }
  return count;
}

void RegistryCore::clear(std::optional<Duration> timeout) {
  if (timeout && *timeout < Duration{0}) refuse("timeout must not be negative");
  const TimePoint deadline = timeout ? later(clock_.now(), *timeout) : TimePoint::max();
  std::vector<std::exception_ptr> forgotten;
  MutexLock lock(mutex_);
  if (is_janitor()) refuse("clear() must not be called by a listener or destructor: it would wait for itself");
  ensure_janitor();
  forget_failures(TimePoint::max(), forgotten);
  // What a destroyed model held is idle only now, so until nothing is left.
  while (evict_all_idle() > 0 || unreleased_ > 0) {
    if (deadline != TimePoint::max() && clock_.now() >= deadline) {
      throw Error(ErrorCode::deadline_exceeded,
                  "clear(): " + std::to_string(unreleased_) + " models were not destroyed in time; it goes on");
    }
    clock_.wait_until(drained_, mutex_, deadline);
  }
}

// Says when the next one is to be forgotten.
TimePoint RegistryCore::forget_failures(TimePoint until, std::vector<std::exception_ptr>& forgotten) {
  TimePoint next = TimePoint::max();
  for (ModelSlot* slot : table_.slots()) {
    if (slot->state != ModelState::failed) continue;
    if (until < slot->failure_forgotten_at) {
      next = std::min(next, slot->failure_forgotten_at);
      continue;
    }
    slot->enter(ModelState::absent);
    forgotten.push_back(std::exchange(slot->failure, nullptr));
  }
  return next;
}

// Says when the next one is to go. Who holds a model wakes the janitor when that ends, but for a shared_ptr that a
// loader kept: that must be looked at.
TimePoint RegistryCore::sweep() {
  const TimePoint now = clock_.now();
  evict_idle_expired(now);
  TimePoint next = TimePoint::max();
  for (const ModelSlot* slot : table_.slots()) {
    if (slot->state != ModelState::ready || slot->expires_after.load() == Duration::max()) continue;
    if (is_idle(*slot)) {
      next = std::min(next, expires_at(*slot));
    } else if (ModelSlot::holds_of(slot->word.load()) == 0) {
      next = std::min(next, later(now, config_.cleanup_interval));
    }
  }
  return next;
}

void RegistryCore::run_janitor() {
  while (true) {
    alarm_->arm();
    const std::optional<TimePoint> next = look_after_models();
    if (!next) return;
    if (*next != TimePoint::min()) alarm_->sleep_until(clock_, *next);
  }
}

// Everything that can be done now, and when to look again: min() for at once, nothing at the end.
std::optional<TimePoint> RegistryCore::look_after_models() {
  bool over = false;
  std::vector<std::shared_ptr<void>> orphans;
  std::vector<std::exception_ptr> forgotten;
  std::vector<Buried> buried;
  std::deque<RegistryEvent> events;
  std::uint64_t first_event = 0;
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  TimePoint next = TimePoint::max();
  {
    MutexLock lock(mutex_);
    if (closing_) evict_all_idle();
    next = std::min(sweep(), forget_failures(closing_ ? TimePoint::max() : clock_.now(), forgotten));
    buried.swap(graveyard_);
    events.swap(events_);
    first_event = events_emitted_ - events.size();
    if (!events.empty()) subscribers = subscribers_;
    if (closing_ && buried.empty() && events.empty()) {
      over = orphan_the_held(orphans);
      next = TimePoint::min();
    }
  }
  for (const std::shared_ptr<void>& orphan : orphans) when_orphaned_(orphan.get());
  if (over) return std::nullopt;
  for (Buried& one : buried) {
    one.model.reset();
    Deferred deferred;
    {
      MutexLock lock(mutex_);
      release_memory(*one.slot);
      pump(deferred);
    }
    for (const auto& call : deferred) call();
  }
  if (!events.empty()) deliver(events, first_event, subscribers);
  return buried.empty() && events.empty() ? next : TimePoint::min();
}

// The end of the registry: what is held stays with its holders. False if a model was given back at the last
// moment and must be destroyed first.
bool RegistryCore::orphan_the_held(std::vector<std::shared_ptr<void>>& orphans) {
  bool complete = true;
  const std::vector<ModelSlot*> slots = table_.slots();
  for (ModelSlot* slot : slots) {
    if (slot->state != ModelState::ready) continue;
    std::shared_ptr<void> model = slot->model;
    slot->orphan_of = shared_from_this();
    table_.remove(*slot);
    if (slot->become_orphan()) {  // the last hold may be gone by now, and the slot with it
      if (when_orphaned_ != nullptr) orphans.push_back(std::move(model));
      continue;
    }
    table_.put_back(*slot);
    slot->orphan_of = nullptr;
    complete = false;
  }
  return complete;
}

void RegistryCore::close() noexcept {
  Deferred deferred;
  {
    MutexLock lock(mutex_);
    if (std::exchange(closing_, true)) return;
    ensure_janitor();
    const auto gone =
        std::make_exception_ptr(Error(ErrorCode::cancelled, "the registry was closed before the load began"));
    const std::vector<ModelSlot*> slots = table_.slots();
    for (ModelSlot* slot : slots) {
      const std::shared_ptr<Flight> flight = slot->flight;
      if (flight == nullptr || flight->phase == Flight::Phase::running) continue;
      end_unpublished(*flight, Waiter::Answer::error, gone, false, deferred);
    }
  }
  for (const auto& call : deferred) call();
  alarm_->ring();
  unguard_forks(*this);
  if (is_janitor()) {
    let_go(std::move(*janitor_));
    return;
  }
  {
    MutexLock lock(mutex_);
    while (background_loads_ > 0) drained_.wait(mutex_);
  }
  janitor_->join();
}

}  // namespace remotemedia::detail
