// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/infer_call.h"

#include <utility>

#include "remotemedia/oip/call_parameters.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {

void take_parameters(Parameters parameters, ReceivedCall& received) {
  CallParameters told = call_parameters(std::move(parameters));
  received.begins_session = told.begins_session;
  received.ends_session = told.ends_session;
  received.call.session_id = std::move(told.session_id);
  received.call.priority = told.priority;
  received.call.parameters = std::move(told.own);
  if (told.timeout) received.call.deadline = later(monotonic_clock().now(), *told.timeout);
}

void InferCall::submit(const ServedModels::Use& model, const std::shared_ptr<Caller>& caller, ReceivedCall&& received) {
  WorkerCore& core = model->core;
  head_.requested = std::move(received.requested);
  head_.output_parts = std::move(received.output_parts);
  signature_ = &core.signature();
  wants_empty_final_response_ = received.wants_empty_final_response;

  if (const std::optional<std::string>& session = received.call.session_id) {
    const SessionKey key{caller->client_id(), *session};
    if (received.begins_session) core.close_session(key);
    if (received.ends_session) ends_ = key;
  }
  received.call.on_answer = [self = shared_from_this()](Answer&& answer) { self->answered(std::move(answer)); };
  {
    MutexLock lock(mutex_);
    model_ = model;
  }
  RequestPtr submitted;
  try {
    submitted = core.submit(caller, std::move(received.call));
  } catch (...) {
    MutexLock lock(mutex_);
    model_ = nullptr;
    throw;
  }
  bool cancelled = false;
  std::size_t read_early = 0;
  {
    MutexLock lock(mutex_);
    cancelled = cancelled_;
    read_early = read_early_;
    if (model_ != nullptr) request_ = submitted;
  }
  if (read_early > 0) core.answers_read(submitted, read_early);
  if (cancelled) core.cancel(submitted);
}

void InferCall::answered(Answer&& answer) {
  if (!answer.last) {
    on_answer_(*this, std::move(answer));
    return;
  }
  ServedModels::Use model;
  RequestPtr request;
  {
    MutexLock lock(mutex_);
    model = std::move(model_);
    request = std::move(request_);
  }
  if (ends_ && model != nullptr) model->core.close_session(*ends_);
  answer.inputs.clear();
  on_answer_(*this, std::move(answer));
}

void InferCall::cancel() noexcept {
  ServedModels::Use model;
  RequestPtr request;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    model = model_;
    request = request_;
  }
  if (model != nullptr && request != nullptr) model->core.cancel(request);
}

void InferCall::answer_read() noexcept {
  ServedModels::Use model;
  RequestPtr request;
  {
    MutexLock lock(mutex_);
    model = model_;
    request = request_;
    if (request == nullptr) ++read_early_;
  }
  if (model != nullptr && request != nullptr) model->core.answers_read(request, 1);
}

}  // namespace remotemedia::detail
