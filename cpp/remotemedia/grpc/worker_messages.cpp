// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/worker_messages.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::protocol_error, std::string("the worker is refused: ").append(what));
}

WorkerState state_of(const std::string& name) {
  for (const WorkerState state :
       {WorkerState::starting, WorkerState::ready, WorkerState::busy, WorkerState::stopping, WorkerState::terminated}) {
    if (to_string(state) == name) return state;
  }
  refuse("no state is called " + name.substr(0, 40));
}

}  // namespace

void describe(const TensorSpec& spec, v1::TensorSpec& message) {
  message.set_name(spec.name);
  message.set_dtype(std::string(to_string(spec.dtype)));
  for (const std::int64_t extent : spec.shape) message.add_shape(extent);
}

TensorSpec spec_of(const v1::TensorSpec& message) {
  const std::optional<DataType> dtype = data_type_from_name(message.dtype());
  if (!dtype) refuse("no element type is called " + message.dtype().substr(0, 40));
  return {message.name(), *dtype,
          Dims(std::span(message.shape().data(), static_cast<std::size_t>(message.shape_size())))};
}

void describe(const ServedWorker& model, const AttachmentToken& token, v1::Attached& attached) {
  const WorkerCore& core = model.core;
  attached.set_token(token.data(), token.size());
  attached.set_worker_id(core.status().worker_id);
  attached.set_model_id(core.model_id());
  attached.set_device(core.device());
  for (const TensorSpec& spec : core.signature().inputs) describe(spec, *attached.add_inputs());
  for (const TensorSpec& spec : core.signature().outputs) describe(spec, *attached.add_outputs());
  attached.set_signature_max_batch_size(core.signature().max_batch_size);
  attached.set_max_batch_size(core.max_batch_size());
  attached.set_stateful(core.signature().stateful);
}

WorkerDescription description_of(const v1::Attached& attached) {
  WorkerDescription worker;
  worker.worker_id = attached.worker_id();
  worker.model_id = attached.model_id();
  worker.device = attached.device();
  for (const v1::TensorSpec& spec : attached.inputs()) worker.signature.inputs.push_back(spec_of(spec));
  for (const v1::TensorSpec& spec : attached.outputs()) worker.signature.outputs.push_back(spec_of(spec));
  worker.signature.max_batch_size = attached.signature_max_batch_size();
  worker.signature.stateful = attached.stateful();
  worker.max_batch_size = attached.max_batch_size();
  check_signature(worker.signature, worker.model_id);
  return worker;
}

void describe(const WorkerInfo& info, v1::StatusResponse& status) {
  status.set_worker_id(info.worker_id);
  status.set_model_id(info.model_id);
  status.set_status(std::string(to_string(info.status)));
  status.set_reason(info.reason);
  status.set_current_load(info.current_load);
  status.set_queue_depth(info.queue_depth);
  status.set_max_batch_size(info.max_batch_size);
  status.set_total_requests(info.total_requests);
  status.set_failed_requests(info.failed_requests);
  status.set_cancelled_requests(info.cancelled_requests);
  status.set_expired_requests(info.expired_requests);
  status.set_rejected_requests(info.rejected_requests);
  status.set_average_batch_size(info.average_batch_size);
  status.set_average_latency_ms(info.average_latency_ms);
  status.set_p50_latency_ms(info.p50_latency_ms);
  status.set_p99_latency_ms(info.p99_latency_ms);
  status.set_sessions(info.sessions);
  status.set_shared_memory_bytes(info.shared_memory_bytes);
  status.set_uptime_seconds(info.uptime_seconds);
  status.set_pid(info.pid);
}

WorkerInfo info_of(const v1::StatusResponse& status) {
  WorkerInfo info;
  info.worker_id = status.worker_id();
  info.model_id = status.model_id();
  info.status = state_of(status.status());
  info.reason = status.reason();
  info.current_load = status.current_load();
  info.queue_depth = status.queue_depth();
  info.max_batch_size = status.max_batch_size();
  info.total_requests = status.total_requests();
  info.failed_requests = status.failed_requests();
  info.cancelled_requests = status.cancelled_requests();
  info.expired_requests = status.expired_requests();
  info.rejected_requests = status.rejected_requests();
  info.average_batch_size = status.average_batch_size();
  info.average_latency_ms = status.average_latency_ms();
  info.p50_latency_ms = status.p50_latency_ms();
  info.p99_latency_ms = status.p99_latency_ms();
  info.sessions = status.sessions();
  info.shared_memory_bytes = status.shared_memory_bytes();
  info.uptime_seconds = status.uptime_seconds();
  info.pid = status.pid();
  return info;
}

}  // namespace remotemedia::detail
