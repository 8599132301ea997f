// SPDX-License-Identifier: Apache-2.0
//
// Which flight may run: its turn among the loaders, and its room among the models.

#include <string>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia::detail {
namespace {

std::string join(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "'" : ", '") + key + "'";
  return text;
}

}  // namespace

bool RegistryCore::take_permit(Flight& flight) {
  if (flight.has_permit || flight.phase == Flight::Phase::done) return true;
  if (permits_taken_ >= config_.max_concurrent_loads) return false;
  ++permits_taken_;
  return flight.has_permit = true;
}

void RegistryCore::give_up_permit(Flight& flight) {
  if (!std::exchange(flight.has_permit, false)) return;
  --permits_taken_;
}

// While its loader waits for other loads a flight does not count among those that run.
void RegistryCore::begin_nested_wait(Waiter& waiter, Deferred& deferred) {
  if (waiter.nested_wait == Waiter::NestedWait::after) return;  // it was answered meanwhile
  waiter.nested_wait = Waiter::NestedWait::during;
  ++waiter.parent->nested_waits;
  give_up_permit(*waiter.parent);
  pump(deferred);
}

// Says whether a loader whose answer is there may go on: only one that waits for nothing else needs a place again.
bool RegistryCore::end_nested_wait(Waiter& waiter) {
  if (waiter.nested_wait == Waiter::NestedWait::during) {
    if (waiter.parent->nested_waits == 1 && !take_permit(*waiter.parent)) return false;
    --waiter.parent->nested_waits;
  }
  waiter.nested_wait = Waiter::NestedWait::after;
  return true;
}

// The waiter's answer is there; it learns of it when its loader, which this registry runs, may go on.
void RegistryCore::resume(const std::shared_ptr<Waiter>& waiter) {
  {
    MutexLock lock(mutex_);
    if (!end_nested_wait(*waiter)) {
      resuming_.push_back(waiter);
      return;
    }
  }
  waiter->flight->core->answer(waiter);
}

// A loader that has left goes on whatever the limit.
void RegistryCore::go_on_anyway(const std::shared_ptr<Waiter>& waiter) {
  MutexLock lock(mutex_);
  std::erase(resuming_, waiter);
  if (std::exchange(waiter->nested_wait, Waiter::NestedWait::after) != Waiter::NestedWait::during) return;
  Flight& parent = *waiter->parent;
  if (--parent.nested_waits > 0 || take_permit(parent)) return;
  ++permits_taken_;
  parent.has_permit = true;
}

// Everything that may go on now goes on: loaders whose answer has come first, then the queue, then those whose
// room has become free.
void RegistryCore::pump(Deferred& deferred) {
  while (!resuming_.empty() && end_nested_wait(*resuming_.front())) {
    deferred.push_back([waiter = std::move(resuming_.front())] { waiter->flight->core->answer(waiter); });
    resuming_.pop_front();
  }
  while (resuming_.empty() && !queue_.empty() && take_permit(*queue_.front())) {
    const std::shared_ptr<Flight> flight = std::move(queue_.front());
    queue_.pop_front();
    approve(flight, deferred);
  }
  std::vector<std::shared_ptr<Flight>> still_waiting;
  for (const std::shared_ptr<Flight>& flight : making_room_) {
    if (has_room_for(*flight)) {
      begin_running(*flight, deferred);
    } else {
      still_waiting.push_back(flight);
    }
  }
  making_room_.swap(still_waiting);
}

void RegistryCore::begin_running(Flight& flight, Deferred& deferred) {
  flight.phase = Flight::Phase::running;
  ++counts_.cache_misses;
  flight.started_at = clock_.now();
  used_bytes_ += flight.memory_bytes;
  ++used_models_;
  flight.slot.memory_bytes = flight.memory_bytes;
  flight.slot.device = flight.device;
  emit(RegistryEvent::Kind::load_started, flight.slot);
  deferred.push_back(std::exchange(flight.on_start, nullptr));
}

void RegistryCore::approve(const std::shared_ptr<Flight>& flight, Deferred& deferred) {
  if (const std::exception_ptr refused = make_room_for(*flight, flight->memory_bytes)) {
    end_unpublished(*flight, Waiter::Answer::error, refused, false, deferred);
    return;
  }
  flight->phase = Flight::Phase::making_room;
  making_room_.push_back(flight);
}

// Evicts what must go for the flight's model; the error, and nobody goes, if it cannot fit.
std::exception_ptr RegistryCore::make_room_for(const Flight& flight, std::size_t memory_bytes) {
  while (true) {
    const Book models = book(&flight.slot);
    const EvictionPlan plan = plan_eviction(models.entries, limits(), memory_bytes, clock_.now());
    if (!plan.fits) return out_of_memory(flight, models, plan);
    std::vector<ModelSlot*> victims;
    for (const std::size_t i : plan.victims) victims.push_back(models.slots[i]);
    if (!begin_evictions(victims)) continue;
    counts_.evictions_by_pressure += victims.size();
    return nullptr;
  }
}

bool RegistryCore::has_room_for(const Flight& flight) const {
  if (flight.slot.state != ModelState::loading) return false;  // its predecessor is still being destroyed
  if (config_.max_models && used_models_ >= *config_.max_models) return false;
  return !config_.max_memory_bytes || used_bytes_ <= *config_.max_memory_bytes - flight.memory_bytes;
}

std::exception_ptr RegistryCore::out_of_memory(const Flight& flight, const Book& models,
                                               const EvictionPlan& plan) const {
  std::vector<std::string> holders;
  for (const std::size_t i : plan.blockers) holders.push_back(models.slots[i]->key);
  const bool bytes = plan.unit == OutOfMemory::Unit::bytes;
  std::string message = "model '" + flight.slot.key + "' does not fit: needs " + std::to_string(plan.needed) +
                        (bytes ? " bytes, " : " place, ") + std::to_string(plan.available) + " could be free";
  if (!holders.empty()) message += "; in the way: " + join(holders);
  message += ". Release or unpin one of them, or raise ";
  message += bytes ? "max_memory_bytes" : "max_models";
  return std::make_exception_ptr(OutOfMemory(message, plan.unit, plan.needed, plan.available, std::move(holders)));
}

}  // namespace remotemedia::detail
