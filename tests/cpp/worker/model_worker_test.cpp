// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/model_worker.h"

#include <gmock/gmock.h>

#include <thread>

#include "remotemedia/platform/machine.h"
#include "worker/served_endpoint.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using ModelWorkerTest = EndpointTest;

TEST_F(ModelWorkerTest, ListensWhereItIsTold) {
  make();
  EXPECT_THAT(worker_->start({"local:b", "local:a"}), ElementsAre("local:b", "local:a"));
  EXPECT_EQ(outputs(ModelWorkerClient::connect("local:a").infer(inputs({1}))), std::vector<std::int64_t>{2});
  EXPECT_EQ(outputs(ModelWorkerClient::connect("local:b").infer(inputs({2}))), std::vector<std::int64_t>{4});
  worker_->stop();
  worker_->stop();
  EXPECT_THAT(transport_.told(), ElementsAre("listen local:b", "listen local:a", "stop local:b", "stop local:a"));
}

TEST_F(ModelWorkerTest, ListensAtAPrivateEndpointWhenItIsNotTold) {
  make();
  EXPECT_THAT(worker_->start(), ElementsAre("local:default"));
}

TEST_F(ModelWorkerTest, AnEndpointOfNoKnownSchemeNamesThoseThereAre) {
  make();
  const auto start = [&] { worker_->start({kEndpoint, "carrier-pigeon:7"}); };
  const Error error = thrown(start);
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_THAT(error.what(), HasSubstr("carrier-pigeon:7"));
  EXPECT_THAT(error.what(), HasSubstr("local:"));
  EXPECT_EQ(worker_->status().status, WorkerState::starting) << "nothing was begun";
  EXPECT_EQ(code_thrown(start), ErrorCode::invalid_argument);
  worker_->start({kEndpoint});
}

TEST_F(ModelWorkerTest, AnAddressThatIsTakenEndsIt) {
  start();
  ModelWorker second(std::make_shared<ServedModel>(rows_of_numbers(8)));
  EXPECT_EQ(code_thrown([&] { second.start({"local:free", kEndpoint}); }), ErrorCode::shared_memory_unavailable);
  EXPECT_EQ(second.status().status, WorkerState::terminated);
  EXPECT_THAT(transport_.told(), ElementsAre("listen " + kEndpoint, "listen local:free", "stop local:free"));
  EXPECT_EQ(outputs(connect().infer(inputs({1}))), std::vector<std::int64_t>{2}) << "the first serves on";
}

TEST_F(ModelWorkerTest, BeginsOnce) {
  start();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(code_thrown([&] { worker_->start({"local:other"}); }), ErrorCode::invalid_argument);
  }
  worker_->stop();
  EXPECT_EQ(code_thrown([&] { worker_->start({"local:other"}); }), ErrorCode::invalid_argument);
}

TEST_F(ModelWorkerTest, TellsOfItselfAndOfAllItsListeners) {
  make();
  EXPECT_EQ(worker_->status().shared_memory_bytes, 0U);
  worker_->start({"local:a", "local:b"});
  const WorkerInfo info = worker_->status();
  EXPECT_EQ(info.worker_id, "worker-1");
  EXPECT_EQ(info.pid, platform::process_id());
  EXPECT_EQ(info.shared_memory_bytes, 2 * kLocalListenerBytes);
  EXPECT_EQ(ModelWorkerClient::connect("local:a").status().shared_memory_bytes, 2 * kLocalListenerBytes);
  EXPECT_TRUE(worker_->health_check());
  worker_->stop();
  EXPECT_FALSE(worker_->health_check());
}

TEST_F(ModelWorkerTest, WithoutANameItHasOneThatNobodyElseHas) {
  const ModelWorker one(std::make_shared<ServedModel>(rows_of_numbers(8)));
  const ModelWorker other(std::make_shared<ServedModel>(rows_of_numbers(8)));
  EXPECT_FALSE(one.status().worker_id.empty());
  EXPECT_NE(one.status().worker_id, other.status().worker_id);
}

TEST_F(ModelWorkerTest, ADrainEndsServing) {
  make();
  std::thread serves([&] { worker_->serve({kEndpoint}); });
  wait_until([&] { return worker_->status().status == WorkerState::ready; });
  ModelWorkerClient client = connect();
  model_->hold();
  InferenceFuture accepted = client.infer_future(inputs({1}));
  model_->entered.wait_for(1);
  std::thread drains([&] { EXPECT_TRUE(worker_->drain()); });
  wait_until([&] { return worker_->status().status == WorkerState::stopping; });
  EXPECT_EQ(code_thrown([&] { client.infer(inputs({2})); }), ErrorCode::rejected);
  EXPECT_THAT(transport_.told(), ElementsAre("listen " + kEndpoint, "drain " + kEndpoint));
  model_->let_go();
  EXPECT_EQ(outputs(accepted.get()), std::vector<std::int64_t>{2});
  drains.join();
  serves.join();
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
  EXPECT_EQ(transport_.told().back(), "stop " + kEndpoint);
}

TEST_F(ModelWorkerTest, ADrainBeforeItServesEndsItToo) {
  make();
  EXPECT_TRUE(worker_->drain());
  worker_->serve({kEndpoint});
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
}

TEST_F(ModelWorkerTest, StopEndsServing) {
  make();
  std::thread serves([&] { worker_->serve({kEndpoint}); });
  wait_until([&] { return worker_->status().status == WorkerState::ready; });
  worker_->stop();
  serves.join();
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
}

TEST_F(ModelWorkerTest, AModelThatCannotWarmUpListensNowhere) {
  class ColdModel final : public ServedModel {
   public:
    using ServedModel::ServedModel;
    void warm_up() override { throw std::runtime_error("no weights"); }
  };
  model_ = std::make_shared<ColdModel>(rows_of_numbers(8));
  make();
  EXPECT_EQ(code_thrown([&] { worker_->serve({kEndpoint}); }), ErrorCode::load_failed);
  EXPECT_THAT(transport_.told(), ElementsAre());
  EXPECT_EQ(worker_->status().status, WorkerState::terminated);
}

TEST_F(ModelWorkerTest, KeepsTheHandleThatItWasGiven) {
  struct Handle {
    std::shared_ptr<ServedModel> model;
    ServedModel& operator*() const { return *model; }
    void release() { model = nullptr; }
  };
  const auto model = std::make_shared<ServedModel>(rows_of_numbers(8));
  {
    ModelWorker worker(Handle{model});
    EXPECT_EQ(model.use_count(), 2);
    ModelWorker moved = std::move(worker);
    EXPECT_EQ(moved.status().model_id, "doubler");
  }
  EXPECT_EQ(model.use_count(), 1);
}

}  // namespace
}  // namespace remotemedia::testing
