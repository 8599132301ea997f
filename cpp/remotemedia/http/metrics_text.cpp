// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/metrics_text.h"

#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "remotemedia/memory/shared_memory_allocator.h"
#include "remotemedia/registry/model_registry.h"
#include "remotemedia/worker/latency_histogram.h"

namespace remotemedia::detail {
namespace {

/// What one model has counted, looked at once.
struct Counted {
  Counted(const ServedModels& models, const ServedWorker& model)
      : name(model.core.model_id()),
        info(model.status()),
        counts(model.core.counts()),
        latencies(model.core.latencies()),
        memory(model.core.memory_usage()),
        serving(models.is_serving(name, "")) {}

  std::string name;
  WorkerInfo info;
  WorkerCounts counts;
  LatencyHistogram latencies;
  std::size_t memory;
  bool serving;
};

std::string escaped(std::string_view value) {
  std::string text;
  for (const char each : value) {
    if (each == '\\' || each == '"') text += '\\';
    if (each == '\n') {
      text += "\\n";
    } else {
      text += each;
    }
  }
  return text;
}

template <class Number>
std::string shown(Number number) {
  std::array<char, 40> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr};
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
std::int64_t microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

class Text {
 public:
  explicit Text(const ServedModels& models) {
    for (const ServedModels::Use& model : models.all()) counted_.emplace_back(models, *model);
  }

  /// of: the value of a model.
  template <class Of>
  void metric(std::string_view name, const char* type, const char* help, Of of, std::string_view labels = {}) {
    head(name, type, help);
    for (const Counted& counted : counted_) sample(name, counted, labels, shown(std::invoke(of, counted)));
  }

  /// Goes on with the one before.
  template <class Of>
  void also(std::string_view name, std::string_view labels, Of of) {
    for (const Counted& counted : counted_) sample(name, counted, labels, shown(std::invoke(of, counted)));
  }

  /// With a bucket for each second power of two from 65 us to 17 s.
  void histogram(std::string_view name, const char* help) {
    head(name, "histogram", help);
    const std::string buckets = std::string(name) + "_bucket";
    for (const Counted& counted : counted_) {
      for (unsigned power = 16; power <= 34; power += 2) {
        const Duration limit{(std::int64_t{1} << power) - 1};
        sample(buckets, counted, "le=\"" + shown(seconds(Duration{std::int64_t{1} << power})) + "\"",
               shown(counted.latencies.count_up_to(limit)));
      }
      const WorkerCounts& counts = counted.counts;
      const std::string all = shown(counted.latencies.count_up_to(Duration::max()));
      sample(buckets, counted, "le=\"+Inf\"", all);
      sample(std::string(name) + "_sum", counted, {}, shown(seconds(counts.answered.time + counts.not_answered.time)));
      sample(std::string(name) + "_count", counted, {}, all);
    }
  }

