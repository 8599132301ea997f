// SPDX-License-Identifier: Apache-2.0
//
// What a registry tells about itself.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/registry/model_state.h"

namespace remotemedia {

struct ModelInfo {
  std::string key;
  std::string model_id;  ///< What the model itself says, else the key.
  std::string device;
  ModelState state = ModelState::absent;
  std::size_t memory_bytes = 0;
  std::size_t reference_count = 0;
  std::chrono::system_clock::time_point loaded_at;      ///< Of the epoch until it is loaded.
  std::chrono::system_clock::time_point last_accessed;  ///< Its last release; now, while it is held.
  std::uint64_t access_count = 0;
  bool pinned = false;
  std::optional<Duration> expires_in;  ///< While nobody holds it and its time is limited.
  std::vector<std::string> holders;    ///< One label for each hold; "(unnamed)" for those that gave none.
  std::vector<std::optional<std::chrono::system_clock::time_point>> held_since;  ///< Of these, if they have a label.
};

struct RegistryMetrics {
  /// Upper bounds of the load-time histogram in seconds; a last, infinite one follows.
  static constexpr std::array<double, 12> kLoadSecondsBounds{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60};

  std::size_t total_models = 0;        ///< In memory: ready or not yet released, and loads that run.
  std::size_t total_memory_bytes = 0;  ///< Of these.
  std::uint64_t cache_hits = 0;        ///< Calls served without starting a load.
  std::uint64_t cache_misses = 0;      ///< Calls that started a load.
  std::uint64_t loads = 0;             ///< That succeeded.
  std::uint64_t failed_loads = 0;
  std::uint64_t evictions = 0;              ///< By pressure, time, evict() or clear().
  std::uint64_t evictions_by_pressure = 0;  ///< Of these: for the room that another one needed,
  std::uint64_t evictions_by_time = 0;      ///< and those whose time was up.
  std::uint64_t evicted_bytes = 0;
  Duration eviction_age_total{0};  ///< From load to eviction, summed.
  Duration load_time_total{0};
  std::array<std::uint64_t, kLoadSecondsBounds.size() + 1> load_times{};  ///< Cumulative: loads up to each bound.

  double hit_rate() const noexcept {
    const auto calls = static_cast<double>(cache_hits + cache_misses);
    return calls > 0 ? static_cast<double>(cache_hits) / calls : 0.0;
  }
};

struct EvictionResult {
  std::size_t count = 0;
  std::size_t bytes = 0;
};

/// What loading a model would evict, and what stands in the way if it does not fit.
struct LoadPlan {
  bool fits = false;
  std::vector<std::string> victims;
  std::vector<std::string> blocked_by;
};

struct RegistryEvent {
  enum class Kind { load_started, loaded, load_failed, hit, released, evicted, destroyed };

  Kind kind = Kind::hit;
  std::string key;
  Duration duration{0};   ///< Of the load (loaded, load_failed), or from load to eviction (evicted).
  std::size_t bytes = 0;  ///< Of the model (loaded, evicted, destroyed).
};

REMOTEMEDIA_API std::string_view to_string(RegistryEvent::Kind kind) noexcept;

}  // namespace remotemedia
