// SPDX-License-Identifier: Apache-2.0
//
// What became of calls that came with a sampled traceparent, where somebody wants to be told. Others cost a comparison.

#include <algorithm>
#include <utility>

#include "remotemedia/worker/worker_core.h"

namespace remotemedia::detail {

bool WorkerCore::is_traced(const Call& call) const noexcept {
  return call.trace != nullptr && config_.on_call_traced && call.trace->sampled();
}

std::unique_ptr<CallTrace> WorkerCore::begun_trace(const Request& request) const {
  auto trace = std::make_unique<CallTrace>();
  trace->context = request.call.trace;
  trace->model_id = model_id_;
  trace->request_id = request.id;
  trace->transport = request.caller->transport();
  trace->stream = request.call.stream;
  trace->rows = request.rows;
  trace->accepted_at = request.accepted_at;
  return trace;
}

/// The model gets them now.
void WorkerCore::trace_run(std::span<const RequestPtr> requests) {
  if (std::ranges::none_of(requests, [this](const RequestPtr& each) { return is_traced(each->call); })) return;
  std::int64_t rows = 0;
  for (const RequestPtr& request : requests) rows += request->rows;
  const TimePoint now = clock_.now();
  MutexLock lock(mutex_);
  for (const RequestPtr& request : requests) {
    if (request->trace == nullptr) continue;
    request->trace->ran_from = now;
    request->trace->ran_to.reset();
    request->trace->batch_rows = rows;
    request->trace->ran_with.clear();
    for (const RequestPtr& other : requests) {
      if (other != request && other->call.trace != nullptr) request->trace->ran_with.push_back(other->call.trace);
    }
  }
}

void WorkerCore::trace_run_end(std::span<const RequestPtr> requests) {
  if (std::ranges::none_of(requests, [this](const RequestPtr& each) { return is_traced(each->call); })) return;
  const TimePoint now = clock_.now();
  MutexLock lock(mutex_);
  for (const RequestPtr& request : requests) {
    if (request->trace != nullptr && request->trace->ran_from) request->trace->ran_to = now;
  }
}

void WorkerCore::give_traced(const RequestPtr& request, Answer&& last) {
  std::unique_ptr<CallTrace> trace;
  {
    MutexLock lock(mutex_);
    trace = std::move(request->trace);
    trace->answered_at = clock_.now();
    if (request->place != Request::Place::queued) trace->began_at = request->began_at;
  }
  trace->error = last.error;
  request->call.on_answer(std::move(last));
  trace->given_at = clock_.now();
  config_.on_call_traced(*trace);
}

}  // namespace remotemedia::detail
