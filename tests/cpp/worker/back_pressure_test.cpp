// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using BackPressureTest = WorkerTest;

TEST_F(BackPressureTest, AFullQueueRejectsAndSaysTheLimit) {
  WorkerConfig config;
  config.max_queue = 2;
  serve(1, config);
  keep_busy();
  std::vector<Reply> waiting(2);
  for (Reply& reply : waiting) submit({1}, reply);
  for (int i = 0; i < 2; ++i) {
    Reply reply;
    const Error error = thrown([&] { submit({2}, reply); });
    EXPECT_EQ(error.code(), ErrorCode::rejected);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("max_queue is 2"), HasSubstr("'doubler'")));
    EXPECT_TRUE(reply.so_far().empty());
  }
  model_->let_go();
  for (Reply& reply : waiting) reply.rows();
  Reply after;
  submit({3}, after);
  after.rows();
  EXPECT_EQ(worker_->status().rejected_requests, 2U);
  EXPECT_EQ(worker_->status().total_requests, 4U);
}

TEST_F(BackPressureTest, OneClientCannotHaveMoreThanItsShareUnanswered) {
  WorkerConfig config;
  config.max_concurrent_requests = 2;
  serve(1, config);
  keep_busy();
  Reply second;
  submit({1}, second);
  for (int i = 0; i < 2; ++i) {
    Reply third;
    const Error error = thrown([&] { submit({2}, third); });
    EXPECT_EQ(error.code(), ErrorCode::rejected);
    EXPECT_THAT(error.what(), HasSubstr("max_concurrent_requests is 2"));
  }
  Reply others;
  worker_->submit(std::make_shared<CountingCaller>(2), call({3}, others));
  model_->let_go();
  second.rows();
  others.rows();
  Reply after;
  submit({4}, after);
  after.rows();
}

TEST_F(BackPressureTest, CancelledCallsMakeRoom) {
  WorkerConfig config;
  config.max_queue = 1;
  serve(1, config);
  keep_busy();
  for (int i = 0; i < 3; ++i) {
    Reply reply;
    worker_->cancel(submit({1}, reply));
    reply.error();
  }
  model_->let_go();
  EXPECT_EQ(worker_->status().rejected_requests, 0U);
}

}  // namespace
}  // namespace remotemedia::testing
