// SPDX-License-Identifier: Apache-2.0
//
// Eviction: who goes when room is needed or time has passed. Pure functions from (entries, limits, now) to
// victims; the registry acts on what they decide.
//
// A held, pinned or loading model is never a victim. min_residency keeps what was loaded a moment ago from
// pressure, so that two models that do not fit together cannot evict each other in turns.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"

namespace remotemedia {

/// Who goes when max_models or max_memory_bytes needs room.
enum class EvictionPolicy {
  lru,     ///< Any idle model, the one released longest ago first.
  lfu,     ///< Any idle model, the one asked for least often first.
  ttl,     ///< Only what has expired.
  manual,  ///< Nobody. Time takes nobody either: only evict() and clear() do.
};

struct EvictionLimits {
  EvictionPolicy policy = EvictionPolicy::lru;
  std::optional<std::size_t> max_models;
  std::optional<std::size_t> max_memory_bytes;
  Duration min_residency{0};
};

/// One model that counts against the limits.
struct EvictionEntry {
  std::size_t memory_bytes = 0;
  bool idle = false;  ///< Loaded, not held and not pinned.
  std::uint64_t access_count = 0;
  std::uint64_t release_order = 0;  ///< Grows with each release, over all models.
  TimePoint loaded_at;
  TimePoint expires_at = TimePoint::max();  ///< max(): never. Means something only while idle.
};

/// What a load needs besides one model's place.
struct EvictionPlan {
  bool fits = false;
  std::vector<std::size_t> victims;                   ///< Indexes into the entries, in the order in which they go.
  std::vector<std::size_t> blockers;                  ///< When it does not fit: the entries that stand in the way.
  OutOfMemory::Unit unit = OutOfMemory::Unit::bytes;  ///< Which limit is short when it does not fit.
  std::size_t needed = 0;                             ///< In `unit`.
  std::size_t available = 0;                          ///< In `unit`: free now plus what could be evicted.
};

/// The models that make room for one more of `memory_bytes`: in the policy's order, and none of them in vain.
REMOTEMEDIA_API EvictionPlan plan_eviction(std::span<const EvictionEntry> entries, const EvictionLimits& limits,
                                           std::size_t memory_bytes, TimePoint now);

/// Indexes of the idle entries whose time is up; none under EvictionPolicy::manual.
REMOTEMEDIA_API std::vector<std::size_t> find_expired(std::span<const EvictionEntry> entries, EvictionPolicy policy,
                                                      TimePoint now);

}  // namespace remotemedia
