// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>
#include <signal.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "worker/served_endpoint.h"

namespace remotemedia::testing {
namespace {

class ModelWorkerSignalTest : public EndpointTest {
 protected:
  /// With one call that runs until model_->let_go(). A program that a shell runs in the background ignores SIGINT.
  void serve_a_call() {
    for (const int signal : {SIGTERM, SIGINT}) ::signal(signal, SIG_DFL);
    make();
    serves_ = std::thread([&] {
      finished_ = worker_->serve({kEndpoint}, [&](const std::vector<std::string>& reached) { ready_ = reached; });
    });
    wait_until([&] { return worker_->status().status == WorkerState::ready; });
    client_.emplace(connect());
    model_->hold();
    call_ = client_->infer_future(inputs({1}));
    model_->entered.wait_for(1);
  }
  void wait_until_it_drains() {
    wait_until([&] { return worker_->status().status == WorkerState::stopping; });
  }

  std::thread serves_;
  std::vector<std::string> ready_;
  bool finished_ = false;
  std::optional<ModelWorkerClient> client_;
  InferenceFuture call_;
};

TEST_F(ModelWorkerSignalTest, OneDrains) {
  for (const int signal : {SIGTERM, SIGINT}) {
    serve_a_call();
    raise(signal);
    wait_until_it_drains();
    EXPECT_EQ(code_thrown([&] { client_->infer(inputs({2})); }), ErrorCode::rejected);
    model_->let_go();
    EXPECT_EQ(outputs(call_.get()), std::vector<std::int64_t>{2});
    serves_.join();
    EXPECT_TRUE(finished_);
    EXPECT_EQ(ready_, std::vector<std::string>{kEndpoint});
    EXPECT_EQ(worker_->status().status, WorkerState::terminated);
    model_ = nullptr;
  }
}

TEST_F(ModelWorkerSignalTest, ASecondStopsAtOnce) {
  serve_a_call();
  raise(SIGTERM);
  wait_until_it_drains();
  EXPECT_FALSE(call_.ready());
  raise(SIGTERM);
  EXPECT_EQ(code_thrown([&] { call_.get(); }), ErrorCode::worker_unavailable);
  model_->let_go();
  serves_.join();
  EXPECT_FALSE(finished_);
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
}

/// Two in one process.
class SeveralWorkersTest : public ModelWorkerSignalTest {
 protected:
  void serve_both() {
    for (const int signal : {SIGTERM, SIGINT}) ::signal(signal, SIG_DFL);
    make();
    other_.emplace(std::make_shared<ServedModel>(rows_of_numbers(8)), WorkerConfig{.clock = &clock_}, "worker-2");
    serves_ = std::thread([this] {
      finished_ = ModelWorker::serve_all({{&*worker_, {kEndpoint}}, {&*other_, {"local:other"}}},
                                         [this](const std::vector<std::vector<std::string>>& reached) {
                                           all_ready_ = reached;
                                           ready_told_.add();
                                         });
    });
    ready_told_.wait_for(1);
  }

  std::optional<ModelWorker> other_;
  std::vector<std::vector<std::string>> all_ready_;
  EventCount ready_told_;
};

TEST_F(SeveralWorkersTest, OneSignalDrainsAll) {
  serve_both();
  EXPECT_EQ(all_ready_, (std::vector<std::vector<std::string>>{{kEndpoint}, {"local:other"}}));
  client_.emplace(connect());
  model_->hold();
  call_ = client_->infer_future(inputs({1}));
  model_->entered.wait_for(1);
  raise(SIGTERM);
  wait_until_it_drains();
  wait_until([&] { return other_->status().status == WorkerState::stopping; });
  model_->let_go();
  EXPECT_EQ(outputs(call_.get()), std::vector<std::int64_t>{2});
  serves_.join();
  EXPECT_TRUE(finished_);
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
  EXPECT_EQ(other_->status().status, WorkerState::terminated);
}

TEST_F(SeveralWorkersTest, TheyAreServedUntilAllAreDrained) {
  serve_both();
  EXPECT_TRUE(other_->drain());
  client_.emplace(connect());
  EXPECT_EQ(outputs(client_->infer(inputs({1}))), std::vector<std::int64_t>{2});
  EXPECT_TRUE(worker_->drain());
  serves_.join();
  EXPECT_TRUE(finished_);
}

TEST_F(SeveralWorkersTest, ADrainingThatCutsCallsOffIsToldByServe) {
  serve_both();
  client_.emplace(connect());
  model_->hold();
  call_ = client_->infer_future(inputs({1}));
  model_->entered.wait_for(1);
  EXPECT_FALSE(worker_->drain(Duration{0}));
  model_->let_go();
  EXPECT_TRUE(other_->drain());
  serves_.join();
  EXPECT_FALSE(finished_);
}

TEST_F(SeveralWorkersTest, OneThatCannotListenEndsAll) {
  make();
  other_.emplace(std::make_shared<ServedModel>(rows_of_numbers(8)), WorkerConfig{.clock = &clock_}, "worker-2");
  const auto serve = [this] { ModelWorker::serve_all({{&*worker_, {kEndpoint}}, {&*other_, {"nowhere:other"}}}); };
  EXPECT_EQ(code_thrown(serve), ErrorCode::invalid_argument);
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
}

TEST_F(ModelWorkerSignalTest, WhatOnReadyThrowsEndsIt) {
  make();
  const auto refuse = [](const std::vector<std::string>&) { throw std::domain_error("not now"); };
  EXPECT_STREQ(thrown<std::domain_error>([&] { worker_->serve({kEndpoint}, refuse); }).what(), "not now");
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
}

}  // namespace
}  // namespace remotemedia::testing
