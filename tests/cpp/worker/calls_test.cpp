// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using CallsTest = WorkerTest;

TEST_F(CallsTest, AreAnsweredWithWhatTheModelGives) {
  serve(8);
  for (int i = 0; i < 2; ++i) {
    Reply reply;
    submit({3, 4}, reply);
    EXPECT_THAT(reply.rows(), ElementsAre(6, 8));
  }
  EXPECT_EQ(worker_->status().total_requests, 2U);
}

TEST_F(CallsTest, OfAModelThatDoesNotBatchRunAlone) {
  serve(0);
  keep_busy();
  Reply one;
  Reply two;
  submit({1}, one);
  submit({2}, two);
  model_->let_go();
  EXPECT_THAT(one.rows(), ElementsAre(2));
  EXPECT_THAT(two.rows(), ElementsAre(4));
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(1), ElementsAre(2)));
}

TEST_F(CallsTest, WithOtherInputsThanDeclaredAreNotAccepted) {
  serve(8);
  for (int i = 0; i < 2; ++i) {
    Reply reply;
    detail::Call call;
    call.inputs = {{"z", numbers({1})}};
    call.on_answer = reply.sink();
    const Error error = thrown([&] { submit(call); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_tensor);
    EXPECT_THAT(error.what(), HasSubstr("'x'"));
    EXPECT_TRUE(reply.so_far().empty());
  }
  EXPECT_EQ(worker_->status().total_requests, 0U);
  EXPECT_EQ(worker_->status().rejected_requests, 0U);
}

TEST_F(CallsTest, LetGoOfTheirInputsWhenTheyAreOver) {
  serve(8);
  auto owner = std::make_shared<int>();
  const std::weak_ptr<int> alive = owner;
  std::int64_t element = 5;
  Reply reply;
  detail::Call call;
  call.inputs = {{"x", TensorBuffer::from_foreign(&element, {1, 1}, DataType::int64, std::move(owner), true)}};
  call.on_answer = reply.sink();
  const detail::RequestPtr request = submit(std::move(call));
  EXPECT_THAT(reply.rows(), ElementsAre(10));
  ASSERT_TRUE(worker_->drain());
  EXPECT_TRUE(alive.expired());
}

TEST_F(CallsTest, GiveAnswersInTheCallersMemory) {
  serve(8);
  Reply reply;
  submit({1}, reply);
  EXPECT_THAT(reply.rows(), ElementsAre(2));
  EXPECT_EQ(caller_->allocations.count(), 1);
}

TEST_F(CallsTest, OfSeveralClientsShareABatchInMemoryOfNone) {
  serve(8);
  keep_busy();
  const auto other = std::make_shared<CountingCaller>(2);
  Reply one;
  Reply two;
  submit({1}, one);
  worker_->submit(other, call({2}, two));
  model_->let_go();
  EXPECT_THAT(one.rows(), ElementsAre(2));
  EXPECT_THAT(two.rows(), ElementsAre(4));
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(1, 2)));
  EXPECT_EQ(caller_->allocations.count(), 1);  // the first one's
  EXPECT_EQ(other->allocations.count(), 0);
}

TEST_F(CallsTest, MaySubmitMoreFromTheAnswer) {
  serve(8);
  Reply second;
  detail::Call first;
  first.inputs = {{"x", numbers({1})}};
  first.on_answer = [&](const detail::Answer&) { submit({2}, second); };
  submit(std::move(first));
  EXPECT_THAT(second.rows(), ElementsAre(4));
}

TEST_F(CallsTest, OfHigherPriorityRunFirst) {
  serve(1);
  keep_busy();
  Reply low;
  Reply high;
  submit({1}, low);
  detail::Call urgent = call({2}, high);
  urgent.priority = 1;
  submit(std::move(urgent));
  model_->let_go();
  low.rows();
  high.rows();
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(2), ElementsAre(1)));
}

}  // namespace
}  // namespace remotemedia::testing
