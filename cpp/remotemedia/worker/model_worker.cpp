// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/model_worker.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/hexadecimal.h"
#include "remotemedia/base/log.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/termination_signal.h"
#include "remotemedia/platform/waiting.h"
#include "remotemedia/worker/transport.h"
#include "remotemedia/worker/worker_core.h"

namespace remotemedia {
namespace {

std::string drawn_id() {
  std::array<std::byte, 16> drawn{};
  platform::random_bytes(drawn);
  return hexadecimal(drawn);
}

}  // namespace

struct ModelWorker::Impl {
  Impl(std::shared_ptr<InferenceModel> model, const WorkerConfig& config, std::string worker_id)
      : core(std::move(model), config, worker_id.empty() ? drawn_id() : std::move(worker_id)),
        ended(platform::Doorbell::create()) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  void check_not_inherited() const {
    if (made_in == fork_generation()) return;
    throw Error(ErrorCode::worker_unavailable,
                "the worker of model '" + core.model_id() + "' is the parent's of this forked process: make another");
  }

  std::vector<std::string> start(std::vector<std::string> endpoints);
  void listen(const std::string& endpoint);
  static std::vector<std::vector<std::string>> start_all(const std::vector<Serving>& servings);
  static void stop_all(const std::vector<Serving>& servings);
  static bool have_ended(std::vector<Serving>& servings, const platform::TerminationSignal& signal);
  void drain_for_a_signal() noexcept;
  bool drain(std::optional<Duration> timeout, const std::function<bool()>& given_up);
  void stop();
  WorkerInfo status() const;
  std::vector<std::shared_ptr<detail::WorkerListener>> all_listeners() const {
    MutexLock lock(mutex);
    return listeners;
  }

  enum class Phase { fresh, starting, running, stopping, stopped };

  detail::WorkerCore core;
  platform::Doorbell ended;  ///< Rung by drain() and stop(), for serve().
  const std::uint64_t made_in = fork_generation();
  std::atomic<bool> cut_off{false};  ///< Accepted calls, by the end of a draining's time or a second signal.

  mutable Mutex mutex;
  CondVar phase_changed;
  Phase phase REMOTEMEDIA_GUARDED_BY(mutex) = Phase::fresh;
  std::vector<std::shared_ptr<detail::WorkerListener>> listeners REMOTEMEDIA_GUARDED_BY(mutex);