  /// Of the whole process.
  void head(std::string_view name, const char* type, const char* help) {
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  template <class Number>
  void sample(std::string_view name, std::string_view labels, Number value) {
    text_.append(name);
    if (!labels.empty()) text_.append("{").append(labels).append("}");
    text_.append(" ").append(shown(value)).append("\n");
  }

  std::string take() { return std::move(text_); }

 private:
  void sample(std::string_view name, const Counted& counted, std::string_view labels, const std::string& value) {
    text_.append(name).append("{model=\"").append(escaped(counted.name)).append("\"");
    if (!labels.empty()) text_.append(",").append(labels);
    text_.append("} ").append(value).append("\n");
  }

  std::vector<Counted> counted_;
  std::string text_;
};

/// What the registries of this process have loaded and evicted.
void append_registries(Text& text) {
  const RegistryMetrics metrics = ModelRegistry::metrics_of_all();
  text.head("remotemedia_model_loads_total", "counter", "Loads of models, by how they ended.");
  text.sample("remotemedia_model_loads_total", "outcome=\"loaded\"", metrics.loads);
  text.sample("remotemedia_model_loads_total", "outcome=\"failed\"", metrics.failed_loads);
  const std::string time = "remotemedia_model_load_duration_seconds";
  text.head(time, "histogram", "Of loads that succeeded.");
  for (std::size_t i = 0; i < metrics.load_times.size(); ++i) {
    const std::string limit = i < RegistryMetrics::kLoadSecondsBounds.size()
                                  ? shown(RegistryMetrics::kLoadSecondsBounds[i])
                                  : std::string("+Inf");
    text.sample(time + "_bucket", std::string("le=\"").append(limit).append("\""), metrics.load_times[i]);
  }
  text.sample(time + "_sum", {}, seconds(metrics.load_time_total));
  text.sample(time + "_count", {}, metrics.loads);
  text.head("remotemedia_model_hits_total", "counter", "Calls for a model that found it in memory, or being loaded.");
  text.sample("remotemedia_model_hits_total", {}, metrics.cache_hits);
  const std::string evictions = "remotemedia_model_evictions_total";
  text.head(evictions, "counter", "Models that went: for another's room, for their time was up, or asked to.");
  text.sample(evictions, "reason=\"pressure\"", metrics.evictions_by_pressure);
  text.sample(evictions, "reason=\"time\"", metrics.evictions_by_time);
  text.sample(evictions, "reason=\"asked\"",
              metrics.evictions - metrics.evictions_by_pressure - metrics.evictions_by_time);
  text.head("remotemedia_models_in_memory", "gauge", "Models of registries: in memory, or being loaded.");
  text.sample("remotemedia_models_in_memory", {}, metrics.total_models);
  text.head("remotemedia_models_in_memory_bytes", "gauge", "Memory that these say they take.");
  text.sample("remotemedia_models_in_memory_bytes", {}, metrics.total_memory_bytes);
}

/// Where the allocators of this process got no shared memory.
void append_fallbacks(Text& text) {
  const std::string name = "remotemedia_shared_memory_fallbacks_total";
  std::map<std::string, std::uint64_t> fallbacks = SharedMemoryAllocator::metrics_of_all().fallbacks;
  fallbacks.try_emplace("budget");  // there from the beginning, so that the first one is seen
  text.head(name, "counter", "Blocks that became memory of this process, by what was in the way of shared memory.");
  for (const auto& [reason, count] : fallbacks) {
    text.sample(name, std::string("reason=\"").append(escaped(reason)).append("\""), count);
  }
}

}  // namespace

std::string metrics_text(const ServedModels& models) {
  Text text(models);
  const auto answered = [](const Counted& of) { return of.counts.answered.count; };
  text.metric("remotemedia_requests_total", "counter", "Requests that have ended, by how.", answered,
              "outcome=\"answered\"");
  text.also("remotemedia_requests_total", "outcome=\"failed\"",
            [](const Counted& of) { return of.info.failed_requests; });
  text.also("remotemedia_requests_total", "outcome=\"cancelled\"",
            [](const Counted& of) { return of.info.cancelled_requests; });
  text.also("remotemedia_requests_total", "outcome=\"expired\"",
            [](const Counted& of) { return of.info.expired_requests; });
  text.also("remotemedia_requests_total", "outcome=\"rejected\"",
            [](const Counted& of) { return of.info.rejected_requests; });
  text.histogram("remotemedia_request_duration_seconds", "From acceptance to the end of a request, however it ended.");
  text.metric("remotemedia_queue_seconds_total", "counter", "Time that answered requests waited for the model.",
              [](const Counted& of) { return seconds(of.counts.queued.time); });
  text.metric("remotemedia_compute_seconds_total", "counter", "Time that answered requests were with the model.",
              [](const Counted& of) { return seconds(of.counts.computed.time); });
  text.metric("remotemedia_model_runs_total", "counter", "Runs of the model; rows by runs is the size of a batch.",
              [](const Counted& of) { return of.counts.runs; });
  text.metric("remotemedia_model_rows_total", "counter", "Rows of all runs of the model.",
              [](const Counted& of) { return of.counts.rows; });
  text.metric("remotemedia_queue_depth", "gauge", "Requests that wait.",
              [](const Counted& of) { return of.info.queue_depth; });
  text.metric("remotemedia_running_requests", "gauge", "Requests that the model runs.",
              [](const Counted& of) { return of.info.current_load; });
  text.metric("remotemedia_sessions", "gauge", "Open sessions.", [](const Counted& of) { return of.info.sessions; });
  text.metric("remotemedia_shared_memory_bytes", "gauge", "Shared memory of the worker and its clients.",
              [](const Counted& of) { return of.info.shared_memory_bytes; });
  text.metric("remotemedia_model_memory_bytes", "gauge", "Memory that the model says it takes.",
              [](const Counted& of) { return of.memory; });
  text.metric("remotemedia_serving", "gauge", "1: it takes calls, and its model is well.",
              [](const Counted& of) { return of.serving ? 1 : 0; });
  text.metric("remotemedia_uptime_seconds", "gauge", "Since the worker began.",
              [](const Counted& of) { return of.info.uptime_seconds; });
  append_registries(text);
  append_fallbacks(text);
  return text.take();
}

std::string triton_metrics_text(const ServedModels& models) {
  Text text(models);
  const std::string version = "version=\"" + std::string(kModelVersion) + "\"";
  const auto metric = [&](const char* name, const char* help, auto of) {
    text.metric(name, "counter", help, of, version);
  };
  metric("nv_inference_request_success", "Requests that were answered.",
         [](const Counted& of) { return of.counts.answered.count; });
  metric("nv_inference_request_failure", "Requests that were not.",
         [](const Counted& of) { return of.counts.not_answered.count; });
  metric("nv_inference_count", "Rows of all runs of the model.", [](const Counted& of) { return of.counts.rows; });
  metric("nv_inference_exec_count", "Runs of the model.", [](const Counted& of) { return of.counts.runs; });
  metric("nv_inference_request_duration_us", "From acceptance to answer, of all that were answered.",
         [](const Counted& of) { return microseconds(of.counts.answered.time); });
  metric("nv_inference_queue_duration_us", "Until the model began.",
         [](const Counted& of) { return microseconds(of.counts.queued.time); });
  metric("nv_inference_compute_infer_duration_us", "From then on.",
         [](const Counted& of) { return microseconds(of.counts.computed.time); });
  text.metric(
      "nv_inference_pending_request_count", "gauge", "Requests that wait.",
      [](const Counted& of) { return of.info.queue_depth; }, version);
  return text.take();
}

}  // namespace remotemedia::detail
