// SPDX-License-Identifier: Apache-2.0
//
// OncePerProcess: one T for this process, and another one for a forked child, whose copy of its parent's is in whatever
// state the parent's other threads had it in.
//
//     constinit OncePerProcess<Links> links;
//     links.get()…
//
// What was made is never destroyed: threads that still run at the program's end may use it.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "remotemedia/memory/fork_generation.h"

namespace remotemedia {

/// Threads:  any. For objects of static storage only.
template <class T>
class OncePerProcess {
 public:
  /// Errors:  those of T's constructor; std::bad_alloc.
  T& get() {
    for (;;) {
      if (T* const ours = existing()) return *ours;
      Made* newest = newest_.load(std::memory_order_acquire);
      auto fresh = std::make_unique<Made>();
      fresh->before = newest;
      if (newest_.compare_exchange_strong(newest, fresh.get(), std::memory_order_acq_rel))
        return fresh.release()->object;
    }
  }

  /// nullptr where get() was not called yet.
  T* existing() noexcept {
    Made* const newest = newest_.load(std::memory_order_acquire);
    return newest != nullptr && newest->generation == fork_generation() ? &newest->object : nullptr;
  }

 private:
  struct Made {
    std::uint64_t generation = fork_generation();
    Made* before = nullptr;  // an ancestor's
    T object;
  };

  std::atomic<Made*> newest_{nullptr};
};

}  // namespace remotemedia
