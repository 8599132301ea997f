// SPDX-License-Identifier: Apache-2.0
//
// Loads as callers and leaders see them: asking, waiting, starting a flight and ending it.

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

// No object: mingw-w64 frees a thread's variables before their destructors run.
thread_local const LoadScope* scope_of_this_thread = nullptr;

void run_all(const Deferred& deferred) {
  for (const auto& call : deferred) call();
}

void tell(const std::function<void(const LoadProgress&)>& listener, const LoadProgress& progress) {
  try {
    listener(progress);
  } catch (const std::exception& error) {
    log(LogLevel::warning, "progress of '" + progress.key + "': the listener failed: " + error.what());
  } catch (...) {
    log(LogLevel::warning,
        "progress of '" + progress.key + "': the listener threw something that is no std::exception");
  }
}

}  // namespace

std::shared_ptr<Flight> current_flight() {
  return scope_of_this_thread != nullptr ? scope_of_this_thread->flight_ : nullptr;
}

LoadScope::LoadScope(std::shared_ptr<Flight> flight)
    : flight_(std::move(flight)), outer_(std::exchange(scope_of_this_thread, this)) {}
LoadScope::~LoadScope() { scope_of_this_thread = outer_; }

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
      waiter->held = hold_ready(*slot, request.type);
      if (options.keep_alive) set_keep_alive(*slot, *options.keep_alive);
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

    if (is_janitor()) {
      throw Error(ErrorCode::invalid_argument, "'" + std::string(request.key) +
                                                   "' is not there, and a listener or destructor must not load it: the "
                                                   "registry's own thread would wait for itself");
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
      // Destroyed without the mutex: what a loader threw may be the user's.
      deferred.push_back([forgotten = std::exchange(slot->failure, nullptr)] {});
      slot->flight = std::make_shared<Flight>(shared_from_this(), *slot, request.type, slot->key);
      slot->flight->memory_bytes = options.memory_bytes;
      slot->flight->device = options.device;
      slot->flight->keep_alive = options.keep_alive;
      if (slot->state != ModelState::evicting) slot->enter(ModelState::loading);
      waiter->leads = true;
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
    if (waiter->parent != nullptr && waiter->parent->core.get() == this) begin_nested_wait(*waiter, deferred);
  }
  if (waiter->parent != nullptr && waiter->parent->core.get() != this) {
    RegistryCore& parents = *waiter->parent->core;
    MutexLock lock(parents.mutex_);
    parents.begin_nested_wait(*waiter, deferred);
  }
  if (heard_late) tell(options.progress, *heard_late);
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

void RegistryCore::fail(const std::shared_ptr<Flight>& flight, const std::exception_ptr& error) {
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

bool RegistryCore::wait(const std::shared_ptr<Waiter>& waiter, TimePoint deadline) {
  MutexLock lock(mutex_);
  while (!waiter->done && (deadline == TimePoint::max() || clock_.now() < deadline)) {
    clock_.wait_until(waiter->changed, mutex_, deadline);
  }
  return waiter->done;
}

void RegistryCore::leave(const std::shared_ptr<Waiter>& waiter) {
  ModelSlot* unwanted = nullptr;
  std::exception_ptr untold;
  std::function<void()> uncalled;
  {
    MutexLock lock(mutex_);
    untold = std::exchange(waiter->error, nullptr);
    if (waiter->answer == Waiter::Answer::none) {
      std::erase(waiter->flight->waiters, waiter);
      if (waiter->parent != nullptr) WaitGraph::process().remove(waiter->parent->node, waiter->flight->node);
    } else {
      unwanted = std::exchange(waiter->held, nullptr);
    }
    uncalled = std::exchange(waiter->notify, nullptr);
    waiter->done = true;
  }
  if (waiter->parent != nullptr) waiter->parent->core->go_on_anyway(waiter);
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
  for (const auto& listener : listeners) tell(listener, progress);
}

void let_go(std::thread thread) {
#if defined(__MINGW32__)
  (void)new std::thread(std::move(thread));
#else
  thread.detach();
#endif
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
    let_go(std::thread([core = shared_from_this(), load = std::move(load), ended]() mutable {
      load();
      load = nullptr;
      ended(*core);
    }));
  } catch (...) {
    ended(*this);
    throw;
  }
}

}  // namespace remotemedia::detail
