// SPDX-License-Identifier: Apache-2.0
//
// How a flight ends: its model published or its error told, its waiters answered, its permit given back.

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia::detail {

void RegistryCore::land_loaded(Flight& flight, LoadedModel& loaded, Deferred& deferred) {
  ModelSlot& slot = flight.slot;
  const std::size_t declared = flight.memory_bytes;
  const std::size_t measured = loaded.memory_bytes.value_or(declared);
  const TimePoint now = clock_.now();
  const Duration took = now - flight.started_at;

  // What it really takes may be more than was approved.
  const std::exception_ptr too_large = measured > declared ? make_room_for(flight, measured) : nullptr;

  used_bytes_ -= declared;
  slot.memory_bytes = std::min(measured, std::numeric_limits<std::size_t>::max() - used_bytes_);
  used_bytes_ += slot.memory_bytes;
  slot.model = std::move(loaded.object);
  slot.object = slot.model.get();
  slot.type = &flight.type;
  slot.model_id = loaded.model_id.empty() ? slot.key : std::move(loaded.model_id);
  slot.loaded_at = now;
  slot.enter(ModelState::ready);
  if (too_large) {
    slot.enter(ModelState::evicting);
    bury(slot);
    ++counts_.failed_loads;
    emit(RegistryEvent::Kind::load_failed, slot, took);
    land(flight, Waiter::Answer::error, too_large, deferred);
  } else {
    set_keep_alive(slot, flight.keep_alive.value_or(default_keep_alive_));
    stamp(slot);
    count_load(loaded.revived, took);
    emit(RegistryEvent::Kind::loaded, slot, took);
    grant_to_waiters(flight);
    land(flight, Waiter::Answer::hold, nullptr, deferred);
  }
}

void RegistryCore::count_load(bool revived, Duration took) {
  if (revived) {
    --counts_.cache_misses;
    ++counts_.cache_hits;
    return;
  }
  ++counts_.loads;
  counts_.load_time_total += took;
  const double seconds = std::chrono::duration<double>(took).count();
  for (std::size_t i = 0; i < counts_.load_times.size(); ++i) {
    const bool last = i == RegistryMetrics::kLoadSecondsBounds.size();
    if (last || seconds <= RegistryMetrics::kLoadSecondsBounds[i]) ++counts_.load_times[i];
  }
}

// Each waiter has its hold before anybody can see the model, so that nothing evicts it in between.
void RegistryCore::grant_to_waiters(Flight& flight) {
  ModelSlot& slot = flight.slot;
  std::uint64_t grants = 0;
  for (const auto& waiter : flight.waiters) {
    waiter->held = &slot;
    ++grants;
    if (waiter->leads) continue;
    ++counts_.cache_hits;
    emit(RegistryEvent::Kind::hit, slot);
  }
  slot.granted_by_load = grants;
  slot.word.fetch_add(ModelSlot::kReady + grants * (ModelSlot::kHold + ModelSlot::kAccess));
}

void RegistryCore::end_unpublished(Flight& flight, Waiter::Answer answer_to_all, const std::exception_ptr& error,
                                   bool remember, Deferred& deferred) {
  ModelSlot& slot = flight.slot;
  if (flight.phase == Flight::Phase::running) {
    used_bytes_ -= flight.memory_bytes;
    --used_models_;
    slot.memory_bytes = 0;
    if (answer_to_all == Waiter::Answer::error) {
      ++counts_.failed_loads;
      emit(RegistryEvent::Kind::load_failed, slot, clock_.now() - flight.started_at);
    }
    drained_.notify_all();
  }
  if (slot.state == ModelState::loading) {
    remember = remember && config_.failed_load_ttl > Duration{0} && !closing_;
    slot.enter(remember ? ModelState::failed : ModelState::absent);
    if (remember) {
      slot.failure = error;
      slot.failure_forgotten_at = later(clock_.now(), config_.failed_load_ttl);
    }
  }
  land(flight, answer_to_all, error, deferred);
}

// The flight is over and everybody learns how it went.
void RegistryCore::land(Flight& flight, Waiter::Answer answer_to_all, const std::exception_ptr& error,
                        Deferred& deferred) {
  const std::shared_ptr<Flight> keep = std::exchange(flight.slot.flight, nullptr);
  std::erase_if(queue_, [&](const auto& queued) { return queued.get() == &flight; });
  std::erase_if(making_room_, [&](const auto& waiting) { return waiting.get() == &flight; });
  flight.phase = Flight::Phase::done;
  give_up_permit(flight);
  if (flight.on_start) deferred.push_back(std::exchange(flight.on_start, nullptr));
  deferred.push_back([keep] {});  // whatever goes with it goes without the mutex
  for (const std::shared_ptr<Waiter>& waiter : std::exchange(flight.waiters, {})) {
    waiter->answer = answer_to_all;
    waiter->error = error;
    if (waiter->parent != nullptr) WaitGraph::process().remove(waiter->parent->node, flight.node);
    if (waiter->parent != nullptr && waiter->parent->core.get() != this) {
      deferred.push_back([waiter] { waiter->parent->core->resume(waiter); });
    } else if (waiter->parent == nullptr || end_nested_wait(*waiter)) {
      deferred.push_back(settle(*waiter));
    } else {
      resuming_.push_back(waiter);
    }
  }
}

// The waiter may take its answer; what it wants to be called then.
std::function<void()> RegistryCore::settle(Waiter& waiter) {
  waiter.done = true;
  waiter.changed.notify_all();
  return waiter.notify ? std::exchange(waiter.notify, nullptr) : [] {};
}

void RegistryCore::answer(const std::shared_ptr<Waiter>& waiter) {
  std::function<void()> notify;
  {
    MutexLock lock(mutex_);
    notify = settle(*waiter);
  }
  notify();
}

}  // namespace remotemedia::detail
