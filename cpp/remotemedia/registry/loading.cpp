// SPDX-License-Identifier: Apache-2.0
//
// Flights: one load for each key, its turn, its room, its waiters.

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/registry/janitor_alarm.h"
#include "remotemedia/registry/registry_core.h"
#include "remotemedia/registry/type_name.h"

namespace remotemedia::detail {
namespace {

thread_local std::shared_ptr<Flight> flight_of_this_thread;

void run_all(const Deferred& deferred) {
  for (const auto& call : deferred) call();
}

std::string join(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "'" : ", '") + key + "'";
  return text;
}

}  // namespace

std::shared_ptr<Flight> current_flight() { return flight_of_this_thread; }

LoadScope::LoadScope(std::shared_ptr<Flight> flight)
    : outer_(std::exchange(flight_of_this_thread, std::move(flight))) {}
LoadScope::~LoadScope() { flight_of_this_thread = std::move(outer_); }

std::shared_ptr<Waiter> RegistryCore::ask(const Request& request) {
  if (request.key.empty()) throw Error(ErrorCode::invalid_argument, "a model's key must not be empty");
  const LoadOptions& options = request.options;
  if (options.timeout && *options.timeout < Duration{0}) {
    throw Error(ErrorCode::invalid_argument, "timeout must not be negative");
  }
  auto waiter = std::make_shared<Waiter>();
  const std::size_t hash = SlotTable::hash(request.key);
  Deferred deferred;
  std::optional<LoadProgress> heard_late;
  {
    MutexLock lock(mutex_);
    if (closing_) throw Error(ErrorCode::cancelled, "the registry is closed");
    ensure_janitor();
    ModelSlot* slot = table_.find(request.key, hash);

    if (slot != nullptr && slot->state == ModelState::ready) {
      if (*slot->type != request.type) {
        throw Error(ErrorCode::type_mismatch, type_mismatch_message(slot->key, *slot->type, request.type));
      }
      if (!slot->try_hold()) {
        throw Error(ErrorCode::rejected, "model '" + slot->key + "' has more holds than can be counted");
      }
      if (options.keep_alive) set_keep_alive(*slot, *options.keep_alive);
      if (observed_) emit(RegistryEvent::Kind::hit, *slot);
      waiter->held = slot;
      waiter->answer = Waiter::Answer::hold;
      waiter->done = true;
      return waiter;
    }
    if (slot != nullptr && slot->state == ModelState::failed && clock_.now() < slot->failure_forgotten_at) {
      waiter->error = slot->failure;
      waiter->answer = Waiter::Answer::error;
      waiter->done = true;
      return waiter;
    }

    const bool joins = slot != nullptr && slot->flight != nullptr;
    if (joins && slot->flight->type != request.type) {
      throw Error(ErrorCode::type_mismatch, type_mismatch_message(slot->key, slot->flight->type, request.type));
    }
    std::shared_ptr<Flight> parent = request.parent;
    if (parent != nullptr && parent->core.get() == this && parent->phase == Flight::Phase::done) parent = nullptr;

    if (!joins) {
      if (config_.max_memory_bytes && options.memory_bytes > *config_.max_memory_bytes) {
        throw OutOfMemory("model '" + std::string(request.key) + "' needs " + std::to_string(options.memory_bytes) +
                              " bytes, more than the whole budget of " + std::to_string(*config_.max_memory_bytes) +
                              ": raise max_memory_bytes or load a smaller model",
                          OutOfMemory::Unit::bytes, options.memory_bytes, *config_.max_memory_bytes, {});
      }
      if (slot == nullptr) slot = &table_.insert(request.key, hash, this, alarm_);
      if (slot->state != ModelState::evicting) slot->enter(ModelState::loading);
      slot->failure = nullptr;
      slot->flight = std::make_shared<Flight>(shared_from_this(), *slot, request.type, slot->key);
      slot->flight->memory_bytes = options.memory_bytes;
      slot->flight->device = options.device;
      slot->flight->keep_alive = options.keep_alive;
      waiter->leads = true;
      ++counts_.cache_misses;
    }
    const std::shared_ptr<Flight>& flight = slot->flight;
    if (parent != nullptr) WaitGraph::process().add(parent->node, flight->node);
    waiter->parent = std::move(parent);
    waiter->flight = flight;
    waiter->notify = request.notify;
    flight->waiters.push_back(waiter);
    if (!waiter->leads && options.keep_alive) flight->keep_alive = options.keep_alive;
    if (options.progress) {
      waiter->progress = options.progress;
      heard_late = flight->last_progress;
    }
    if (waiter->parent != nullptr && waiter->parent->core.get() == this) {
      give_up_permit(*waiter->parent);
      pump(deferred);
    }
  }
  if (heard_late) options.progress(*heard_late);
  run_all(deferred);
  return waiter;
}

