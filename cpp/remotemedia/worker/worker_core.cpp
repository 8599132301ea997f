// SPDX-License-Identifier: Apache-2.0
//
// How a worker begins and ends, and what it tells.

#include "remotemedia/worker/worker_core.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

/// Between two questions whether to stop waiting.
constexpr Duration kAskTime = std::chrono::milliseconds{50};

std::int64_t rows_of_a_call(const ModelSignature& signature, const WorkerConfig& config) {
  return signature.declares_tensors() ? std::min(signature.max_batch_size, config.max_batch_size) : 0;
}

ModelSignature checked_signature(const InferenceModel& model) {
  ModelSignature signature = model.signature();
  check_signature(signature, model.model_id());
  return signature;
}

WorkerConfig checked_config(const WorkerConfig& config) {
  check_config(config);
  return config;
}

}  // namespace

WorkerCore::WorkerCore(std::shared_ptr<InferenceModel> model, const WorkerConfig& config, std::string worker_id)
    : model_(std::move(model)),
      memory_(model_),
      config_(checked_config(config)),
      worker_id_(std::move(worker_id)),
      model_id_(model_->model_id()),
      signature_(checked_signature(*model_)),
      max_batch_size_(rows_of_a_call(signature_, config_)),
      clock_(config.clock != nullptr ? *config.clock : monotonic_clock()),
      began_at_(clock_.now()) {
  for (std::size_t i = 0; i < config_.instances; ++i) instances_.push_back(std::make_unique<Instance>());
}

WorkerCore::~WorkerCore() { stop(); }

void WorkerCore::start() {
  for (const auto& instance : instances_) {
    const bool warms_up = instance == instances_.front();
    instance->thread = std::thread([this, &instance = *instance, warms_up] { run_instance(instance, warms_up); });
    if (!warms_up) continue;
    std::exception_ptr cause;
    {
      MutexLock lock(mutex_);
      while (!warm_) finished_.wait(mutex_);
      cause = warm_up_error_;
      if (cause == nullptr) enter(WorkerState::ready);
    }
    if (cause == nullptr) continue;
    stop();
    std::rethrow_exception(failed(ErrorCode::load_failed, "failed to warm up", cause));
  }
  attendant_ = std::thread([this] { run_attendant(); });
}

bool WorkerCore::drain(std::optional<Duration> timeout, const std::function<bool()>& given_up) {
  const TimePoint deadline = later(clock_.now(), timeout.value_or(config_.drain_timeout));
  {
    MutexLock lock(mutex_);
    if (state_ == WorkerState::ready || state_ == WorkerState::busy) enter(WorkerState::stopping);
  }
  wait_until_finished(deadline, given_up);
  Answers answers;
  bool finished = false;
  {
    MutexLock lock(mutex_);
    finished = is_finished();
    if (!finished) give_up_all(answers);
    sessions_.close_all();
    notify_work();
  }
  give(answers);
  return finished;
}

void WorkerCore::wait_until_finished(TimePoint deadline, const std::function<bool()>& given_up) {
  while (true) {
    {
      MutexLock lock(mutex_);
      const TimePoint now = clock_.now();
      if (is_finished() || now >= deadline) return;
      clock_.wait_until(finished_, mutex_, given_up ? std::min(deadline, later(now, kAskTime)) : deadline);
    }
    if (given_up && given_up()) throw Error(ErrorCode::cancelled, "waiting until the worker has drained was given up");
  }
}

void WorkerCore::stop() {
  Answers answers;
  {
    MutexLock lock(mutex_);
    if (state_ == WorkerState::terminated) return;
    if (state_ == WorkerState::ready || state_ == WorkerState::busy) enter(WorkerState::stopping);
    give_up_all(answers);
    sessions_.close_all();
    ending_ = true;
    notify_work();
    attention_.notify_all();
  }
  give(answers);
  for (const auto& instance : instances_) {
    if (instance->thread.joinable()) instance->thread.join();
  }
  if (attendant_.joinable()) attendant_.join();
  try {
    model_->close();
  } catch (const std::exception& thrown) {
    log(LogLevel::warning, "model '" + model_id_ + "' failed to close: " + thrown.what());
  } catch (...) {
    log(LogLevel::warning, "model '" + model_id_ + "' failed to close");
  }
  MutexLock lock(mutex_);
  enter(WorkerState::terminated);
}

void WorkerCore::enter(WorkerState state) {
  assert(is_legal_transition(state_, state));
  state_ = state;
}

bool WorkerCore::healthy() {
  MutexLock lock(mutex_);
  health_wanted_ = true;
  notify_work();
  return (state_ == WorkerState::ready || state_ == WorkerState::busy) && why_unhealthy(clock_.now()).empty();
}

WorkerCounts WorkerCore::counts() const {
  MutexLock lock(mutex_);
  return statistics_.counts();
}

LatencyHistogram WorkerCore::latencies() const {
  MutexLock lock(mutex_);
  return statistics_.latencies();
}

WorkerInfo WorkerCore::status() const {
  MutexLock lock(mutex_);
  WorkerInfo info;
  info.worker_id = worker_id_;
  info.model_id = model_id_;
  info.status = state_;
  const TimePoint now = clock_.now();
  info.reason = why_unhealthy(now);
  for (const auto& instance : instances_) info.current_load += instance->load;
  info.queue_depth = queue_.size();
  info.max_batch_size = max_batch_size_;
  statistics_.write_to(info);
  info.sessions = sessions_.size();
  info.uptime_seconds = std::chrono::duration<double>(now - began_at_).count();
  return info;
}

}  // namespace remotemedia::detail
