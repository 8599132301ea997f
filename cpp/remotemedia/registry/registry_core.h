// SPDX-License-Identifier: Apache-2.0
//
// RegistryCore: what ModelRegistry is made of, without types. Models are std::shared_ptr<void>, loaders are
// whoever drives a Flight: the template in model_registry.h, or a binding whose loader is a coroutine.
//
// One mutex guards the book; hits and releases stay outside it (model_slot.h). While it is held nothing of
// the user's runs: no loader, destructor, listener or callback. What must be called is collected (Deferred)
// and called after it. Models are destroyed by the janitor, the registry's own thread.
//
// holds.cpp: hits and labels. loading.cpp, load_queue.cpp, landing.cpp: flights. residency.cpp: eviction and the
// janitor. introspection.cpp: lists, numbers and events. fork.cpp: around fork().

#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <typeinfo>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/registry/flight.h"
#include "remotemedia/registry/load_options.h"
#include "remotemedia/registry/model_info.h"
#include "remotemedia/registry/model_key.h"
#include "remotemedia/registry/registry_config.h"
#include "remotemedia/registry/slot_table.h"

namespace remotemedia::detail {

class JanitorAlarm;

/// A listener; cancelled ones are called no more.
struct Subscriber {
  std::function<void(const RegistryEvent&)> listener;
  std::uint64_t first_event = 0;  ///< It hears nothing that happened before it listened.
  std::atomic<bool> active{true};
};

/// Called, without a lock, with each model that is still held when its registry closes. The last hold destroys it
/// then; a binding whose handles keep what they use by other means lets go of it here.
using WhenOrphaned = void (*)(void* model) noexcept;

/// Callbacks to make once the mutex is released.
using Deferred = std::vector<std::function<void()>>;

class REMOTEMEDIA_API RegistryCore : public std::enable_shared_from_this<RegistryCore> {
 public:
  /// Errors:  invalid_argument, naming the option.
  static std::shared_ptr<RegistryCore> open(const RegistryConfig& config, WhenOrphaned when_orphaned = nullptr);
  RegistryCore(const RegistryConfig& config, WhenOrphaned when_orphaned);
  ~RegistryCore();
  RegistryCore(const RegistryCore&) = delete;
  RegistryCore& operator=(const RegistryCore&) = delete;

  /// Destroys what nobody holds, waits for loads in the background, ends the janitor. What is held stays and
  /// is destroyed by its last hold. Twice is once.
  void close() noexcept;

  // Holds. None of these waits. A hold is given back with ModelSlot::release().

  /// Errors:  type_mismatch.
  ModelSlot* try_hold(std::string_view key, const std::type_info& type);
  ModelSlot* try_hold(const ModelKey& key, const std::type_info& type);

  /// Names a hold; the label goes with release_labelled().
  Holder* label(ModelSlot& slot, std::shared_ptr<const std::string> text);
  void release_labelled(ModelSlot& slot, Holder* holder) noexcept;

  // Loads.

  struct Request {
    std::string_view key;
    const std::type_info& type;
    const LoadOptions& options;
    std::shared_ptr<Flight> parent = {};
    std::function<void()> notify = {};
  };

  /// A place among those who wait for the key; done at once if the model is ready or its failure remembered.
  /// If it leads, the caller starts the flight and, once it runs, ends it with publish, fail or abandon.
  ///
  /// Errors:  invalid_argument, type_mismatch, out_of_memory (larger than the budget), load_failed (a ring).
  std::shared_ptr<Waiter> ask(const Request& request);

  /// Queues the flight; calls `on_start` when the loader may run, or when the flight has ended before.
  void start(const std::shared_ptr<Flight>& flight, std::function<void()> on_start);
  bool is_running(const Flight& flight) const;

  void publish(const std::shared_ptr<Flight>& flight, LoadedModel model);

  /// Every waiter gets `error`; it is remembered for failed_load_ttl.
  void fail(const std::shared_ptr<Flight>& flight, const std::exception_ptr& error);

  /// The load ended for a reason of its leader's alone: the others ask again, with loaders of their own.
  void abandon(const std::shared_ptr<Flight>& flight);

  void report(const std::shared_ptr<Flight>& flight, std::optional<double> fraction, std::string_view message);

  /// Waits until the answer is there or `deadline` has passed; says whether it is.
  bool wait(const std::shared_ptr<Waiter>& waiter, TimePoint deadline);

  /// A waiter that gives up. The load goes on.
  void leave(const std::shared_ptr<Waiter>& waiter);

  /// The answer: a hold, or nullptr when the caller has to ask again.
  ///
  /// Errors:  the load's.
  ModelSlot* take(const std::shared_ptr<Waiter>& waiter);

  /// A load on a thread of its own, which close() waits for.
  void run_in_background(std::function<void()> load);

  // Residency.

  bool evict(std::string_view key);
  EvictionResult evict_expired();
  void pin(std::string_view key, bool pinned);
  void clear(std::optional<Duration> timeout);

