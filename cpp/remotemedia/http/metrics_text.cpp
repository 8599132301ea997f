// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/metrics_text.h"

#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

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

  std::string take() { return std::move(text_); }

 private:
  void head(std::string_view name, const char* type, const char* help) {
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }

  void sample(std::string_view name, const Counted& counted, std::string_view labels, const std::string& value) {
    text_.append(name).append("{model=\"").append(escaped(counted.name)).append("\"");
    if (!labels.empty()) text_.append(",").append(labels);
    text_.append("} ").append(value).append("\n");
  }

  std::vector<Counted> counted_;
  std::string text_;
};

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
