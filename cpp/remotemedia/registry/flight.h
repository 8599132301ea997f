// SPDX-License-Identifier: Apache-2.0
//
// Flight: one load under way, and Waiter: one call that waits for it. Both are guarded by the mutex of their
// registry.

#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/registry/load_options.h"
#include "remotemedia/registry/model_slot.h"
#include "remotemedia/registry/wait_graph.h"

namespace remotemedia::detail {

class RegistryCore;
struct Waiter;

/// What a loader has made.
struct LoadedModel {
  std::shared_ptr<void> object;
  std::optional<std::size_t> memory_bytes;  ///< What the model itself says.
  std::string model_id;                     ///< Likewise; empty: the key.
  bool revived = false;                     ///< Evicted before, but still alive with somebody: found again, not loaded.
};

struct Flight {
  enum class Phase {
    created,      ///< Its leader has not started it yet.
    queued,       ///< Waits for its turn.
    making_room,  ///< Approved; waits until what it evicts is really released.
    running,      ///< The loader's.
    done,
  };

  Flight(std::shared_ptr<RegistryCore> registry, ModelSlot& of, const std::type_info& model_type, std::string key)
      : core(std::move(registry)), slot(of), type(model_type), node(std::move(key)) {
    slot.add_reference();
  }
  ~Flight() { slot.drop_reference(); }
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  const std::shared_ptr<RegistryCore> core;
  ModelSlot& slot;
  const std::type_info& type;
  WaitNode node;
  std::size_t memory_bytes = 0;
  std::string device;
  std::optional<Duration> keep_alive;

  Phase phase = Phase::created;
  bool has_permit = false;         ///< Counts among the loaders that run.
  std::size_t nested_waits = 0;    ///< Waits of its loader for other loads: while any, it does not count.
  std::function<void()> on_start;  ///< Called once, without a lock, when it runs or has ended before it could.
  std::vector<std::shared_ptr<Waiter>> waiters;
  std::optional<LoadProgress> last_progress;
  TimePoint started_at;
};

struct Waiter {
  enum class Answer { none, hold, error, retry };
  enum class NestedWait { before, during, after };  ///< During: it counts among its parent's.

  std::shared_ptr<Flight> flight;
  std::shared_ptr<Flight> parent;               ///< The load whose loader asked.
  NestedWait nested_wait = NestedWait::before;  ///< Guarded by the parent's registry.
  bool leads = false;                           ///< This call made the flight: it has to run the loader.
  Answer answer = Answer::none;
  ModelSlot* held = nullptr;
  bool done = false;  ///< The answer may be taken.
  std::exception_ptr error;
  CondVar changed;
  std::function<void()> notify;  ///< Called once when done, without a lock, unless done at once.
  std::function<void(const LoadProgress&)> progress;
};

}  // namespace remotemedia::detail
