// SPDX-License-Identifier: Apache-2.0
//
// ModelWorker: serves one model to other processes.
//
//     ModelWorker worker(std::make_shared<Doubler>(), {.max_batch_size = 16});
//     worker.serve({"unix:/run/user/1000/doubler"});        // until SIGTERM, SIGINT or drain()

#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/export.h"
#include "remotemedia/worker/inference_model.h"
#include "remotemedia/worker/worker_config.h"
#include "remotemedia/worker/worker_info.h"

namespace remotemedia {

/// Threads:  all functions may be called from any thread, start() and serve() once.
class REMOTEMEDIA_API ModelWorker {
 public:
  using OnReady = std::function<void(const std::vector<std::string>& endpoints)>;

  /// worker_id: empty for one that nobody else has.
  ///
  /// Errors:  invalid_argument for an option or a signature that makes no sense.
  explicit ModelWorker(std::shared_ptr<InferenceModel> model, const WorkerConfig& config = {},
                       std::string worker_id = {});

  /// The same with a model that a registry holds: `handle` is kept as long as the worker.
  template <class Handle>
  requires requires(Handle& handle) {
    handle.release();
    static_cast<InferenceModel&>(*handle);
  }
  explicit ModelWorker(Handle handle, const WorkerConfig& config = {}, std::string worker_id = {})
      : ModelWorker(kept(std::make_shared<Handle>(std::move(handle))), config, std::move(worker_id)) {}

  ModelWorker(ModelWorker&&) noexcept;
  ModelWorker& operator=(ModelWorker&&) noexcept;

  /// As stop().
  ~ModelWorker();

  /// Warms the model up, listens, and returns the endpoints in the given order; without any, at a private one. Calls
  /// are served by the worker's own threads.
  ///
  /// Errors:  load_failed with the cause; invalid_argument for an endpoint of no known scheme; platform::OsError, with
  ///          EADDRINUSE for an address that a living process serves. One that a dead process left is taken over.
  std::vector<std::string> start(const std::vector<std::string>& endpoints = {});

  /// start(), then waits for SIGTERM, SIGINT or drain(); then drains and stops. A second signal ends the draining.
  /// on_ready: called once, with what start() returned. Says whether all accepted calls were finished.
  ///
  /// Errors:  as start(); what on_ready throws, after stop().
  bool serve(const std::vector<std::string>& endpoints = {}, const OnReady& on_ready = {});

  struct Serving {
    ModelWorker* worker = nullptr;
    std::vector<std::string> endpoints = {};
  };
  using OnAllReady = std::function<void(const std::vector<std::vector<std::string>>& endpoints)>;

  /// serve() of several workers in one process: a signal ends all of them, otherwise it waits for all to be drained.
  /// on_ready: called once, with what each start() returned.
  ///
  /// Errors:  as serve(), after stop() of all.
  static bool serve_all(const std::vector<Serving>& servings, const OnAllReady& on_ready = {});

  /// Refuses new calls and waits for those that were accepted; after `timeout` (none: the config's) what still waits is
  /// answered with worker_unavailable. Ends serve(). Says whether all were finished.
  ///
  /// given_up:  asked several times a second whether to stop waiting: it drains on, and serve() goes on.
  ///
  /// Errors:    cancelled, when it was given up.
  bool drain(std::optional<Duration> timeout = std::nullopt, const std::function<bool()>& given_up = {});

  /// Ends it without waiting for calls that have not begun. Twice is once.
  void stop();

  WorkerInfo status() const;

  /// The model's last answer, unless it hangs or the worker does not run.
  bool health_check();

 private:
  template <class Handle>
  static std::shared_ptr<InferenceModel> kept(std::shared_ptr<Handle> handle) {
    InferenceModel& model = **handle;
    return std::shared_ptr<InferenceModel>(std::move(handle), &model);
  }

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace remotemedia
