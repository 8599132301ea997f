// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include "worker/counter.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StreamTest : public WorkerTest {
 protected:
  void serve_counter(WorkerConfig config = {}) {
    counter_ = std::make_shared<Counter>();
    serve(counter_, config);
  }
  detail::RequestPtr count_to(std::int64_t last, Reply& reply) {
    detail::Call what = call({last}, reply);
    what.stream = true;
    return submit(std::move(what));
  }
  /// The numbers of the answers before the last, which is the end and no number.
  static std::vector<std::int64_t> counted(const std::vector<detail::Answer>& answers) {
    std::vector<std::int64_t> numbers;
    for (std::size_t i = 0; i + 1 < answers.size(); ++i) {
      EXPECT_FALSE(answers[i].last);
      numbers.push_back(rows_in(answers[i].outputs.at("y")).front());
    }
    EXPECT_TRUE(answers.back().last);
    EXPECT_TRUE(answers.back().outputs.empty());
    return numbers;
  }

  std::shared_ptr<Counter> counter_;
};

TEST_F(StreamTest, GivesManyAnswersAndAnEnd) {
  serve_counter();
  for (int i = 0; i < 2; ++i) {
    Reply reply;
    count_to(3, reply);
    EXPECT_THAT(counted(reply.answers(4)), ElementsAre(1, 2, 3));
    counter_->closed.wait_for(i + 1);
  }
  EXPECT_EQ(worker_->status().total_requests, 2U);
}

TEST_F(StreamTest, OfAModelWithoutStreamsHasOneAnswer) {
  serve(8);
  Reply reply;
  count_to(4, reply);
  EXPECT_THAT(counted(reply.answers(2)), ElementsAre(8));
}

TEST_F(StreamTest, IsNotResumedWhileItsAnswersAreUnread) {
  WorkerConfig config;
  config.stream_window = 2;
  serve_counter(config);
  Reply reply;
  const detail::RequestPtr request = count_to(5, reply);
  reply.answers(2);
  Reply health;
  EXPECT_TRUE(worker_->healthy());
  EXPECT_EQ(counter_->resumed.count(), 2);
  worker_->answers_read(request, 1);
  reply.answers(3);
  worker_->answers_read(request, 2);
  reply.answers(5);
  worker_->answers_read(request, 2);
  EXPECT_THAT(counted(reply.answers(6)), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(StreamTest, IsClosedWhenItIsCancelled) {
  WorkerConfig config;
  config.stream_window = 1;
  serve_counter(config);
  for (int i = 0; i < 2; ++i) {
    Reply reply;
    const detail::RequestPtr request = count_to(5, reply);
    reply.answers(1);
    worker_->cancel(request);
    const detail::Answer last = reply.answers(2).back();
    EXPECT_EQ(code_thrown([&] { std::rethrow_exception(last.error); }), ErrorCode::cancelled);
    counter_->closed.wait_for(i + 1);
  }
}

TEST_F(StreamTest, ThatThrowsFailsAfterItsAnswers) {
  serve_counter();
  Reply reply;
  count_to(20, reply);
  const std::vector<detail::Answer> answers = reply.answers(13);
  const Error error = thrown([&] { std::rethrow_exception(answers.back().error); });
  EXPECT_EQ(error.code(), ErrorCode::inference_failed);
  EXPECT_THAT(error.what(), HasSubstr("13 is no number"));
  counter_->closed.wait_for(1);
  EXPECT_EQ(worker_->status().failed_requests, 1U);
}

TEST_F(StreamTest, HasTheInstanceToItselfByDefault) {
  WorkerConfig config;
  config.stream_window = 1;
  serve_counter(config);
  Reply stream;
  const detail::RequestPtr request = count_to(2, stream);
  stream.answers(1);
  Reply other;
  submit({1}, other);
  worker_->answers_read(request, 1);
  stream.answers(2);
  EXPECT_TRUE(other.so_far().empty());
  worker_->answers_read(request, 1);
  EXPECT_THAT(other.rows(), ElementsAre(2));
}

TEST_F(StreamTest, TakesTurnsWithCallsAndOtherStreamsWhenSeveralMayBeOpen) {
  WorkerConfig config;
  config.stream_window = 1;
  config.concurrent_streams = 2;
  serve_counter(config);
  std::vector<Reply> streams(3);
  std::vector<detail::RequestPtr> requests;
  for (Reply& reply : streams) requests.push_back(count_to(2, reply));
  streams[0].answers(1);
  streams[1].answers(1);
  Reply call;
  submit({1}, call);
  EXPECT_THAT(call.rows(), ElementsAre(2));  // between the streams
  EXPECT_TRUE(streams[2].so_far().empty());  // two are open
  for (int round = 0; round < 2; ++round) worker_->answers_read(requests[0], 1), streams[0].answers(2 + round);
  streams[2].answers(1);
  for (int round = 0; round < 2; ++round) worker_->answers_read(requests[1], 1), streams[1].answers(2 + round);
  for (int round = 0; round < 2; ++round) worker_->answers_read(requests[2], 1), streams[2].answers(2 + round);
  for (Reply& reply : streams) EXPECT_THAT(counted(reply.answers(3)), ElementsAre(1, 2));
}

TEST_F(StreamTest, IsGivenUpAtTheEnd) {
  WorkerConfig config;
  config.stream_window = 1;
  serve_counter(config);
  Reply reply;
  count_to(5, reply);
  reply.answers(1);
  worker_->stop();
  const detail::Answer last = reply.answers(2).back();
  EXPECT_EQ(code_thrown([&] { std::rethrow_exception(last.error); }), ErrorCode::worker_unavailable);
  EXPECT_EQ(counter_->closed.count(), 1);
}

}  // namespace
}  // namespace remotemedia::testing
