// SPDX-License-Identifier: Apache-2.0
//
// ModelSlot: the registry's record of one key. What a hit touches fills its first cache lines; the rest is
// the book of the registry, guarded by its mutex.
//
// The word holds, in one atomic number: whether the model is ready, how many holds there are, and how often
// it was asked for. A hit is one addition to it, a release one subtraction. Eviction takes `ready` away only
// while there is no hold, in one compare-and-swap; whoever adds a hold without finding `ready` takes it back
// and asks under the mutex.
//
// A slot is never freed under a reader: the table keeps it (for this or, later, another key) while its
// registry lives, each ModelKey bound to it keeps it, and so does the last hold when the registry is gone.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/registry/model_state.h"

namespace remotemedia::detail {

class RegistryCore;
class JanitorAlarm;
struct Flight;

/// One labelled hold.
struct Holder {
  std::shared_ptr<const std::string> label;
  TimePoint since;
  std::list<Holder>::iterator self;
};

struct alignas(128) ModelSlot {
  static constexpr std::uint64_t kReady = 1;
  static constexpr std::uint64_t kOrphan = 2;  ///< The registry is gone: the last hold destroys the model.
  static constexpr std::uint64_t kHold = 4;
  static constexpr std::uint64_t kAccess = std::uint64_t{1} << 24;
  static constexpr std::uint64_t kHoldMask = (kAccess - 1) & ~(kReady | kOrphan);
  static constexpr std::uint64_t kTooManyHolds = kAccess >> 1;

  static std::size_t holds_of(std::uint64_t word) noexcept { return (word & kHoldMask) / kHold; }
  static std::uint64_t accesses_of(std::uint64_t word) noexcept { return word / kAccess; }

  ModelSlot(RegistryCore* registry, JanitorAlarm* registry_alarm) noexcept;
  ~ModelSlot();
  ModelSlot(const ModelSlot&) = delete;
  ModelSlot& operator=(const ModelSlot&) = delete;

  void add_reference() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference() noexcept {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// A hold on the model if it is ready, else nothing changes but for an instant.
  bool try_hold() noexcept {
    const std::uint64_t before = word.fetch_add(kHold + kAccess, std::memory_order_acquire);
    if ((before & (kReady | kTooManyHolds)) == kReady) [[likely]]
      return true;
    take_back_hold();
    return false;
  }
  REMOTEMEDIA_API void take_back_hold() noexcept;

  /// Errors:  rejected: more holds than can be counted.
  [[noreturn]] void refuse_hold() const;

  /// Gives a hold back. The slot and its registry may be gone when this returns.
  REMOTEMEDIA_API void release() noexcept;

  /// Nobody can hold the model by asking any more; what the word was, or nothing if somebody holds it. Adding that
  /// again takes it back.
  std::optional<std::uint64_t> withdraw() noexcept;

  /// Leaves the model to its holders: no further holds by asking, and the last one destroys it. False, and
  /// nothing has changed, if nobody holds it.
  bool become_orphan() noexcept;

  /// Moves to the next state; a transition that the table does not know is a bug and ends the process.
  void enter(ModelState next) noexcept;

  // What a hit and a release touch.
  std::atomic<std::uint64_t> word{0};
  std::atomic<TimePoint> released_at{TimePoint{}};
  std::atomic<std::uint64_t> release_order{0};
  std::atomic<Duration> expires_after{Duration::max()};  ///< From the last release; max(): never.
  const std::type_info* type = nullptr;                  ///< These two change only while nobody can hold.
  void* object = nullptr;
  std::atomic<RegistryCore*> core;  ///< nullptr once the registry is gone and nobody holds the model.
  JanitorAlarm* const alarm;

  // What nobody writes while the model is ready.
  std::atomic<std::size_t> hash{0};
  std::string key;
  std::atomic<int> references{1};

  // The registry's book.
  ModelState state = ModelState::absent;
  std::shared_ptr<void> model;
  std::string model_id;
  std::string device;
  std::size_t memory_bytes = 0;
  std::uint64_t granted_by_load = 0;  ///< Of the accesses in the word: those that were no hot hits.
  Duration keep_alive{0};
  bool pinned = false;
  TimePoint loaded_at;
  std::list<Holder> holders;
  std::shared_ptr<Flight> flight;
  std::exception_ptr failure;
  TimePoint failure_forgotten_at;
  std::shared_ptr<RegistryCore> orphan_of;  ///< Keeps what is left of a registry that is gone.

 private:
  void destroy_orphan() noexcept;
};

}  // namespace remotemedia::detail