  void enter(Phase next) REMOTEMEDIA_REQUIRES(mutex) {
    phase = next;
    phase_changed.notify_all();
  }
};

std::vector<std::string> ModelWorker::Impl::start(std::vector<std::string> endpoints) {
  if (endpoints.empty()) endpoints.push_back(detail::endpoint_schemes().front().default_endpoint());
  for (const std::string& endpoint : endpoints) detail::scheme_of(endpoint);
  {
    MutexLock lock(mutex);
    if (phase != Phase::fresh) {
      throw Error(ErrorCode::invalid_argument,
                  "the worker of model '" + core.model_id() + "' has begun, or ended, before");
    }
    enter(Phase::starting);
  }
  std::exception_ptr failed;
  try {
    core.start();
    for (const std::string& endpoint : endpoints) listen(endpoint);
  } catch (...) {
    failed = std::current_exception();
  }
  {
    MutexLock lock(mutex);
    enter(Phase::running);
  }
  if (failed != nullptr) {
    stop();
    std::rethrow_exception(failed);
  }
  std::vector<std::string> reached;
  for (const auto& listener : all_listeners()) reached.push_back(listener->endpoint());
  return reached;
}

void ModelWorker::Impl::listen(const std::string& endpoint) {
  std::shared_ptr<detail::WorkerListener> listener =
      detail::scheme_of(endpoint).listen({core, [this] { return status(); }}, endpoint);
  MutexLock lock(mutex);
  listeners.push_back(std::move(listener));
}

std::vector<std::vector<std::string>> ModelWorker::Impl::start_all(const std::vector<Serving>& servings) {
  std::vector<std::vector<std::string>> reached;
  reached.reserve(servings.size());
  for (const Serving& serving : servings) reached.push_back(serving.worker->start(serving.endpoints));
  return reached;
}

void ModelWorker::Impl::stop_all(const std::vector<Serving>& servings) {
  for (const Serving& serving : servings) serving.worker->stop();
}

/// Leaves those that have not. False when a signal comes before all have.
bool ModelWorker::Impl::have_ended(std::vector<Serving>& servings, const platform::TerminationSignal& signal) {
  for (;;) {
    std::vector<platform::NativeHandle> handles{signal.wait_handle()};
    for (const Serving& serving : servings) handles.push_back(serving.worker->impl_->ended.wait_handle());
    const std::vector<std::size_t> ready = platform::wait_for_any(handles, TimePoint::max());
    std::erase_if(servings, [](const Serving& serving) { return serving.worker->impl_->ended.wait(TimePoint{}); });
    if (servings.empty()) return true;
    if (ready.front() == 0) return false;
  }
}

bool ModelWorker::serve_all(const std::vector<Serving>& servings, const OnAllReady& on_ready) {
  std::optional<platform::TerminationSignal> signal(std::in_place);  // before anybody can know that it serves
  try {
    const std::vector<std::vector<std::string>> reached = Impl::start_all(servings);
    if (on_ready) on_ready(reached);
  } catch (...) {
    Impl::stop_all(servings);
    throw;
  }
  std::vector<std::jthread> draining;
  std::vector<Serving> running = servings;
  if (!Impl::have_ended(running, *signal)) {
    (void)signal->take();
    for (const Serving& serving : running) {
      Impl& worker = *serving.worker->impl_;
      log(LogLevel::info, "the worker of model '" + worker.core.model_id() + "' is asked to end, and drains");
      try {
        draining.emplace_back([&worker] { worker.drain_for_a_signal(); });
      } catch (const std::system_error&) {  // the system has no thread left
        worker.drain_for_a_signal();
      }
    }
    if (!Impl::have_ended(running, *signal)) {
      for (const Serving& serving : running) serving.worker->impl_->cut_off = true;
    }
  }
  signal.reset();  // a model that does not come back is ended by the next one
  Impl::stop_all(servings);
  draining.clear();  // joins
  return std::ranges::none_of(servings, [](const Serving& serving) { return serving.worker->impl_->cut_off.load(); });
}

void ModelWorker::Impl::drain_for_a_signal() noexcept {
  try {
    drain(std::nullopt, {});
  } catch (const std::exception& thrown) {
    log(LogLevel::warning, "the worker of model '" + core.model_id() + "' failed to drain: " + thrown.what());
    cut_off = true;
    ended.ring();
  }
}

bool ModelWorker::Impl::drain(std::optional<Duration> timeout, const std::function<bool()>& given_up) {
  {
    MutexLock lock(mutex);
    while (phase == Phase::starting) phase_changed.wait(mutex);
  }
  for (const auto& listener : all_listeners()) listener->announce_drain();
  const bool finished = core.drain(timeout, given_up);
  if (!finished) cut_off = true;
  ended.ring();
  return finished;
}

void ModelWorker::Impl::stop() {
  {
    MutexLock lock(mutex);
    while (phase == Phase::starting || phase == Phase::stopping) phase_changed.wait(mutex);
    if (phase == Phase::stopped) return;
    enter(Phase::stopping);
  }
  core.stop();
  for (const auto& listener : all_listeners()) listener->stop();
  ended.ring();
  MutexLock lock(mutex);
  enter(Phase::stopped);
}

WorkerInfo ModelWorker::Impl::status() const {
  WorkerInfo info = core.status();
  info.pid = platform::process_id();
  for (const auto& listener : all_listeners()) info.shared_memory_bytes += listener->shared_memory_bytes();
  return info;
}

ModelWorker::ModelWorker(std::shared_ptr<InferenceModel> model, const WorkerConfig& config, std::string worker_id) {
  if (model == nullptr) throw Error(ErrorCode::invalid_argument, "a worker was given no model");
  impl_ = std::make_unique<Impl>(std::move(model), config, std::move(worker_id));
}

ModelWorker::ModelWorker(ModelWorker&&) noexcept = default;

ModelWorker& ModelWorker::operator=(ModelWorker&& other) noexcept {
  ModelWorker taken(std::move(other));
  impl_.swap(taken.impl_);
  return *this;
}

// A forked child leaves everything as it is: threads, locks and sockets are its parent's.
ModelWorker::~ModelWorker() {
  if (impl_ != nullptr && impl_->made_in != fork_generation()) static_cast<void>(impl_.release());
}

std::vector<std::string> ModelWorker::start(const std::vector<std::string>& endpoints) {
  impl_->check_not_inherited();
  return impl_->start(endpoints);
}

bool ModelWorker::serve(const std::vector<std::string>& endpoints, const OnReady& on_ready) {
  return serve_all({{this, endpoints}}, [&](const std::vector<std::vector<std::string>>& reached) {
    if (on_ready) on_ready(reached.front());
  });
}

bool ModelWorker::drain(std::optional<Duration> timeout, const std::function<bool()>& given_up) {
  impl_->check_not_inherited();
  return impl_->drain(timeout, given_up);
}

void ModelWorker::stop() {
  impl_->check_not_inherited();
  impl_->stop();
}

WorkerInfo ModelWorker::status() const {
  impl_->check_not_inherited();
  return impl_->status();
}

bool ModelWorker::health_check() {
  impl_->check_not_inherited();
  return impl_->core.healthy();
}

}  // namespace remotemedia