void RegistryCore::start(const std::shared_ptr<Flight>& flight, std::function<void()> on_start) {
  Deferred deferred;
  {
    MutexLock lock(mutex_);
    if (flight->phase == Flight::Phase::done) {  // the registry was closed
      deferred.push_back(std::move(on_start));
    } else {
      flight->phase = Flight::Phase::queued;
      flight->on_start = std::move(on_start);
      queue_.push_back(flight);
      pump(deferred);
    }
  }
  run_all(deferred);
}

bool RegistryCore::is_running(const Flight& flight) const {
  MutexLock lock(mutex_);
  return flight.phase == Flight::Phase::running;
}

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

// Everything that may go on now goes on: loaders whose answer has come first, then the queue, then those whose
// room has become free.
void RegistryCore::pump(Deferred& deferred) {
  while (!resuming_.empty() && take_permit(*resuming_.front()->parent)) {
    const std::shared_ptr<Waiter> waiter = std::move(resuming_.front());
    resuming_.pop_front();
    answer(waiter, deferred);
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
  flight.started_at = clock_.now();
  used_bytes_ += flight.memory_bytes;
  ++used_models_;
  flight.slot.memory_bytes = flight.memory_bytes;
  flight.slot.device = flight.device;
  emit(RegistryEvent::Kind::load_started, flight.slot);
  deferred.push_back(std::exchange(flight.on_start, nullptr));
}

void RegistryCore::approve(const std::shared_ptr<Flight>& flight, Deferred& deferred) {
  const Book models = book();
  const EvictionLimits limits{config_.eviction_policy, config_.max_models, config_.max_memory_bytes,
                              config_.min_residency};
  const EvictionPlan plan = plan_eviction(models.entries, limits, flight->memory_bytes, clock_.coarse_now());
  if (!plan.fits) {
    end_unpublished(*flight, Waiter::Answer::error, out_of_memory(*flight, models, plan), false, deferred);
    return;
  }
  bool all_went = true;
  for (const std::size_t victim : plan.victims) all_went = begin_eviction(*models.slots[victim]) && all_went;
  if (!all_went) {  // one was asked for at this very moment: look again
    approve(flight, deferred);
    return;
  }
  flight->phase = Flight::Phase::making_room;
  making_room_.push_back(flight);
}

bool RegistryCore::has_room_for(const Flight& flight) const {
  if (flight.slot.state != ModelState::loading) return false;  // its predecessor is still being destroyed
  if (config_.max_models && used_models_ >= *config_.max_models) return false;
  return !config_.max_memory_bytes || used_bytes_ + flight.memory_bytes <= *config_.max_memory_bytes;
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

void RegistryCore::publish(const std::shared_ptr<Flight>& flight, LoadedModel loaded) {
  Deferred deferred;
  {
    MutexLock lock(mutex_);
    if (flight->phase != Flight::Phase::running) return;
    if (closing_) {
      const auto gone = std::make_exception_ptr(Error(ErrorCode::cancelled, "the registry was closed while loading"));
      end_unpublished(*flight, Waiter::Answer::error, gone, false, deferred);
    } else {
      land_loaded(*flight, loaded, deferred);
    }
    pump(deferred);
  }
  alarm_->ring();
  run_all(deferred);
}

void RegistryCore::land_loaded(Flight& flight, LoadedModel& loaded, Deferred& deferred) {
  ModelSlot& slot = flight.slot;
  const std::size_t declared = flight.memory_bytes;
  const std::size_t measured = loaded.memory_bytes.value_or(declared);
  const TimePoint now = clock_.now();
  const Duration took = now - flight.started_at;

  // What it really takes may be more than was approved.
  std::exception_ptr too_large;
  if (measured > declared) {
    Book models = book();
    const auto itself = std::ranges::find(models.slots, &slot) - models.slots.begin();
    models.slots.erase(models.slots.begin() + itself);
    models.entries.erase(models.entries.begin() + itself);
    const EvictionLimits limits{config_.eviction_policy, config_.max_models, config_.max_memory_bytes,
                                config_.min_residency};
    const EvictionPlan plan = plan_eviction(models.entries, limits, measured, now);
    if (!plan.fits) too_large = out_of_memory(flight, models, plan);
    for (const std::size_t victim : plan.victims) begin_eviction(*models.slots[victim]);
  }

  used_bytes_ = used_bytes_ - declared + measured;
  slot.memory_bytes = measured;
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
    if (!waiter->leads) ++counts_.cache_hits;
  }
  slot.granted_by_load = grants;
  slot.word.fetch_add(ModelSlot::kReady + grants * (ModelSlot::kHold + ModelSlot::kAccess));
}

void RegistryCore::fail(const std::shared_ptr<Flight>& flight, std::exception_ptr error) {
  Deferred deferred;
  {
    MutexLock lock(mutex_);
    if (flight->phase == Flight::Phase::done) return;
    end_unpublished(*flight, Waiter::Answer::error, error, true, deferred);
    pump(deferred);
  }
  alarm_->ring();
  run_all(deferred);
}

void RegistryCore::abandon(const std::shared_ptr<Flight>& flight) {
  Deferred deferred;
  {
    MutexLock lock(mutex_);
    if (flight->phase == Flight::Phase::done) return;
    end_unpublished(*flight, Waiter::Answer::retry, nullptr, false, deferred);
    pump(deferred);
  }
  alarm_->ring();
  run_all(deferred);
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
    remember = remember && config_.failed_load_ttl > Duration{0};
    slot.enter(remember ? ModelState::failed : ModelState::absent);
    if (remember) {
      slot.failure = error;
      slot.failure_forgotten_at = clock_.now() + config_.failed_load_ttl;
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
    const bool needs_permit = waiter->parent != nullptr && waiter->parent->core.get() == this;
    if (needs_permit && !take_permit(*waiter->parent)) {
      resuming_.push_back(waiter);
    } else {
      answer(waiter, deferred);
    }
  }
}

void RegistryCore::answer(const std::shared_ptr<Waiter>& waiter, Deferred& deferred) {
  if (waiter->parent != nullptr) WaitGraph::process().remove(waiter->parent->node, waiter->flight->node);
  waiter->done = true;
  waiter->changed.notify_all();
  if (waiter->notify) deferred.push_back(std::exchange(waiter->notify, nullptr));
}

bool RegistryCore::wait(const std::shared_ptr<Waiter>& waiter, TimePoint deadline) {
  MutexLock lock(mutex_);
  while (!waiter->done && (deadline == TimePoint::max() || clock_.now() < deadline)) {
    clock_.wait_until(waiter->changed, mutex_, deadline);
  }
  return waiter->done;
}

void RegistryCore::leave(const std::shared_ptr<Waiter>& waiter) {
  ModelSlot* unwanted = nullptr;
  std::function<void()> uncalled;
  {
    MutexLock lock(mutex_);
    if (waiter->answer == Waiter::Answer::none) {
      std::erase(waiter->flight->waiters, waiter);
    } else {
      std::erase(resuming_, waiter);
      unwanted = std::exchange(waiter->held, nullptr);
    }
    uncalled = std::exchange(waiter->notify, nullptr);
    if (!waiter->done && waiter->parent != nullptr) {
      WaitGraph::process().remove(waiter->parent->node, waiter->flight->node);
      Flight& parent = *waiter->parent;
      if (parent.core.get() == this && !take_permit(parent)) {  // its loader goes on whatever the limit
        ++permits_taken_;
        parent.has_permit = true;
      }
    }
    waiter->done = true;
  }
  if (unwanted != nullptr) unwanted->release();
}

ModelSlot* RegistryCore::take(const std::shared_ptr<Waiter>& waiter) {
  std::exception_ptr error;
  {
    MutexLock lock(mutex_);
    error = std::exchange(waiter->error, nullptr);
    if (!error) return std::exchange(waiter->held, nullptr);
  }
  std::rethrow_exception(error);
}

void RegistryCore::report(const std::shared_ptr<Flight>& flight, std::optional<double> fraction,
                          std::string_view message) {
  LoadProgress progress{flight->slot.key, fraction, std::string(message)};
  std::vector<std::function<void(const LoadProgress&)>> listeners;
  {
    MutexLock lock(mutex_);
    if (flight->phase != Flight::Phase::running) return;
    flight->last_progress = progress;
    for (const auto& waiter : flight->waiters) {
      if (waiter->progress) listeners.push_back(waiter->progress);
    }
  }
  for (const auto& listener : listeners) {
    try {
      listener(progress);
    } catch (const std::exception& error) {
      log(LogLevel::warning, "progress of '" + progress.key + "': the listener failed: " + error.what());
    }
  }
}

void RegistryCore::run_in_background(std::function<void()> load) {
  {
    MutexLock lock(mutex_);
    ++background_loads_;
  }
  const auto ended = [](RegistryCore& core) {
    MutexLock lock(core.mutex_);
    --core.background_loads_;
    core.drained_.notify_all();
  };
  try {
    std::thread([core = shared_from_this(), load = std::move(load), ended]() mutable {
      load();
      load = nullptr;
      ended(*core);
    }).detach();
  } catch (...) {
    ended(*this);
    throw;
  }
}

}  // namespace remotemedia::detail
