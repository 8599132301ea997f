// SPDX-License-Identifier: Apache-2.0
//
// What a registry tells about itself.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "../bindings.h"
#include "remotemedia/registry/model_info.h"
#include "remotemedia/registry/registry_config.h"

namespace nb = nanobind;

namespace remotemedia::python {
namespace {

using Seconds = std::chrono::duration<double>;

double epoch_seconds(std::chrono::system_clock::time_point time) { return Seconds(time.time_since_epoch()).count(); }

double seconds(Duration duration) { return Seconds(duration).count(); }

std::vector<std::pair<double, std::uint64_t>> load_seconds(const RegistryMetrics& metrics) {
  std::vector<std::pair<double, std::uint64_t>> histogram;
  for (std::size_t i = 0; i < metrics.load_times.size(); ++i) {
    const bool last = i == RegistryMetrics::kLoadSecondsBounds.size();
    const double bound = last ? std::numeric_limits<double>::infinity() : RegistryMetrics::kLoadSecondsBounds[i];
    histogram.emplace_back(bound, metrics.load_times[i]);
  }
  return histogram;
}

}  // namespace

void bind_records(nb::module_& m) {
  nb::class_<ModelInfo>(m, "ModelInfo", "One model of a registry, at one moment.")
      .def_ro("key", &ModelInfo::key)
      .def_ro("model_id", &ModelInfo::model_id, "What the model itself says, else the key.")
      .def_ro("device", &ModelInfo::device)
      .def_prop_ro(
          "state", [](const ModelInfo& info) { return std::string(to_string(info.state)); },
          nb::sig("def state(self) -> typing.Literal['loading', 'ready', 'evicting', 'failed']"))
      .def_ro("memory_bytes", &ModelInfo::memory_bytes)
      .def_ro("reference_count", &ModelInfo::reference_count)
      .def_prop_ro(
          "loaded_at", [](const ModelInfo& info) { return epoch_seconds(info.loaded_at); },
          "Seconds since the epoch; 0 until it is loaded.")
      .def_prop_ro(
          "last_accessed", [](const ModelInfo& info) { return epoch_seconds(info.last_accessed); },
          "Seconds since the epoch: its last release; now, while it is held.")
      .def_ro("access_count", &ModelInfo::access_count)
      .def_ro("pinned", &ModelInfo::pinned)
      .def_prop_ro(
          "expires_in",
          [](const ModelInfo& info) {
            return info.expires_in ? std::optional(seconds(*info.expires_in)) : std::nullopt;
          },
          "Seconds, while nobody holds it and its time is limited.")
      .def_ro("holders", &ModelInfo::holders, "One label for each hold: the function that asked.")
      .def_prop_ro(
          "held_since",
          [](const ModelInfo& info) {
            std::vector<std::optional<double>> times;
            for (const auto& since : info.held_since) {
              times.push_back(since ? std::optional(epoch_seconds(*since)) : std::nullopt);
            }
            return times;
          },
          "Seconds since the epoch, for each of `holders`; None where it gave no label.")
      .def("__repr__", [](const ModelInfo& info) {
        return "ModelInfo(key='" + info.key + "', state='" + std::string(to_string(info.state)) +
               "', memory_bytes=" + std::to_string(info.memory_bytes) +
               ", reference_count=" + std::to_string(info.reference_count) + ")";
      });

  nb::class_<RegistryMetrics>(m, "RegistryMetrics", "Counts since the registry was made, and what is there now.")
      .def_ro("total_models", &RegistryMetrics::total_models)
      .def_ro("total_memory_bytes", &RegistryMetrics::total_memory_bytes)
      .def_ro("cache_hits", &RegistryMetrics::cache_hits, "Calls served without starting a load.")
      .def_ro("cache_misses", &RegistryMetrics::cache_misses, "Calls that started a load.")
      .def_ro("loads", &RegistryMetrics::loads, "Loads that succeeded.")
      .def_ro("failed_loads", &RegistryMetrics::failed_loads)
      .def_ro("evictions", &RegistryMetrics::evictions, "Models that went, by pressure, time, evict or clear.")
      .def_ro("evictions_by_pressure", &RegistryMetrics::evictions_by_pressure,
              "Of these: for the room that another one needed.")
      .def_ro("evictions_by_time", &RegistryMetrics::evictions_by_time, "Of these: whose time was up.")
      .def_ro("evicted_bytes", &RegistryMetrics::evicted_bytes)
      .def_prop_ro(
          "eviction_age_seconds_total",
          [](const RegistryMetrics& metrics) { return seconds(metrics.eviction_age_total); },
          "From load to eviction, summed.")
      .def_prop_ro("load_seconds_total",
                   [](const RegistryMetrics& metrics) { return seconds(metrics.load_time_total); })
      .def_prop_ro("load_seconds", &load_seconds,
                   "Histogram: (upper bound in seconds, loads up to it), cumulative, the last bound infinite.")
      .def_prop_ro("hit_rate", &RegistryMetrics::hit_rate);

  nb::class_<EvictionResult>(m, "EvictionResult")
      .def_ro("count", &EvictionResult::count)
      .def_ro("bytes", &EvictionResult::bytes);

  nb::class_<LoadPlan>(m, "EvictionPlan", "What loading a model would evict, and what stands in the way.")
      .def_ro("fits", &LoadPlan::fits)
      .def_ro("victims", &LoadPlan::victims)
      .def_ro("blocked_by", &LoadPlan::blocked_by);

  nb::class_<RegistryEvent>(m, "RegistryEvent")
      .def_prop_ro(
          "kind", [](const RegistryEvent& event) { return std::string(to_string(event.kind)); },
          nb::sig("def kind(self) -> typing.Literal['load_started', 'loaded', 'load_failed', 'hit', "
                  "'released', 'evicted', 'destroyed']"))
      .def_ro("key", &RegistryEvent::key)
      .def_prop_ro(
          "seconds", [](const RegistryEvent& event) { return seconds(event.duration); },
          "Of the load (loaded, load_failed), or from load to eviction (evicted).")
      .def_ro("bytes", &RegistryEvent::bytes);

  nb::class_<RegistryConfig>(m, "RegistryConfig", "The limits of a ModelRegistry.");
}

}  // namespace remotemedia::python
