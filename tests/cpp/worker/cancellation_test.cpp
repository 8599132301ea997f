// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using CancellationTest = WorkerTest;

TEST_F(CancellationTest, ACallThatWaitsNeverRuns) {
  serve(8);
  for (int i = 0; i < 2; ++i) {
    keep_busy();
    Reply reply;
    const detail::RequestPtr request = submit({1}, reply);
    worker_->cancel(request);
    EXPECT_EQ(reply.error().code(), ErrorCode::cancelled);  // while the model is busy
    model_->let_go();
    ASSERT_EQ(worker_->status().queue_depth, 0U);
  }
  ASSERT_TRUE(worker_->drain());
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(-1)));
  EXPECT_EQ(worker_->status().cancelled_requests, 2U);
}

TEST_F(CancellationTest, ACallThatRunsIsAnsweredAtOnceAndTheModelIsTold) {
  auto model = std::make_shared<ServedModel>(rows_of_numbers(8));
  std::vector<bool> told;
  model->instead = [&](const TensorMap& inputs, InferenceContext& context) {
    told.push_back(context.requests()[0].cancelled() && context.cancelled());
    return ServedModel::doubled(inputs, context);
  };
  serve(model);
  model_->hold();
  Reply reply;
  const detail::RequestPtr request = submit({1}, reply);
  model_->entered.wait_for(1);
  worker_->cancel(request);
  EXPECT_EQ(reply.error().code(), ErrorCode::cancelled);
  EXPECT_EQ(worker_->status().current_load, 1U);  // the model is at it still
  model_->let_go();
  ASSERT_TRUE(worker_->drain());
  EXPECT_THAT(told, ElementsAre(true));
  EXPECT_EQ(reply.so_far().size(), 1U);
}

TEST_F(CancellationTest, OneOfABatchLeavesTheOthers) {
  auto model = std::make_shared<ServedModel>(rows_of_numbers(8));
  bool all = true;
  model->instead = [&](const TensorMap& inputs, InferenceContext& context) {
    all = context.cancelled();
    return ServedModel::doubled(inputs, context);
  };
  serve(model);
  keep_busy();
  Reply one;
  Reply two;
  const detail::RequestPtr request = submit({1}, one);
  submit({2}, two);
  model_->let_go();
  model_->left.wait_for(1);
  model_->hold();
  model_->entered.wait_for(2);
  worker_->cancel(request);
  model_->let_go();
  EXPECT_THAT(two.rows(), ElementsAre(4));
  EXPECT_FALSE(all);
}

TEST_F(CancellationTest, AfterTheAnswerChangesNothing) {
  serve(8);
  Reply reply;
  const detail::RequestPtr request = submit({1}, reply);
  reply.rows();
  for (int i = 0; i < 2; ++i) worker_->cancel(request);
  EXPECT_EQ(reply.so_far().size(), 1U);
  EXPECT_EQ(worker_->status().cancelled_requests, 0U);
  EXPECT_EQ(worker_->status().total_requests, 1U);
}

TEST_F(CancellationTest, OfAClientTakesAllThatItWaitsFor) {
  serve(1);
  keep_busy();
  const auto other = std::make_shared<CountingCaller>(2);
  std::vector<Reply> gone(3);
  Reply stays;
  for (Reply& reply : gone) worker_->submit(other, call({1}, reply));
  submit({2}, stays);
  worker_->close_client(2);
  for (Reply& reply : gone) EXPECT_EQ(reply.error().code(), ErrorCode::cancelled);
  model_->let_go();
  EXPECT_THAT(stays.rows(), ElementsAre(4));
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(2)));
}

}  // namespace
}  // namespace remotemedia::testing
