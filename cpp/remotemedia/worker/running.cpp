// SPDX-License-Identifier: Apache-2.0
//
// The instances: threads that run the model.

#include <algorithm>
#include <utility>

#include "remotemedia/base/log.h"
#include "remotemedia/worker/batch.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia::detail {
namespace {

std::string text_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

}  // namespace

void WorkerCore::run_instance(Instance& instance, bool warms_up) {
  std::shared_ptr<void> inside;
  try {
    inside = model_->enter_thread();
  } catch (...) {
    log(LogLevel::warning, "model '" + model_id_ + "' failed to enter a thread: " + text_of(std::current_exception()));
  }
  if (warms_up) warm_up();
  while (auto work = wait_for_work(instance)) {
    std::visit([&](auto& what) { perform(instance, what); }, *work);
  }
}

void WorkerCore::warm_up() {
  std::exception_ptr failed;
  std::string unhealthy;
  try {
    model_->warm_up();
    if (!model_->is_healthy()) unhealthy = "the model says so";
  } catch (...) {
    failed = std::current_exception();
  }
  MutexLock lock(mutex_);
  warm_ = true;
  warm_up_error_ = failed;
  unhealthy_because_ = unhealthy;
  finished_.notify_all();
}

void WorkerCore::perform(Instance& instance, Requests& requests) {
  run_batch(instance, requests);
  requests.clear();
  instance.batch_memory = std::move(requests);
}

void WorkerCore::run_batch(Instance& instance, std::span<const RequestPtr> requests) {
  TensorMap inputs;
  TensorMap outputs;
  std::vector<TensorMap> parts;
  std::span<TensorMap> answers(&outputs, 1);
  std::exception_ptr failed;
  bool taken = false;  // what throws before is what a caller sent
  try {
    inputs = joined_inputs(requests);
    taken = true;
    InferenceContext context(describe(requests, std::move(instance.info_memory)), allocator_for(requests));
    trace_run(requests);
    outputs = infer(requests, inputs, context);
    if (requests.size() > 1) answers = parts = split_outputs(outputs, requests);
    keep_states(requests, context);
    context.requests_.clear();
    instance.info_memory = std::move(context.requests_);
  } catch (...) {
    failed = std::current_exception();
  }
  trace_run_end(requests);
  const bool alone = requests.size() == 1;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (failed != nullptr && !alone && !requests[i]->over.load()) {
      run_alone(instance, requests[i]);
      continue;
    }
    Answer last;
    last.inputs = std::move(alone ? inputs : requests[i]->call.inputs);
    if (failed == nullptr) {
      last.outputs = std::move(answers[i]);
    } else {
      last.error = taken ? inference_failed(failed) : failed;
    }
    finish(instance, requests[i], std::move(last));
  }
}

void WorkerCore::run_alone(Instance& instance, const RequestPtr& request) {
  {
    const TimePoint now = clock_.now();
    MutexLock lock(mutex_);
    statistics_.count_run(request->rows, now);
  }
  run_batch(instance, {&request, 1});
}

void WorkerCore::finish(Instance& instance, const RequestPtr& request, Answer&& last) {
  bool unanswered = false;
  const TimePoint now = clock_.now();
  {
    MutexLock lock(mutex_);
    count_given(std::exchange(instance.given, 0));
    unanswered = end(request, last.error == nullptr ? Outcome::answered : Outcome::failed, now);
    request->place = Request::Place::ended;
    queue_.end_turn(*request);
    leave_session(*request);
    if (--instance.load == 0) {
      end_work(instance, now);
      take_ahead(instance);
    }
    notify_work();
  }
  if (!unanswered) return;
  give_last(request, std::move(last));
  ++instance.given;
}

TensorMap WorkerCore::infer(std::span<const RequestPtr> requests, const TensorMap& inputs, InferenceContext& context) {
  std::int64_t rows = 0;
  for (const RequestPtr& request : requests) rows += request->rows;
  TensorMap outputs = model_->infer(inputs, context);
  check_outputs({model_id_, signature_, max_batch_size_}, outputs, rows);
  return outputs;
}

std::vector<RequestInfo> WorkerCore::describe(std::span<const RequestPtr> requests, std::vector<RequestInfo> infos) {
  std::int64_t row = 0;
  for (const RequestPtr& request : requests) {
    RequestInfo& info = infos.emplace_back();
    info.first_row = std::exchange(row, row + request->rows);
    info.rows = request->rows;
    info.request_id = request->id;
    info.parameters = &request->call.parameters;
    info.trace = request->call.trace.get();
    info.over = &request->over;
    if (!request->session) continue;
    info.session_id = &request->session->session_id;
    if (!signature_.stateful) continue;
    SessionState state;
    {
      MutexLock lock(mutex_);
      state = sessions_.state(*request->session);
    }
    if (state == nullptr) {
      state = std::make_shared<std::any>(model_->open_session(request->session->session_id));
      MutexLock lock(mutex_);
      (void)sessions_.exchange_state(*request->session, state);
    }
    info.state = *state;
  }
  return infos;
}

void WorkerCore::keep_states(std::span<const RequestPtr> requests, InferenceContext& context) {
  if (!signature_.stateful) return;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!requests[i]->session || requests[i]->over.load()) continue;
    auto state = std::make_shared<std::any>(std::move(context.requests()[i].state));
    SessionState before;
    MutexLock lock(mutex_);
    before = sessions_.exchange_state(*requests[i]->session, std::move(state));
  }
}

InferenceContext::Allocate WorkerCore::allocator_for(std::span<const RequestPtr> requests) const {
  const std::shared_ptr<Caller>& first = requests.front()->caller;
  const bool shared = std::ranges::any_of(requests, [&](const RequestPtr& each) { return each->caller != first; });
  if (shared) return {};
  return [caller = first.get()](const Dims& shape, DataType dtype) { return caller->allocate(shape, dtype); };
}

std::exception_ptr WorkerCore::failed(ErrorCode code, const std::string& what, const std::exception_ptr& cause) const {
  try {
    std::rethrow_exception(cause);
  } catch (const Error& error) {
    if (error.code() == code) return cause;
  } catch (...) {  // wrapped below
  }
  try {
    try {
      std::rethrow_exception(cause);
    } catch (...) {
      std::throw_with_nested(Error(code, "model '" + model_id_ + "' " + what + ": " + text_of(cause)));
    }
  } catch (...) {
    return std::current_exception();
  }
}

std::exception_ptr WorkerCore::inference_failed(const std::exception_ptr& cause) const {
  return failed(ErrorCode::inference_failed, "failed", cause);
}

void WorkerCore::perform(Instance& /*instance*/, ClosedSession& closed) {
  try {
    model_->close_session(closed.session_id, *closed.state);
  } catch (...) {
    log(LogLevel::warning, "model '" + model_id_ + "' failed to close session '" + closed.session_id +
                               "': " + text_of(std::current_exception()));
  }
}

void WorkerCore::perform(Instance& /*instance*/, AskHealth& /*asked*/) {
  std::string because;
  try {
    if (!model_->is_healthy()) because = "the model says so";
  } catch (...) {
    because = "its check failed: " + text_of(std::current_exception());
  }
  MutexLock lock(mutex_);
  unhealthy_because_ = because;
}

}  // namespace remotemedia::detail
