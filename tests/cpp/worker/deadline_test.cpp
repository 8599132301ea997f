// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include <chrono>

#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

class DeadlineTest : public WorkerTest {
 protected:
  detail::RequestPtr submit_until(Duration from_now, const std::vector<std::int64_t>& rows, Reply& reply) {
    detail::Call what = call(rows, reply);
    what.deadline = clock_.now() + from_now;
    return submit(std::move(what));
  }
};

TEST_F(DeadlineTest, OfACallThatWaitsIsKeptWhileTheModelIsBusy) {
  serve(8);
  for (int i = 0; i < 2; ++i) {
    keep_busy();
    Reply late;
    Reply in_time;
    submit_until(10ms, {1}, late);
    submit_until(20ms, {2}, in_time);
    clock_.advance(10ms);
    EXPECT_EQ(late.error().code(), ErrorCode::deadline_exceeded);  // the model has not come back
    model_->let_go();
    EXPECT_THAT(in_time.rows(), ElementsAre(4));
    EXPECT_EQ(worker_->status().expired_requests, static_cast<std::uint64_t>(i + 1));
  }
}

TEST_F(DeadlineTest, ThatHasPassedMeansThatItNeverRuns) {
  serve(8);
  for (int i = 0; i < 2; ++i) {
    Reply reply;
    submit_until(0ms, {1}, reply);
    EXPECT_EQ(reply.error().code(), ErrorCode::deadline_exceeded);
  }
  ASSERT_TRUE(worker_->drain());
  EXPECT_THAT(model_->batches(), ElementsAre());
}

TEST_F(DeadlineTest, OfACallThatRunsIsKeptAndTheModelIsTold) {
  auto model = std::make_shared<ServedModel>(rows_of_numbers(8));
  bool told = false;
  model->instead = [&](const TensorMap& inputs, InferenceContext& context) {
    told = context.cancelled();
    return ServedModel::doubled(inputs, context);
  };
  serve(model);
  model_->hold();
  Reply reply;
  submit_until(10ms, {1}, reply);
  model_->entered.wait_for(1);
  clock_.advance(10ms);
  EXPECT_EQ(reply.error().code(), ErrorCode::deadline_exceeded);
  model_->let_go();
  ASSERT_TRUE(worker_->drain());
  EXPECT_TRUE(told);
  EXPECT_EQ(reply.so_far().size(), 1U);
}

TEST_F(DeadlineTest, OfAnEarlierMomentIsKeptAlthoughALaterOneIsAwaited) {
  serve(8);
  keep_busy();
  Reply later;
  Reply sooner;
  submit_until(1h, {1}, later);
  submit_until(10ms, {2}, sooner);
  clock_.advance(10ms);
  EXPECT_EQ(sooner.error().code(), ErrorCode::deadline_exceeded);
  model_->let_go();
  EXPECT_THAT(later.rows(), ElementsAre(2));
}

}  // namespace
}  // namespace remotemedia::testing