  // Around fork(), by the forking thread. In the child the janitor starts again when it is needed, loads of
  // other threads are over, and what was being destroyed is left alone.

  void lock_for_fork();
  void unlock_in_parent();
  void unlock_in_child();

  // Introspection.

  LoadPlan plan(std::string_view key, std::size_t memory_bytes) const;
  std::vector<ModelInfo> list_models() const;
  bool contains(std::string_view key) const;
  RegistryMetrics metrics() const;
  std::shared_ptr<Subscriber> subscribe(std::function<void(const RegistryEvent&)> listener);
  void unsubscribe(const std::shared_ptr<Subscriber>& subscriber);

  /// Calls `on_model` with each model that is there or waits to be destroyed, `on_failure` with each failure that
  /// is remembered. With a lock held: they must not come back.
  void visit_kept(const std::function<void(void*)>& on_model,
                  const std::function<void(const std::exception_ptr&)>& on_failure) const;

  const Clock& clock() const noexcept { return clock_; }

 private:
  friend struct ModelSlot;

  /// The models that count against the limits, and where each stands among the slots.
  struct Book {
    std::vector<EvictionEntry> entries;
    std::vector<ModelSlot*> slots;
  };
  struct Buried {
    std::shared_ptr<void> model;
    ModelSlot* slot;
  };

  // holds.cpp
  ModelSlot* find_and_hold(std::string_view key, std::size_t hash, const std::type_info& type);
  ModelSlot* look_again(std::string_view key, std::size_t hash, const std::type_info& type);
  ModelSlot* hold_ready(ModelSlot& slot, const std::type_info& type) REMOTEMEDIA_REQUIRES(mutex_);
  ModelSlot* hold_unbound(const ModelKey& key, const std::type_info& type);
  ModelSlot* checked(ModelSlot& slot, const std::type_info& type);
  ModelSlot* checked_in_full(ModelSlot& slot, const std::type_info& type);
  TimePoint stamp(ModelSlot& slot) noexcept {
    const TimePoint now = clock_.coarse_now();
    slot.released_at.store(now, std::memory_order_relaxed);
    if (limited_) {
      slot.release_order.store(next_release_order_.fetch_add(1, std::memory_order_relaxed), std::memory_order_relaxed);
    }
    return now;
  }
  void note(RegistryEvent::Kind kind, const ModelSlot& slot);

  // load_queue.cpp
  void pump(Deferred& deferred) REMOTEMEDIA_REQUIRES(mutex_);
  void approve(const std::shared_ptr<Flight>& flight, Deferred& deferred) REMOTEMEDIA_REQUIRES(mutex_);
  void begin_running(Flight& flight, Deferred& deferred) REMOTEMEDIA_REQUIRES(mutex_);
  std::exception_ptr make_room_for(const Flight& flight, std::size_t memory_bytes) REMOTEMEDIA_REQUIRES(mutex_);
  bool has_room_for(const Flight& flight) const REMOTEMEDIA_REQUIRES(mutex_);
  void give_up_permit(Flight& flight) REMOTEMEDIA_REQUIRES(mutex_);
  bool take_permit(Flight& flight) REMOTEMEDIA_REQUIRES(mutex_);
  void begin_nested_wait(Waiter& waiter, Deferred& deferred) REMOTEMEDIA_REQUIRES(mutex_);
  bool end_nested_wait(Waiter& waiter) REMOTEMEDIA_REQUIRES(mutex_);
  void resume(const std::shared_ptr<Waiter>& waiter) REMOTEMEDIA_EXCLUDES(mutex_);
  void go_on_anyway(const std::shared_ptr<Waiter>& waiter) REMOTEMEDIA_EXCLUDES(mutex_);
  std::exception_ptr out_of_memory(const Flight& flight, const Book& book, const EvictionPlan& plan) const
      REMOTEMEDIA_REQUIRES(mutex_);

  // landing.cpp
  void land_loaded(Flight& flight, LoadedModel& loaded, Deferred& deferred) REMOTEMEDIA_REQUIRES(mutex_);
  void land(Flight& flight, Waiter::Answer answer, const std::exception_ptr& error, Deferred& deferred)
      REMOTEMEDIA_REQUIRES(mutex_);
  std::function<void()> settle(Waiter& waiter) REMOTEMEDIA_REQUIRES(mutex_);
  void answer(const std::shared_ptr<Waiter>& waiter) REMOTEMEDIA_EXCLUDES(mutex_);
  void count_load(bool revived, Duration took) REMOTEMEDIA_REQUIRES(mutex_);
  void grant_to_waiters(Flight& flight) REMOTEMEDIA_REQUIRES(mutex_);
  void end_unpublished(Flight& flight, Waiter::Answer answer, const std::exception_ptr& error, bool remember,
                       Deferred& deferred) REMOTEMEDIA_REQUIRES(mutex_);

