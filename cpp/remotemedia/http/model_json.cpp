// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/model_json.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "remotemedia/oip/data_type_names.h"
#include "remotemedia/oip/last_inference.h"

namespace remotemedia::detail {
namespace {

using nlohmann::json;

constexpr const char* kPlatform = "remotemedia";

json tensors(const std::vector<TensorSpec>& specs, bool batched) {
  json list = json::array();
  for (const TensorSpec& spec : specs) {
    std::vector<std::int64_t> shape(spec.shape.begin(), spec.shape.end());
    if (batched) shape.insert(shape.begin(), -1);
    list.push_back({{"name", spec.name}, {"datatype", oip_name(spec.dtype)}, {"shape", shape}});
  }
  return list;
}

std::string config_type(DataType dtype) {
  const std::string_view name = oip_name(dtype);
  if (dtype == DataType::bytes) return "TYPE_STRING";
  return name == to_string(dtype) ? "TYPE_INVALID" : std::string("TYPE_").append(name);
}

json config_tensors(const std::vector<TensorSpec>& specs) {
  json list = json::array();
  for (const TensorSpec& spec : specs) {
    const std::vector<std::int64_t> dims(spec.shape.begin(), spec.shape.end());
    list.push_back({{"name", spec.name}, {"data_type", config_type(spec.dtype)}, {"dims", dims}});
  }
  return list;
}

json duration(const CountedTime& counted) { return {{"count", counted.count}, {"ns", counted.time.count()}}; }

}  // namespace

json server_metadata() {
  return {{"name", "remotemedia"},
          {"version", REMOTEMEDIA_VERSION},
          {"extensions",
           {"binary_tensor_data", "sequence", "parameters", "schedule_policy", "model_configuration", "statistics",
            "model_repository", "system_shared_memory"}}};
}

json model_metadata(const ServedWorker& model) {
  const WorkerCore& core = model.core;
  const bool batched = core.max_batch_size() > 0;
  return {{"name", core.model_id()},
          {"versions", {kModelVersion}},
          {"platform", kPlatform},
          {"inputs", tensors(core.signature().inputs, batched)},
          {"outputs", tensors(core.signature().outputs, batched)}};
}

json model_config(const ServedWorker& model) {
  const WorkerCore& core = model.core;
  json config = {{"name", core.model_id()},
                 {"platform", kPlatform},
                 {"backend", kPlatform},
                 {"max_batch_size", core.max_batch_size()},
                 {"input", config_tensors(core.signature().inputs)},
                 {"output", config_tensors(core.signature().outputs)}};
  if (core.signature().stateful) {
    config["sequence_batching"] = json::object();
  } else if (core.max_batch_size() > 0) {
    const auto delay = std::chrono::duration_cast<std::chrono::microseconds>(core.config().batch_delay);
    config["dynamic_batching"] = {{"max_queue_delay_microseconds", delay.count()}};
  }
  return config;
}

json model_statistics(const ServedWorker& model) {
  const WorkerCounts counts = model.core.counts();
  const json none = duration({});
  return {{"name", model.core.model_id()},
          {"version", kModelVersion},
          {"last_inference", last_inference(counts)},
          {"inference_count", counts.rows},
          {"execution_count", counts.runs},
          {"inference_stats",
           {{"success", duration(counts.answered)},
            {"fail", duration(counts.not_answered)},
            {"queue", duration(counts.queued)},
            {"compute_input", none},
            {"compute_infer", duration(counts.computed)},
            {"compute_output", none},
            {"cache_hit", none},
            {"cache_miss", none}}},
          {"batch_stats", json::array()},
          {"memory_usage", {{{"type", model.core.device()}, {"byte_size", model.core.memory_usage()}}}}};
}

json repository_index(const ServedModels& models, bool only_ready) {
  json list = json::array();
  for (const ServedModels::Use& model : models.all()) {
    const std::string& name = model->core.model_id();
    const bool ready = models.is_serving(name, "");
    if (only_ready && !ready) continue;
    json entry = {{"name", name}, {"version", kModelVersion}, {"state", ready ? "READY" : "UNAVAILABLE"}};
    if (!ready) entry["reason"] = models.is_unloaded(name) ? "unloaded" : model->core.status().reason;
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace remotemedia::detail
