// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>

#include "testing/event_count.h"
#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class PatientModel final : public ServedModel {
 public:
  PatientModel() : ServedModel(rows_of_numbers(8)) {}
  bool is_healthy() override {
    asked.add();
    if (throws) throw std::runtime_error("the device is gone");
    return well;
  }
  std::atomic<bool> well = true;
  std::atomic<bool> throws = false;
  EventCount asked;
};

class WorkerHealthTest : public WorkerTest {
 protected:
  void serve_patient(WorkerConfig config = {}) {
    patient_ = std::make_shared<PatientModel>();
    serve(patient_, config);
  }
  /// Asks until it says so.
  void wait_until_healthy_is(bool healthy) {
    wait_until([&] { return worker_->healthy() == healthy; });
  }
  std::shared_ptr<PatientModel> patient_;
};

TEST_F(WorkerHealthTest, IsTheModelsOwnCheck) {
  serve_patient();
  EXPECT_TRUE(worker_->healthy());
  patient_->well = false;
  wait_until_healthy_is(false);
  EXPECT_THAT(worker_->status().reason, HasSubstr("the model"));
  patient_->well = true;
  wait_until_healthy_is(true);
  EXPECT_EQ(worker_->status().reason, "");
  patient_->throws = true;
  wait_until_healthy_is(false);
  EXPECT_THAT(worker_->status().reason, HasSubstr("the device is gone"));
}

TEST_F(WorkerHealthTest, IsKnownFromTheBeginning) {
  serve_patient();
  EXPECT_GE(patient_->asked.count(), 1);
}

TEST_F(WorkerHealthTest, AnswersWhileTheModelIsBusy) {
  serve_patient();
  keep_busy();
  const int asked = patient_->asked.count();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(worker_->healthy());
  EXPECT_EQ(patient_->asked.count(), asked);
  model_->let_go();
  patient_->asked.wait_for(asked + 1);  // between batches
}

TEST_F(WorkerHealthTest, IsGoneWhileACallHangs) {
  WorkerConfig config;
  config.watchdog = 10s;
  serve_patient(config);
  for (int i = 0; i < 2; ++i) {
    keep_busy();
    clock_.advance(9s);
    EXPECT_TRUE(worker_->healthy());
    clock_.advance(1s);
    EXPECT_FALSE(worker_->healthy());
    EXPECT_THAT(worker_->status().reason, HasSubstr("watchdog"));
    model_->let_go();
    wait_until_healthy_is(true);
  }
}

TEST_F(WorkerHealthTest, StatusCountsWhatRunsAndWhatWaits) {
  WorkerConfig config;
  config.instances = 2;
  serve(1, config);
  EXPECT_EQ(worker_->status().status, WorkerState::ready);
  keep_busy();
  EXPECT_EQ(worker_->status().status, WorkerState::ready);  // one instance is free
  Reply second;
  Reply third;
  submit({1}, second);
  model_->entered.wait_for(2);
  submit({2}, third);
  const WorkerInfo info = worker_->status();
  EXPECT_EQ(info.status, WorkerState::busy);
  EXPECT_EQ(info.current_load, 2U);
  EXPECT_EQ(info.queue_depth, 1U);
  EXPECT_EQ(info.worker_id, "worker-1");
  EXPECT_EQ(info.model_id, "doubler");
  model_->let_go();
  third.rows();
  ASSERT_TRUE(worker_->drain());
  EXPECT_EQ(worker_->status().current_load, 0U);
}

TEST_F(WorkerHealthTest, LoadGoesDownAfterErrorsToo) {
  auto model = std::make_shared<ServedModel>(rows_of_numbers(8));
  model->instead = [](const TensorMap&, InferenceContext&) -> TensorMap { throw std::runtime_error("no"); };
  serve(model);
  for (int i = 0; i < 2; ++i) {
    Reply reply;
    submit({1}, reply);
    reply.error();
  }
  ASSERT_TRUE(worker_->drain());
  EXPECT_EQ(worker_->status().current_load, 0U);
  EXPECT_EQ(worker_->status().failed_requests, 2U);
}

TEST_F(WorkerHealthTest, LatencyIsFromAcceptanceToAnswer) {
  serve(1);
  keep_busy();
  clock_.advance(40ms);
  model_->let_go();
  first_.rows();
  EXPECT_EQ(worker_->status().average_latency_ms, 40.0);
  EXPECT_GE(worker_->status().p99_latency_ms, 40.0);
  EXPECT_LE(worker_->status().p99_latency_ms, 50.0);
  EXPECT_EQ(worker_->status().uptime_seconds, 0.04);
}

}  // namespace
}  // namespace remotemedia::testing
