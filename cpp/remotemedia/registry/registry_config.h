// SPDX-License-Identifier: Apache-2.0
//
// RegistryConfig: the limits of a ModelRegistry.

#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "remotemedia/base/clock.h"
#include "remotemedia/registry/eviction.h"

namespace remotemedia {

struct RegistryConfig {
  /// How long a model stays after its last hold; zero: gone at once; nullopt or negative: no time limit.
  std::optional<Duration> ttl = std::chrono::seconds{30};

  /// Bytes of all models, from the moment a load is approved until the memory is really released.
  std::optional<std::size_t> max_memory_bytes = std::nullopt;

  /// Models at once, at least 1.
  std::optional<std::size_t> max_models = std::nullopt;

  EvictionPolicy eviction_policy = EvictionPolicy::lru;

  /// How often the registry looks whether a shared_ptr that a loader kept is gone, more than zero. A model that only
  /// handles hold goes when its time is up, whatever this is.
  Duration cleanup_interval = std::chrono::seconds{10};

  /// Loaders that may run at once, at least 1. A loader that waits for another key's load does not count; one whose
  /// call for another key has timed out goes on, even beside as many as this.
  std::size_t max_concurrent_loads = 1;

  /// How long after its load a model is safe from pressure. Time and evict() still take it.
  Duration min_residency{0};

  /// How long a failed load is remembered and answered with the same error, without another try.
  Duration failed_load_ttl{0};

  /// Must outlive the registry and its handles. nullptr: the machine's monotonic clock.
  Clock* clock = nullptr;
};

}  // namespace remotemedia
