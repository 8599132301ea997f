// SPDX-License-Identifier: Apache-2.0
//
// What tests of workers and clients that meet at an endpoint need.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "remotemedia/worker/model_worker.h"
#include "remotemedia/worker/model_worker_client.h"
#include "worker/local_transport.h"
#include "worker/served_model.h"

namespace remotemedia::testing {

inline const std::string kEndpoint = "local:doubler";

/// A ModelWorker over a ServedModel at kEndpoint. For it time stands still, for its clients it goes on.
class EndpointTest : public ::testing::Test {
 protected:
  EndpointTest() { transport_.reset(); }

  void make(WorkerConfig config = {}) {
    config.clock = &clock_;
    if (model_ == nullptr) model_ = std::make_shared<ServedModel>(rows_of_numbers(8));
    worker_.emplace(model_, config, "worker-1");
  }
  void start(const WorkerConfig& config = {}) {
    make(config);
    worker_->start({kEndpoint});
  }
  static ModelWorkerClient connect(const ConnectOptions& options = {}) {
    return ModelWorkerClient::connect(kEndpoint, options);
  }
  static TensorMap inputs(const std::vector<std::int64_t>& rows) { return {{"x", numbers(rows)}}; }
  static std::vector<std::int64_t> outputs(const TensorMap& outputs) { return rows_in(outputs.at("y")); }

  /// Asks each millisecond.
  template <class Condition>
  static void wait_until(Condition&& condition) {
    while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }

  LocalTransport& transport_ = LocalTransport::instance();
  ManualClock clock_{TimePoint{}};
  std::shared_ptr<ServedModel> model_;
  std::optional<ModelWorker> worker_;  // ends first
};

}  // namespace remotemedia::testing