  // residency.cpp
  EvictionLimits limits() const noexcept {
    return {config_.eviction_policy, config_.max_models, config_.max_memory_bytes, config_.min_residency};
  }
  bool is_idle(const ModelSlot& slot) const REMOTEMEDIA_REQUIRES(mutex_);
  TimePoint expires_at(const ModelSlot& slot) const REMOTEMEDIA_REQUIRES(mutex_);
  void set_keep_alive(ModelSlot& slot, Duration keep_alive) REMOTEMEDIA_REQUIRES(mutex_);
  bool counts_against_limits(const ModelSlot& slot) const REMOTEMEDIA_REQUIRES(mutex_);
  Book book(const ModelSlot* without = nullptr) const REMOTEMEDIA_REQUIRES(mutex_);
  bool begin_eviction(ModelSlot& slot) REMOTEMEDIA_REQUIRES(mutex_);
  bool begin_evictions(const std::vector<ModelSlot*>& slots) REMOTEMEDIA_REQUIRES(mutex_);  ///< All or none.
  void evict_withdrawn(ModelSlot& slot, std::uint64_t word) REMOTEMEDIA_REQUIRES(mutex_);
  void bury(ModelSlot& slot) REMOTEMEDIA_REQUIRES(mutex_);
  EvictionResult evict_idle_expired(TimePoint now) REMOTEMEDIA_REQUIRES(mutex_);
  std::size_t evict_all_idle() REMOTEMEDIA_REQUIRES(mutex_);
  TimePoint forget_failures(TimePoint until, std::vector<std::exception_ptr>& forgotten) REMOTEMEDIA_REQUIRES(mutex_);
  TimePoint sweep() REMOTEMEDIA_REQUIRES(mutex_);
  void release_memory(ModelSlot& slot) REMOTEMEDIA_REQUIRES(mutex_);
  bool is_janitor() const noexcept;
  void ensure_janitor() REMOTEMEDIA_REQUIRES(mutex_);
  void run_janitor();
  std::optional<TimePoint> look_after_models();
  bool orphan_the_held(std::vector<std::shared_ptr<void>>& orphans) REMOTEMEDIA_REQUIRES(mutex_);

  // introspection.cpp
  void emit(RegistryEvent::Kind kind, const ModelSlot& slot, Duration duration = Duration{0})
      REMOTEMEDIA_REQUIRES(mutex_);
  void deliver(const std::deque<RegistryEvent>& events, std::uint64_t first_event,
               const std::vector<std::shared_ptr<Subscriber>>& subscribers) noexcept;
  ModelInfo describe(const ModelSlot& slot) const REMOTEMEDIA_REQUIRES(mutex_);

  // Read by hits and releases, hardly ever written.
  const Clock& clock_;
  const bool limited_;  ///< Some limit is set, so the order of releases matters.
  std::atomic<bool> observed_{false};
  JanitorAlarm* const alarm_;
  SlotTable table_;
  const RegistryConfig config_;
  const Duration default_keep_alive_;
  const WhenOrphaned when_orphaned_;

  alignas(64) std::atomic<std::uint64_t> next_release_order_{1};

  alignas(64) mutable Mutex mutex_;
  CondVar drained_;  ///< Memory was released or a background load has ended.
  bool closing_ REMOTEMEDIA_GUARDED_BY(mutex_) = false;
  std::deque<std::shared_ptr<Flight>> queue_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Flight>> making_room_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Waiter>> resuming_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::size_t permits_taken_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::size_t background_loads_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::vector<Buried> graveyard_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::size_t unreleased_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  ///< Buried or being destroyed.
  std::size_t used_bytes_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::size_t used_models_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  RegistryMetrics counts_ REMOTEMEDIA_GUARDED_BY(mutex_);  ///< Without the hot hits of models that are ready.
  std::deque<RegistryEvent> events_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::uint64_t events_emitted_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  ///< The last ones are `events_`.
  std::size_t events_dropped_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<Subscriber>> subscribers_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::unique_ptr<std::thread> janitor_;  ///< None in a forked child until it is needed.
};

/// Lets a thread end by itself. As detach(), which with mingw-w64 makes later threads run what earlier ones were given,
/// or nothing: there the thread's handle is left open.
void let_go(std::thread thread);

/// The flight whose loader runs on this thread, or none.
REMOTEMEDIA_API std::shared_ptr<Flight> current_flight();

/// Makes a flight the current one of this thread.
class REMOTEMEDIA_API LoadScope {
 public:
  explicit LoadScope(std::shared_ptr<Flight> flight);
  ~LoadScope();
  LoadScope(const LoadScope&) = delete;
  LoadScope& operator=(const LoadScope&) = delete;

 private:
  friend std::shared_ptr<Flight> current_flight();

  std::shared_ptr<Flight> flight_;
  const LoadScope* outer_;
};

}  // namespace remotemedia::detail
