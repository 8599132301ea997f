// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include <chrono>

#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using BatchingTest = WorkerTest;
using namespace std::chrono_literals;

TEST_F(BatchingTest, TakesWhatQueuedWhileTheModelWasBusy) {
  serve(8);
  keep_busy();
  std::vector<Reply> replies(5);
  for (std::size_t i = 0; i < replies.size(); ++i) submit({static_cast<std::int64_t>(i)}, replies[i]);
  model_->let_go();
  for (std::size_t i = 0; i < replies.size(); ++i) {
    EXPECT_THAT(replies[i].rows(), ElementsAre(2 * static_cast<std::int64_t>(i)));
  }
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(0, 1, 2, 3, 4)));
  EXPECT_EQ(worker_->status().average_batch_size, 3.0);
}

TEST_F(BatchingTest, NeverTakesMoreRowsThanTheSmallerLimit) {
  WorkerConfig config;
  config.max_batch_size = 3;
  serve(8, config);
  EXPECT_EQ(worker_->max_batch_size(), 3);
  keep_busy();
  std::vector<Reply> replies(3);
  submit({1, 2}, replies[0]);
  submit({3, 4}, replies[1]);
  submit({5}, replies[2]);
  model_->let_go();
  for (Reply& reply : replies) reply.rows();
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(1, 2, 5), ElementsAre(3, 4)));
}

TEST_F(BatchingTest, KeepsOtherShapesAndParametersApart) {
  serve(8);
  keep_busy();
  std::vector<Reply> replies(4);
  submit({1}, replies[0]);
  detail::Call wide = call({2}, replies[1]);
  wide.inputs = {{"x", numbers({2}, 3)}};
  submit(std::move(wide));
  detail::Call other = call({3}, replies[2]);
  other.parameters = {{"scale", 2.0}};
  submit(std::move(other));
  submit({4}, replies[3]);
  model_->let_go();
  for (Reply& reply : replies) reply.rows();
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(1, 4), ElementsAre(2), ElementsAre(3)));
}

TEST_F(BatchingTest, TellsTheModelWhoseRowsAreWhose) {
  auto model = std::make_shared<ServedModel>(rows_of_numbers(8));
  std::vector<std::pair<std::int64_t, std::int64_t>> seen;
  model->instead = [&](const TensorMap& inputs, InferenceContext& context) {
    for (const RequestInfo& request : context.requests()) seen.emplace_back(request.first_row, request.rows);
    return ServedModel::doubled(inputs, context);
  };
  serve(model);
  keep_busy();
  std::vector<Reply> replies(2);
  submit({1, 2}, replies[0]);
  submit({3}, replies[1]);
  model_->let_go();
  for (Reply& reply : replies) reply.rows();
  using Rows = std::pair<std::int64_t, std::int64_t>;
  EXPECT_THAT(seen, ElementsAre(Rows(0, 1), Rows(0, 2), Rows(2, 1)));
}

TEST_F(BatchingTest, WaitsForMoreWhileItIsNotFull) {
  WorkerConfig config;
  config.batch_delay = 5ms;
  config.max_batch_size = 2;
  serve(8, config);
  Reply one;
  submit({1}, one);
  clock_.advance(4ms);
  Reply two;
  submit({2}, two);  // full
  EXPECT_THAT(one.rows(), ElementsAre(2));
  EXPECT_THAT(two.rows(), ElementsAre(4));
  Reply three;
  submit({3}, three);
  clock_.advance(5ms);
  EXPECT_THAT(three.rows(), ElementsAre(6));
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(1, 2), ElementsAre(3)));
}

TEST_F(BatchingTest, AFailingItemDoesNotFailItsNeighbours) {
  auto model = std::make_shared<ServedModel>(rows_of_numbers(8));
  model->instead = [](const TensorMap& inputs, InferenceContext& context) {
    for (const std::int64_t row : rows_in(inputs.at("x"))) {
      if (row == 13) throw std::runtime_error("13 is no number");
    }
    return ServedModel::doubled(inputs, context);
  };
  serve(model);
  for (int i = 0; i < 2; ++i) {
    keep_busy();
    std::vector<Reply> replies(3);
    submit({1}, replies[0]);
    submit({13}, replies[1]);
    submit({2}, replies[2]);
    model_->let_go();
    EXPECT_THAT(replies[0].rows(), ElementsAre(2));
    EXPECT_THAT(replies[2].rows(), ElementsAre(4));
    const Error error = replies[1].error();
    EXPECT_EQ(error.code(), ErrorCode::inference_failed);
    EXPECT_THAT(error.what(), HasSubstr("13 is no number"));
    EXPECT_EQ(worker_->status().failed_requests, static_cast<std::uint64_t>(i + 1));
  }
}

TEST_F(BatchingTest, WhatWasCancelledMeanwhileIsNotTriedAlone) {
  auto model = std::make_shared<ServedModel>(rows_of_numbers(8));
  detail::RequestPtr cancelled;
  model->instead = [&](const TensorMap& inputs, InferenceContext& context) {
    if (context.requests().size() == 2) {
      worker_->cancel(cancelled);
      throw std::runtime_error("both");
    }
    return ServedModel::doubled(inputs, context);
  };
  serve(model);
  keep_busy();
  std::vector<Reply> replies(2);
  cancelled = submit({1}, replies[0]);
  submit({2}, replies[1]);
  model_->let_go();
  EXPECT_EQ(replies[0].error().code(), ErrorCode::cancelled);
  EXPECT_THAT(replies[1].rows(), ElementsAre(4));
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(1, 2), ElementsAre(2)));
}

TEST_F(BatchingTest, WhatTheModelGivesIsChecked) {
  auto model = std::make_shared<ServedModel>(rows_of_numbers(8));
  TensorMap given;
  model->instead = [&](const TensorMap&, InferenceContext&) { return given; };
  serve(model);
  const std::vector<std::pair<TensorMap, std::string>> wrong = {
      {{}, "'y'"},
      {{{"y", numbers({1, 2})}}, "gave 2"},
      {{{"y", TensorBuffer::allocate({1, 1}, DataType::float32)}}, "float32"},
      {{{"y", TensorBuffer::allocate({1}, DataType::int64)}}, "(1,)"},
      {{{"y", TensorBuffer()}}, "empty"},
      {{{"y", numbers({1})}, {"z", numbers({1})}}, "'z'"},
  };
  for (const auto& [outputs, named] : wrong) {
    given = outputs;
    Reply reply;
    submit({1}, reply);
    const Error error = reply.error();
    EXPECT_EQ(error.code(), ErrorCode::inference_failed);
    EXPECT_THAT(error.what(), HasSubstr(named));
  }
  given = {{"y", numbers({7})}};
  Reply reply;
  submit({1}, reply);
  EXPECT_THAT(reply.rows(), ElementsAre(7));
}

}  // namespace
}  // namespace remotemedia::testing
