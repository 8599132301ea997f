// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class WarmModel final : public ServedModel {
 public:
  WarmModel() : ServedModel(rows_of_numbers(8)) {}
  void warm_up() override {
    warmed = true;
    if (fails) throw std::runtime_error("no weights");
  }
  void close() override {
    ++closed;
    throw std::runtime_error("cannot close");
  }
  bool fails = false;
  bool warmed = false;
  int closed = 0;
};

using WorkerEndTest = WorkerTest;

TEST_F(WorkerEndTest, BeforeItHasBegunNothingIsAccepted) {
  model_ = std::make_shared<ServedModel>(rows_of_numbers(8));
  WorkerConfig config;
  config.clock = &clock_;
  worker_.emplace(model_, config, "worker-1");
  EXPECT_EQ(worker_->status().status, WorkerState::starting);
  EXPECT_FALSE(worker_->healthy());
  Reply reply;
  EXPECT_EQ(code_thrown([&] { submit({1}, reply); }), ErrorCode::worker_unavailable);
  worker_->start();
  EXPECT_EQ(worker_->status().status, WorkerState::ready);
}

TEST_F(WorkerEndTest, TheModelIsWarmWhenItHasBegun) {
  auto model = std::make_shared<WarmModel>();
  serve(model);
  EXPECT_TRUE(model->warmed);
  worker_->stop();
  worker_->stop();
  EXPECT_EQ(model->closed, 1);
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
}

TEST_F(WorkerEndTest, AWarmUpThatFailsEndsIt) {
  auto model = std::make_shared<WarmModel>();
  model->fails = true;
  const Error error = thrown([&] { serve(model); });
  EXPECT_EQ(error.code(), ErrorCode::load_failed);
  EXPECT_THAT(error.what(), HasSubstr("no weights"));
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
  Reply reply;
  EXPECT_EQ(code_thrown([&] { submit({1}, reply); }), ErrorCode::worker_unavailable);
}

TEST_F(WorkerEndTest, DrainFinishesWhatWasAcceptedAndRejectsTheRest) {
  serve(1);
  keep_busy();
  Reply accepted;
  submit({1}, accepted);
  bool finished = false;
  std::jthread draining([&] { finished = worker_->drain(); });
  wait_until_it_drains();
  for (int i = 0; i < 2; ++i) {
    Reply late;
    const Error error = thrown([&] { submit({2}, late); });
    EXPECT_EQ(error.code(), ErrorCode::rejected);
    EXPECT_THAT(error.what(), HasSubstr("draining"));
  }
  model_->let_go();
  draining.join();
  EXPECT_TRUE(finished);
  EXPECT_THAT(accepted.rows(), ElementsAre(2));
  EXPECT_TRUE(worker_->drain());
}

TEST_F(WorkerEndTest, WaitingForItToDrainCanBeGivenUpAndItDrainsOn) {
  serve(1);
  keep_busy();
  Reply accepted;
  submit({1}, accepted);
  int asked = 0;
  std::jthread time([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) clock_.advance(1ms);
  });
  EXPECT_EQ(code_thrown([&] { (void)worker_->drain(Duration::max(), [&] { return ++asked == 3; }); }),
            ErrorCode::cancelled);
  time.request_stop();
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(worker_->status().status, WorkerState::stopping);
  Reply late;
  EXPECT_EQ(code_thrown([&] { submit({2}, late); }), ErrorCode::rejected);
  model_->let_go();
  EXPECT_THAT(accepted.rows(), ElementsAre(2));
  EXPECT_TRUE(worker_->drain());
}

TEST_F(WorkerEndTest, DrainGivesUpWhenItsTimeIsOver) {
  serve(1);
  keep_busy();
  Reply waits;
  submit({1}, waits);
  bool finished = true;
  std::jthread draining([&] { finished = worker_->drain(10ms); });
  wait_until_it_drains();
  clock_.advance(10ms);
  draining.join();
  EXPECT_FALSE(finished);
  EXPECT_EQ(waits.error().code(), ErrorCode::worker_unavailable);
  EXPECT_EQ(first_.error().code(), ErrorCode::worker_unavailable);
  model_->let_go();
  worker_->stop();
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1)));
}

TEST_F(WorkerEndTest, StopAnswersEverybodyAndWaitsForTheModel) {
  serve(1);
  keep_busy();
  Reply waits;
  submit({1}, waits);
  std::jthread stopping([&] { worker_->stop(); });
  EXPECT_EQ(waits.error().code(), ErrorCode::worker_unavailable);
  EXPECT_EQ(first_.error().code(), ErrorCode::worker_unavailable);
  EXPECT_EQ(worker_->status().status, WorkerState::stopping);
  model_->let_go();
  stopping.join();
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
  EXPECT_EQ(worker_->status().current_load, 0U);
}

}  // namespace
}  // namespace remotemedia::testing
