// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include <chrono>
#include <mutex>
#include <vector>

#include "remotemedia/worker/call_trace.h"
#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string traceparent(char digit, bool sampled = true) {
  return "00-" + std::string(32, digit) + "-" + std::string(16, digit) + (sampled ? "-01" : "-00");
}

class TracingTest : public WorkerTest {
 protected:
  void serve_traced(std::int64_t max_batch_size) {
    WorkerConfig config;
    config.max_batch_size = 16;
    config.on_call_traced = [this](const CallTrace& trace) {
      {
        const std::lock_guard lock(mutex_);
        traces_.push_back(trace);
      }
      told_.add();
    };
    serve(max_batch_size, config);
  }

  static detail::Call traced(detail::Call call, char digit, bool sampled = true) {
    call.trace = trace_context(traceparent(digit, sampled));
    return call;
  }

  std::vector<CallTrace> traces(int count) {
    told_.wait_for(count);
    const std::lock_guard lock(mutex_);
    return traces_;
  }

 private:
  std::mutex mutex_;
  EventCount told_;
  std::vector<CallTrace> traces_;
};

TEST_F(TracingTest, TellsWhenACallWasWhere) {
  serve_traced(8);
  const TimePoint start = clock_.now();
  keep_busy();
  Reply reply;
  submit(traced(call({1, 2}, reply), 'a'));
  clock_.advance(2ms);
  model_->instead = [&](const TensorMap& inputs, InferenceContext& context) {
    const TraceContext* const of = context.requests().front().trace;
    if (of == nullptr) return ServedModel::doubled(inputs, context);  // what kept it busy
    EXPECT_EQ(of->traceparent, traceparent('a'));
    clock_.advance(3ms);
    return TensorMap{{"y", inputs.at("x")}};
  };
  model_->let_go();
  reply.rows();
  const CallTrace trace = traces(1).front();
  EXPECT_EQ(trace.context->traceparent, traceparent('a'));
  EXPECT_EQ(trace.model_id, model_->model_id());
  EXPECT_EQ(trace.rows, 2);
  EXPECT_EQ(trace.batch_rows, 2);
  EXPECT_EQ(trace.accepted_at, start);
  EXPECT_EQ(trace.began_at, start + 2ms);
  EXPECT_EQ(trace.ran_from, start + 2ms);
  EXPECT_EQ(trace.ran_to, start + 5ms);
  EXPECT_EQ(trace.answered_at, start + 5ms);
  EXPECT_EQ(trace.error, nullptr);
}

TEST_F(TracingTest, OtherTracesRunInTheSameBatchAndKnowOfOneAnother) {
  serve_traced(8);
  keep_busy();
  std::vector<Reply> replies(4);
  submit(traced(call({1}, replies[0]), 'a'));
  submit(traced(call({2}, replies[1]), 'b'));
  submit(call({3}, replies[2]));
  submit(traced(call({4}, replies[3]), 'c', false));
  model_->let_go();
  for (Reply& reply : replies) reply.rows();
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(1, 2, 3, 4)));
  const std::vector<CallTrace> told = traces(2);
  ASSERT_EQ(told.size(), 2U) << "those that are sampled";
  EXPECT_EQ(told[0].batch_rows, 4);
  ASSERT_EQ(told[0].ran_with.size(), 2U);
  EXPECT_EQ(told[0].ran_with[0]->traceparent, traceparent('b'));
  EXPECT_EQ(told[0].ran_with[1]->traceparent, traceparent('c', false));
  EXPECT_EQ(told[1].ran_with[0]->traceparent, traceparent('a'));
}

TEST_F(TracingTest, ACallThatNeverRanSaysSo) {
  serve_traced(8);
  keep_busy();
  Reply reply;
  const detail::RequestPtr request = submit(traced(call({1}, reply), 'a'));
  worker_->cancel(request);
  EXPECT_EQ(reply.error().code(), ErrorCode::cancelled);
  const CallTrace trace = traces(1).front();
  EXPECT_EQ(trace.began_at, std::nullopt);
  EXPECT_EQ(trace.ran_from, std::nullopt);
  EXPECT_EQ(trace.batch_rows, 0);
  EXPECT_NE(trace.error, nullptr);
  model_->let_go();
}

TEST_F(TracingTest, AFailureIsToldWithItsError) {
  serve_traced(8);
  model_->instead = [](const TensorMap&, InferenceContext&) -> TensorMap { throw std::runtime_error("no luck"); };
  Reply reply;
  submit(traced(call({1}, reply), 'a'));
  EXPECT_THAT(reply.error().what(), HasSubstr("no luck"));
  const CallTrace trace = traces(1).front();
  EXPECT_TRUE(trace.ran_from && trace.ran_to);
  EXPECT_EQ(thrown<Error>([&] { std::rethrow_exception(trace.error); }).code(), ErrorCode::inference_failed);
}

TEST_F(TracingTest, ACallOfAFailedBatchIsToldOfTheRunThatItHadAlone) {
  serve_traced(8);
  keep_busy();
  model_->instead = [](const TensorMap& inputs, InferenceContext& context) -> TensorMap {
    if (context.requests().size() > 1) throw std::runtime_error("not together");
    return {{"y", inputs.at("x")}};
  };
  std::vector<Reply> replies(2);
  submit(traced(call({1}, replies[0]), 'a'));
  submit(traced(call({2}, replies[1]), 'b'));
  model_->let_go();
  for (Reply& reply : replies) reply.rows();
  for (const CallTrace& trace : traces(2)) {
    EXPECT_EQ(trace.batch_rows, 1);
    EXPECT_TRUE(trace.ran_with.empty());
    EXPECT_EQ(trace.error, nullptr);
  }
}

TEST_F(TracingTest, DrainingWaitsUntilItIsTold) {
  serve_traced(8);
  Reply reply;
  submit(traced(call({1}, reply), 'a'));
  EXPECT_TRUE(worker_->drain());
  EXPECT_EQ(traces(0).size(), 1U);
}

}  // namespace
}  // namespace remotemedia::testing
