// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/model_messages.h"

#include <chrono>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/worker_messages.h"
#include "remotemedia/oip/last_inference.h"

namespace remotemedia::detail {
namespace {

using Seconds = std::chrono::duration<double>;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::protocol_error, std::string("the worker is refused: ").append(what));
}

ModelState state_of(const std::string& name) {
  for (const ModelState state :
       {ModelState::absent, ModelState::loading, ModelState::ready, ModelState::evicting, ModelState::failed}) {
    if (to_string(state) == name) return state;
  }
  refuse("no state is called " + name.substr(0, 40));
}

Duration duration_of(double seconds) {
  if (!(seconds >= 0 && seconds <= 1e9)) refuse("a load took " + std::to_string(seconds) + " seconds");
  return std::chrono::duration_cast<Duration>(Seconds(seconds));
}

std::chrono::system_clock::time_point time_of(std::int64_t milliseconds) {
  constexpr std::int64_t kMost = 9'000'000'000'000;  // in the year 2255
  if (milliseconds < 0 || milliseconds > kMost) refuse("it was used at " + std::to_string(milliseconds) + " ms");
  return std::chrono::system_clock::time_point(std::chrono::milliseconds{milliseconds});
}

}  // namespace

void describe(const ServedModels& models, const ServedWorker& worker, v1::Model& message) {
  WorkerCore& core = worker.core;
  const ModelResidence residence = core.memory().residence();
  message.set_name(core.model_id());
  message.set_state(std::string(to_string(residence.state)));
  message.set_serving(models.is_serving(core.model_id(), ""));
  message.set_device(core.device());
  message.set_memory_bytes(core.memory_usage());
  message.set_leases(core.memory().leases());
  if (residence.load_time) message.set_load_seconds(Seconds(*residence.load_time).count());
  if (const std::uint64_t at = last_inference(core.counts()); at != 0) {
    message.set_last_used_ms(static_cast<std::int64_t>(at));
  }
  for (const TensorSpec& spec : core.signature().inputs) describe(spec, *message.add_inputs());
  for (const TensorSpec& spec : core.signature().outputs) describe(spec, *message.add_outputs());
  message.set_max_batch_size(core.signature().max_batch_size);
  message.set_stateful(core.signature().stateful);
}

RemoteModel model_of(const v1::Model& message) {
  RemoteModel model;
  model.name = message.name();
  model.state = state_of(message.state());
  model.serving = message.serving();
  model.device = message.device();
  model.memory_bytes = message.memory_bytes();
  model.leases = message.leases();
  if (message.has_load_seconds()) model.load_time = duration_of(message.load_seconds());
  if (message.has_last_used_ms()) model.last_used = time_of(message.last_used_ms());
  for (const v1::TensorSpec& spec : message.inputs()) model.signature.inputs.push_back(spec_of(spec));
  for (const v1::TensorSpec& spec : message.outputs()) model.signature.outputs.push_back(spec_of(spec));
  model.signature.max_batch_size = message.max_batch_size();
  model.signature.stateful = message.stateful();
  check_signature(model.signature, model.name);
  return model;
}

}  // namespace remotemedia::detail
