// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/model_description.h"

#include <chrono>
#include <string>

#include "remotemedia/oip/data_type_names.h"
#include "remotemedia/oip/last_inference.h"
#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {
namespace {

constexpr const char* kPlatform = "remotemedia";

void describe(const TensorSpec& spec, bool batched, inference::ModelMetadataResponse::TensorMetadata& tensor) {
  tensor.set_name(spec.name);
  tensor.set_datatype(std::string(oip_name(spec.dtype)));
  if (batched) tensor.add_shape(-1);
  for (const std::int64_t extent : spec.shape) tensor.add_shape(extent);
}

inference::DataType config_type(DataType dtype) {
  switch (dtype) {
    case DataType::boolean:
      return inference::TYPE_BOOL;
    case DataType::uint8:
      return inference::TYPE_UINT8;
    case DataType::uint16:
      return inference::TYPE_UINT16;
    case DataType::uint32:
      return inference::TYPE_UINT32;
    case DataType::uint64:
      return inference::TYPE_UINT64;
    case DataType::int8:
      return inference::TYPE_INT8;
    case DataType::int16:
      return inference::TYPE_INT16;
    case DataType::int32:
      return inference::TYPE_INT32;
    case DataType::int64:
      return inference::TYPE_INT64;
    case DataType::float16:
      return inference::TYPE_FP16;
    case DataType::bfloat16:
      return inference::TYPE_BF16;
    case DataType::float32:
      return inference::TYPE_FP32;
    case DataType::float64:
      return inference::TYPE_FP64;
    case DataType::bytes:
      return inference::TYPE_STRING;
    default:
      return inference::TYPE_INVALID;
  }
}

template <class Tensor>
void describe(const TensorSpec& spec, Tensor& tensor) {
  tensor.set_name(spec.name);
  tensor.set_data_type(config_type(spec.dtype));
  for (const std::int64_t extent : spec.shape) tensor.add_dims(extent);
}

}  // namespace

void describe(const ServedWorker& model, inference::ModelMetadataResponse& metadata) {
  const WorkerCore& core = model.core;
  metadata.set_name(core.model_id());
  metadata.add_versions(std::string(kModelVersion));
  metadata.set_platform(kPlatform);
  const bool batched = core.max_batch_size() > 0;
  for (const TensorSpec& spec : core.signature().inputs) describe(spec, batched, *metadata.add_inputs());
  for (const TensorSpec& spec : core.signature().outputs) describe(spec, batched, *metadata.add_outputs());
}

void describe(const ServedWorker& model, inference::ModelConfig& config) {
  const WorkerCore& core = model.core;
  config.set_name(core.model_id());
  config.set_platform(kPlatform);
  config.set_backend(kPlatform);
  config.set_max_batch_size(static_cast<std::int32_t>(core.max_batch_size()));
  for (const TensorSpec& spec : core.signature().inputs) describe(spec, *config.add_input());
  for (const TensorSpec& spec : core.signature().outputs) describe(spec, *config.add_output());
  if (core.signature().stateful) {
    config.mutable_sequence_batching();
  } else if (core.max_batch_size() > 0) {
    const auto delay = std::chrono::duration_cast<std::chrono::microseconds>(core.config().batch_delay);
    config.mutable_dynamic_batching()->set_max_queue_delay_microseconds(static_cast<std::uint64_t>(delay.count()));
  }
}

void describe(const ServedWorker& model, inference::ModelStatistics& statistics) {
  const WorkerCounts counts = model.core.counts();
  statistics.set_name(model.core.model_id());
  statistics.set_version(std::string(kModelVersion));
  statistics.set_last_inference(last_inference(counts));
  statistics.set_inference_count(counts.rows);
  statistics.set_execution_count(counts.runs);
  inference::InferStatistics& times = *statistics.mutable_inference_stats();
  const auto set = [](inference::StatisticDuration& duration, const CountedTime& counted) {
    duration.set_count(counted.count);
    duration.set_ns(static_cast<std::uint64_t>(counted.time.count()));
  };
  set(*times.mutable_success(), counts.answered);
  set(*times.mutable_fail(), counts.not_answered);
  set(*times.mutable_queue(), counts.queued);
  set(*times.mutable_compute_infer(), counts.computed);
  times.mutable_compute_input();
  times.mutable_compute_output();
  times.mutable_cache_hit();
  times.mutable_cache_miss();
  inference::MemoryUsage& memory = *statistics.add_memory_usage();
  memory.set_type(model.core.device());
  memory.set_byte_size(model.core.memory_usage());
}

}  // namespace remotemedia::detail
