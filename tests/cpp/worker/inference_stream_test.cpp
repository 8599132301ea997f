// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include "worker/counter.h"
#include "worker/served_endpoint.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

class InferenceStreamTest : public EndpointTest {
 protected:
  void start_counter(const WorkerConfig& config = {}) {
    model_ = counter_;
    start(config);
  }
  static std::vector<std::int64_t> rest_of(InferenceStream& stream) {
    std::vector<std::int64_t> numbers;
    while (const std::optional<TensorMap> answer = stream.next()) numbers.push_back(outputs(*answer).front());
    return numbers;
  }

  std::shared_ptr<Counter> counter_ = std::make_shared<Counter>();
};

TEST_F(InferenceStreamTest, GivesAllAnswersThenNoMore) {
  start_counter();
  ModelWorkerClient client = connect();
  InferenceStream stream = client.infer_stream(inputs({3}));
  EXPECT_THAT(rest_of(stream), ElementsAre(1, 2, 3));
  EXPECT_EQ(stream.next(), std::nullopt);
  EXPECT_TRUE(stream.wait_until(TimePoint{})) << "the end is something";
}

TEST_F(InferenceStreamTest, NeverStopsForOneWhoReads) {
  start_counter({.stream_window = 1});
  ModelWorkerClient client = connect();
  InferenceStream stream = client.infer_stream(inputs({12}));
  EXPECT_EQ(rest_of(stream).size(), 12U);
}

TEST_F(InferenceStreamTest, TheWorkerWaitsForOneWhoDoesNotRead) {
  start_counter({.concurrent_streams = 2, .stream_window = 2});
  ModelWorkerClient client = connect();
  InferenceStream stream = client.infer_stream(inputs({12}));
  EXPECT_TRUE(stream.wait_until(TimePoint::max()));
  counter_->resumed.wait_for(2);
  client.infer(inputs({1}));  // the worker was free: it has not been resumed
  EXPECT_EQ(counter_->resumed.count(), 2);
  EXPECT_EQ(rest_of(stream).size(), 12U);
}

TEST_F(InferenceStreamTest, AnErrorIsTheLast) {
  start_counter();
  ModelWorkerClient client = connect();
  InferenceStream stream = client.infer_stream(inputs({20}));
  for (int i = 0; i < 12; ++i) EXPECT_NE(stream.next(), std::nullopt);
  EXPECT_EQ(code_thrown([&] { stream.next(); }), ErrorCode::inference_failed);
  EXPECT_EQ(stream.next(), std::nullopt);
}

TEST_F(InferenceStreamTest, OneThatIsDroppedIsCancelled) {
  start_counter({.stream_window = 1});
  ModelWorkerClient client = connect();
  {
    const InferenceStream dropped = client.infer_stream(inputs({12}));
    counter_->resumed.wait_for(1);
  }
  counter_->closed.wait_for(1);
  InferenceStream stream = client.infer_stream(inputs({12}));
  counter_->resumed.wait_for(2);
  stream = client.infer_stream(inputs({2}));
  counter_->closed.wait_for(2);
  EXPECT_EQ(rest_of(stream).size(), 2U);
  EXPECT_EQ(client.status().cancelled_requests, 2U);
}

TEST_F(InferenceStreamTest, OneThatIsCancelledSaysSoAtOnce) {
  start_counter({.stream_window = 2});
  ModelWorkerClient client = connect();
  InferenceStream stream = client.infer_stream(inputs({12}));
  counter_->resumed.wait_for(1);
  stream.cancel();
  stream.cancel();
  EXPECT_EQ(code_thrown([&] { stream.next(); }), ErrorCode::cancelled);
  EXPECT_EQ(stream.next(), std::nullopt);
  counter_->closed.wait_for(1);
}

TEST_F(InferenceStreamTest, ATimeoutEndsIt) {
  start_counter();
  ModelWorkerClient client = connect();
  model_->hold();
  InferenceFuture busy = client.infer_future(inputs({1}));
  model_->entered.wait_for(1);
  InferenceStream stream = client.infer_stream(inputs({3}), {.timeout = 20ms});
  EXPECT_FALSE(stream.wait_until(TimePoint{}));
  EXPECT_EQ(code_thrown([&] { stream.next(); }), ErrorCode::deadline_exceeded);
  EXPECT_EQ(stream.next(), std::nullopt);
  EXPECT_EQ(client.status().cancelled_requests, 1U);
  model_->let_go();
}

TEST_F(InferenceStreamTest, AWorkersDeathEndsItAfterWhatHasCome) {
  start_counter({.stream_window = 1});
  ModelWorkerClient client = connect();
  InferenceStream stream = client.infer_stream(inputs({12}));
  EXPECT_TRUE(stream.wait_until(TimePoint::max()));
  transport_.newest()->break_off();
  EXPECT_NE(stream.next(), std::nullopt);
  EXPECT_EQ(code_thrown([&] { stream.next(); }), ErrorCode::worker_unavailable);
  EXPECT_EQ(stream.next(), std::nullopt);
}

}  // namespace
}  // namespace remotemedia::testing
