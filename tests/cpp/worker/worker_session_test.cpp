// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include <any>
#include <chrono>

#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

/// Gives the sum of all that a session has sent; a negative number throws after the sum was assigned.
class Adder final : public ServedModel {
 public:
  Adder() : ServedModel(stateful()) {
    instead = [](const TensorMap& inputs, InferenceContext& context) {
      const std::vector<std::int64_t> rows = rows_in(inputs.at("x"));
      std::vector<std::int64_t> sums;
      for (RequestInfo& request : context.requests()) {
        const std::int64_t row = rows[static_cast<std::size_t>(request.first_row)];
        const std::int64_t before = request.session_id != nullptr ? std::any_cast<std::int64_t>(request.state) : 0;
        request.state = before + row;
        if (row < -1) throw std::runtime_error("negative");
        sums.push_back(before + row);
      }
      return TensorMap{{"y", numbers(sums)}};
    };
  }
  std::any open_session(const std::string& session_id) override {
    if (refuses) throw std::runtime_error("no more sessions");
    opened.push_back(session_id);
    return std::int64_t{0};
  }
  void close_session(const std::string& session_id, const std::any& state) override {
    closed.emplace_back(session_id, std::any_cast<std::int64_t>(state));
    closings.add();
  }

  std::vector<std::string> opened;
  std::vector<std::pair<std::string, std::int64_t>> closed;
  EventCount closings;
  bool refuses = false;

 private:
  static ModelSignature stateful() {
    ModelSignature signature = rows_of_numbers(8);
    signature.stateful = true;
    return signature;
  }
};

class WorkerSessionTest : public WorkerTest {
 protected:
  void serve_adder(WorkerConfig config = {}) {
    adder_ = std::make_shared<Adder>();
    serve(adder_, config);
  }
  std::vector<std::int64_t> add(const std::string& session, std::int64_t number) {
    Reply reply;
    submit_in_session(session, {number}, reply);
    return reply.rows();
  }
  using Closed = std::pair<std::string, std::int64_t>;

  std::shared_ptr<Adder> adder_;
};

TEST_F(WorkerSessionTest, KeepTheirStateFromCallToCall) {
  serve_adder();
  EXPECT_THAT(add("a", 1), ElementsAre(1));
  EXPECT_THAT(add("b", 10), ElementsAre(10));
  EXPECT_THAT(add("a", 2), ElementsAre(3));
  EXPECT_THAT(adder_->opened, ElementsAre("a", "b"));
  EXPECT_EQ(worker_->status().sessions, 2U);
}

TEST_F(WorkerSessionTest, OfEqualNamesAndTwoClientsAreTwo) {
  serve_adder();
  EXPECT_THAT(add("a", 1), ElementsAre(1));
  Reply reply;
  detail::Call what = call({5}, reply);
  what.session_id = "a";
  worker_->submit(std::make_shared<CountingCaller>(2), std::move(what));
  EXPECT_THAT(reply.rows(), ElementsAre(5));
}

TEST_F(WorkerSessionTest, RunTheirCallsInOrderAndNeverTwoInABatch) {
  serve_adder();
  keep_busy();
  std::vector<Reply> replies(5);
  submit_in_session("a", {1}, replies[0]);
  submit_in_session("a", {2}, replies[1]);
  submit_in_session("b", {10}, replies[2]);
  detail::Call urgent = call({3}, replies[3]);
  urgent.session_id = "a";
  urgent.priority = 9;
  submit(std::move(urgent));
  submit({100}, replies[4]);
  model_->let_go();
  EXPECT_THAT(replies[0].rows(), ElementsAre(1));
  EXPECT_THAT(replies[1].rows(), ElementsAre(3));
  EXPECT_THAT(replies[3].rows(), ElementsAre(6));
  EXPECT_THAT(replies[2].rows(), ElementsAre(10));
  EXPECT_THAT(model_->batches(), ElementsAre(ElementsAre(-1), ElementsAre(1, 10, 100), ElementsAre(2), ElementsAre(3)));
}

TEST_F(WorkerSessionTest, StayAsTheyWereWhenACallFails) {
  serve_adder();
  add("a", 5);
  for (int i = 0; i < 2; ++i) {
    Reply reply;
    submit_in_session("a", {-7}, reply);
    EXPECT_EQ(reply.error().code(), ErrorCode::inference_failed);
  }
  EXPECT_THAT(add("a", 1), ElementsAre(6));
}

TEST_F(WorkerSessionTest, ThatCannotBeOpenedFailTheCallAndAreTriedAgain) {
  serve_adder();
  adder_->refuses = true;
  for (int i = 0; i < 2; ++i) {
    Reply reply;
    submit_in_session("a", {1}, reply);
    EXPECT_EQ(reply.error().code(), ErrorCode::inference_failed);
  }
  adder_->refuses = false;
  EXPECT_THAT(add("a", 1), ElementsAre(1));
}

TEST_F(WorkerSessionTest, AreClosedWithTheirClient) {
  serve_adder();
  add("a", 1);
  add("b", 2);
  worker_->close_client(1);
  adder_->closings.wait_for(2);
  ASSERT_TRUE(worker_->drain());
  EXPECT_THAT(adder_->closed, UnorderedElementsAre(Closed("a", 1), Closed("b", 2)));
  EXPECT_EQ(worker_->status().sessions, 0U);
}

TEST_F(WorkerSessionTest, AreClosedAloneAndBeginAnew) {
  serve_adder();
  add("a", 1);
  worker_->close_session({1, "a"});
  worker_->close_session({1, "unknown"});
  adder_->closings.wait_for(1);
  EXPECT_THAT(add("a", 4), ElementsAre(4));
}

TEST_F(WorkerSessionTest, AreClosedWhenNothingOfThemRunsAnyMore) {
  serve_adder();
  add("a", 1);
  model_->hold();
  Reply reply;
  submit_in_session("a", {2}, reply);
  model_->entered.wait_for(2);
  worker_->close_session({1, "a"});
  EXPECT_THAT(adder_->closed, IsEmpty());
  model_->let_go();
  EXPECT_THAT(reply.rows(), ElementsAre(3));
  adder_->closings.wait_for(1);
  ASSERT_TRUE(worker_->drain());
  EXPECT_THAT(adder_->closed, ElementsAre(Closed("a", 3)));
}

TEST_F(WorkerSessionTest, AreClosedWhenTheyWereIdleForTooLong) {
  WorkerConfig config;
  config.session_idle = 10s;
  serve_adder(config);
  add("a", 1);
  clock_.advance(6s);
  add("b", 2);
  clock_.advance(6s);
  adder_->closings.wait_for(1);
  EXPECT_THAT(add("b", 1), ElementsAre(3));
  EXPECT_THAT(add("a", 1), ElementsAre(1));
}

TEST_F(WorkerSessionTest, AreClosedAtTheEnd) {
  serve_adder();
  add("a", 1);
  worker_->stop();
  EXPECT_THAT(adder_->closed, ElementsAre(Closed("a", 1)));
}

}  // namespace
}  // namespace remotemedia::testing
