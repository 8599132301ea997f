// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/eviction.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace remotemedia {
namespace {

bool has_expired(const EvictionEntry& entry, EvictionPolicy policy, TimePoint now) {
  return policy != EvictionPolicy::manual && entry.idle && entry.expires_at <= now;
}

bool may_go(const EvictionEntry& entry, const EvictionLimits& limits, TimePoint now) {
  if (!entry.idle || limits.policy == EvictionPolicy::manual) return false;
  if (has_expired(entry, limits.policy, now)) return true;
  return limits.policy != EvictionPolicy::ttl && now - entry.loaded_at >= limits.min_residency;
}

// A sum of sizes that is right even where a std::size_t would wrap around.
class Sum {
 public:
  void add(std::size_t bytes) {
    low_ += bytes;
    if (low_ < bytes) ++high_;
  }
  void subtract(std::size_t bytes) {
    if (low_ < bytes) --high_;
    low_ -= bytes;
  }
  /// What is left of `limit`, or 0.
  std::size_t left_of(std::size_t limit) const { return high_ == 0 && low_ < limit ? limit - low_ : 0; }
  bool is_within(std::size_t limit) const { return high_ == 0 && low_ <= limit; }

 private:
  std::size_t low_ = 0;
  std::size_t high_ = 0;
};

// How far what is there and one more of `bytes` stay within both limits.
struct Room {
  const EvictionLimits& limits;
  Sum bytes;
  std::size_t models;

  void enter(const EvictionEntry& entry) {
    bytes.add(entry.memory_bytes);
    ++models;
  }
  void leave(const EvictionEntry& entry) {
    bytes.subtract(entry.memory_bytes);
    --models;
  }
  bool holds_one_more_of(std::size_t more) const {
    const bool models_fit = !limits.max_models || models < *limits.max_models;
    return models_fit && bytes_fit(more);
  }
  bool bytes_fit(std::size_t more) const {
    const std::optional<std::size_t>& most = limits.max_memory_bytes;
    return !most || (more <= *most && bytes.is_within(*most - more));
  }
};

}  // namespace

EvictionPlan plan_eviction(std::span<const EvictionEntry> entries, const EvictionLimits& limits,
                           std::size_t memory_bytes, TimePoint now) {
  Room room{limits, {}, 0};
  for (const EvictionEntry& entry : entries) room.enter(entry);

  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (may_go(entries[i], limits, now)) candidates.push_back(i);
  }
  std::ranges::sort(candidates, {}, [&](std::size_t i) {
    const EvictionEntry& entry = entries[i];
    const std::uint64_t uses = limits.policy == EvictionPolicy::lfu ? entry.access_count : 0;
    return std::tuple{!has_expired(entry, limits.policy, now), uses, entry.release_order, i};
  });

  EvictionPlan plan;
  for (const std::size_t i : candidates) {
    if (room.holds_one_more_of(memory_bytes)) break;
    plan.victims.push_back(i);
    room.leave(entries[i]);
  }
  plan.fits = room.holds_one_more_of(memory_bytes);

  if (plan.fits) {
    // A victim taken early may have become needless once a larger one went.
    for (std::size_t k = plan.victims.size(); k-- > 0;) {
      Room with_it = room;
      with_it.enter(entries[plan.victims[k]]);
      if (!with_it.holds_one_more_of(memory_bytes)) continue;
      room.enter(entries[plan.victims[k]]);
      plan.victims.erase(plan.victims.begin() + static_cast<std::ptrdiff_t>(k));
    }
    return plan;
  }

  plan.victims.clear();
  if (room.bytes_fit(memory_bytes)) {
    plan.unit = OutOfMemory::Unit::models;
    plan.needed = 1;
    plan.available = *limits.max_models > room.models ? *limits.max_models - room.models : 0;
  } else {
    plan.unit = OutOfMemory::Unit::bytes;
    plan.needed = memory_bytes;
    plan.available = room.bytes.left_of(*limits.max_memory_bytes);
  }
  const bool bytes_short = plan.unit == OutOfMemory::Unit::bytes;
  if (bytes_short && memory_bytes > *limits.max_memory_bytes) return plan;  // it would not fit alone either
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (may_go(entries[i], limits, now) || (bytes_short && entries[i].memory_bytes == 0)) continue;
    plan.blockers.push_back(i);
  }
  return plan;
}

std::vector<std::size_t> find_expired(std::span<const EvictionEntry> entries, EvictionPolicy policy, TimePoint now) {
  std::vector<std::size_t> expired;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (has_expired(entries[i], policy, now)) expired.push_back(i);
  }
  return expired;
}

}  // namespace remotemedia
