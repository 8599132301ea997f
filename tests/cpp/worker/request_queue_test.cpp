// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/request_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "worker/accepted_requests.h"
#include "worker/floats.h"

namespace remotemedia::detail {
namespace {

using namespace std::chrono_literals;
using testing::floats;

using Requests = std::vector<RequestPtr>;

constexpr TimePoint kNow{1h};
constexpr BatchRules kAlone{.max_rows = 0};
constexpr BatchRules kFourRows{.max_rows = 4};

class RequestQueueTest : public ::testing::Test {
 protected:
  static Call call_of(const Dims& row, std::int64_t rows = 1) {
    Call call;
    call.inputs.emplace("x", floats(row.with_inserted(0, rows)));
    return call;
  }

  RequestPtr push(Call call, std::int64_t rows = 1, std::uint64_t client_id = 1) {
    RequestPtr request = accepted_.accept(std::move(call), rows, now_, client_id);
    queue_.push(request);
    return request;
  }
  RequestPtr push(std::int64_t rows = 1) { return push(call_of({2}, rows), rows); }
  RequestPtr push_with_priority(int priority) {
    Call call = call_of({2});
    call.priority = priority;
    return push(std::move(call));
  }
  RequestPtr push_of_session(const std::string& session, int priority = 0, std::uint64_t client_id = 1) {
    Call call = call_of({2});
    call.session_id = session;
    call.priority = priority;
    return push(std::move(call), 1, client_id);
  }
  RequestPtr push_stream() {
    Call call = call_of({2});
    call.stream = true;
    return push(std::move(call));
  }

  Requests take(const BatchRules& rules = kFourRows) { return queue_.take(rules, now_).requests; }

  /// One by one.
  Requests take_each() {
    Requests all;
    for (Requests next = take(kAlone); !next.empty(); next = take(kAlone)) {
      EXPECT_EQ(next.size(), 1U);
      all.push_back(next.front());
    }
    return all;
  }

  TimePoint now_ = kNow;
  RequestQueue queue_;

 private:
  testing::AcceptedRequests accepted_;
};

TEST_F(RequestQueueTest, AtFirstThereIsNone) {
  const RequestQueue::Batch batch = queue_.take(kFourRows, now_);
  EXPECT_TRUE(batch.requests.empty());
  EXPECT_EQ(batch.rows, 0);
  EXPECT_EQ(batch.ready_at, TimePoint::max());
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(RequestQueueTest, WithoutBatchesEachRunsAloneInTheOrderOfAcceptance) {
  const Requests pushed{push(), push(), push()};
  EXPECT_EQ(queue_.size(), 3U);
  EXPECT_EQ(take_each(), pushed);
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(RequestQueueTest, HigherPriorityRunsFirst) {
  const RequestPtr low = push_with_priority(std::numeric_limits<int>::min());
  const RequestPtr usual = push_with_priority(0);
  const RequestPtr high = push_with_priority(1);
  const RequestPtr highest = push_with_priority(std::numeric_limits<int>::max());
  const RequestPtr high_too = push_with_priority(1);
  EXPECT_EQ(take_each(), (Requests{highest, high, high_too, usual, low}));
}

TEST_F(RequestQueueTest, ABatchIsFilledInTheirOrder) {
  const RequestPtr a = push();
  const RequestPtr b = push();
  const RequestPtr high = push_with_priority(1);
  for (int i = 0; i < 3; ++i) push();
  const RequestQueue::Batch batch = queue_.take({.max_rows = 3}, now_);
  EXPECT_EQ(batch.requests, (Requests{high, a, b}));
  EXPECT_EQ(batch.rows, 3);
  EXPECT_EQ(take().size(), 3U);
}

TEST_F(RequestQueueTest, WhatDoesNotFitWaitsAndSmallerOnesPassIt) {
  const RequestPtr three = push(3);
  const RequestPtr two = push(2);
  const RequestPtr one = push(1);
  const RequestPtr another = push(1);
  const RequestQueue::Batch batch = queue_.take(kFourRows, now_);
  EXPECT_EQ(batch.requests, (Requests{three, one}));
  EXPECT_EQ(batch.rows, 4);
  EXPECT_EQ(take(), (Requests{two, another}));
}

TEST_F(RequestQueueTest, AllOfTheRowsMayBeOnes) {
  const RequestPtr four = push(4);
  push(1);
  EXPECT_EQ(take(), Requests{four});
  EXPECT_EQ(take().size(), 1U);
}

TEST_F(RequestQueueTest, OnlyEqualRowsRunTogether) {
  Call typed;
  typed.inputs.emplace("x", TensorBuffer::allocate({1, 2}, DataType::int32));
  Call named;
  named.inputs.emplace("z", floats({1, 2}));
  Call more = call_of({2});
  more.inputs.emplace("y", floats({1, 2}));
  const Requests different{push(call_of({2})),    push(call_of({3})),       push(call_of({2, 1})),
                           push(call_of({})),     push(std::move(typed)),   push(std::move(named)),
                           push(std::move(more)), push(call_of({1, 2}, 1)), push(call_of({2, 2}))};
  const RequestPtr equal = push(call_of({2}, 2), 2);
  EXPECT_EQ(take(), (Requests{different[0], equal}));
  for (std::size_t i = 1; i < different.size(); ++i) EXPECT_EQ(take(), Requests{different[i]}) << i;
}

TEST_F(RequestQueueTest, OnlyEqualParametersRunTogether) {
  const auto with = [&](Parameters parameters) {
    Call call = call_of({2});
    call.parameters = std::move(parameters);
    return push(std::move(call));
  };
  const RequestPtr none = with({});
  const RequestPtr one = with({{"a", std::int64_t{1}}});
  const RequestPtr one_point = with({{"a", 1.0}});
  const RequestPtr yes = with({{"a", true}});
  const RequestPtr text = with({{"a", std::string("1")}});
  const RequestPtr more = with({{"a", std::int64_t{1}}, {"b", std::int64_t{1}}});
  const RequestPtr none_too = with({});
  const RequestPtr one_too = with({{"a", std::int64_t{1}}});
  EXPECT_EQ(take(), (Requests{none, none_too}));
  EXPECT_EQ(take(), (Requests{one, one_too}));
  for (const RequestPtr& alone : {one_point, yes, text, more}) EXPECT_EQ(take(), Requests{alone});
}

TEST_F(RequestQueueTest, CallersDoNotMatter) {
  const RequestPtr one = push(call_of({2}), 1, 1);
  const RequestPtr other = push(call_of({2}), 1, 2);
  EXPECT_EQ(take(), (Requests{one, other}));
}

TEST_F(RequestQueueTest, OfOneSessionOnlyTheOldestRunsWhateverTheirPriority) {
  const RequestPtr first = push_of_session("a");
  const RequestPtr second = push_of_session("a", 5);
  const RequestPtr third = push_of_session("a", 9);
  for (const RequestPtr& next : {first, second, third}) {
    EXPECT_EQ(take(), Requests{next});
    EXPECT_TRUE(take().empty());
    EXPECT_EQ(queue_.take(kFourRows, now_).ready_at, TimePoint::max());
    queue_.end_turn(*next);
  }
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(RequestQueueTest, SessionsRunTogetherOneRequestOfEach) {
  const RequestPtr a = push_of_session("a");
  const RequestPtr a_too = push_of_session("a");
  const RequestPtr b = push_of_session("b");
  const RequestPtr others_a = push_of_session("a", 0, 2);
  const RequestPtr none = push();
  const RequestPtr b_too = push_of_session("b");
  EXPECT_EQ(take(), (Requests{a, b, others_a, none}));
  EXPECT_TRUE(take().empty());
  queue_.end_turn(*b);
  queue_.end_turn(*none);
  EXPECT_EQ(take(), Requests{b_too});
  queue_.end_turn(*a);
  EXPECT_EQ(take(), Requests{a_too});
}

TEST_F(RequestQueueTest, ASessionThatHasEndedItsTurnsIsAsNew) {
  for (int time = 0; time < 3; ++time) {
    const RequestPtr request = push_of_session("a");
    EXPECT_EQ(take(), Requests{request});
    queue_.end_turn(*request);
  }
}

TEST_F(RequestQueueTest, AStreamRunsAlone) {
  const RequestPtr stream = push_stream();
  const RequestPtr call = push();
  const RequestPtr other_stream = push_stream();
  const RequestPtr other_call = push();
  EXPECT_EQ(take(), Requests{stream});
  EXPECT_EQ(take(), (Requests{call, other_call}));
  EXPECT_EQ(take(), Requests{other_stream});
}

TEST_F(RequestQueueTest, AStreamThatMayNotRunIsPassed) {
  const RequestPtr stream = push_stream();
  const RequestPtr call = push();
  const BatchRules no_streams{.max_rows = 4, .streams_allowed = false};
  EXPECT_EQ(take(no_streams), Requests{call});
  for (int time = 0; time < 2; ++time) {
    const RequestQueue::Batch none = queue_.take(no_streams, now_);
    EXPECT_TRUE(none.requests.empty());
    EXPECT_EQ(none.ready_at, TimePoint::max());
  }
  EXPECT_EQ(take(), Requests{stream});
}

TEST_F(RequestQueueTest, AStreamThatMayNotRunHoldsItsSessionUp) {
  Call call = call_of({2});
  call.stream = true;
  call.session_id = "a";
  const RequestPtr stream = push(std::move(call));
  const RequestPtr next = push_of_session("a");
  EXPECT_TRUE(take({.max_rows = 4, .streams_allowed = false}).empty());
  EXPECT_EQ(take(), Requests{stream});
  queue_.end_turn(*stream);
  EXPECT_EQ(take(), Requests{next});
}

TEST_F(RequestQueueTest, ABatchThatIsNotFullWaitsForItsOldest) {
  const BatchRules rules{.max_rows = 3, .delay = 10us};
  const RequestPtr a = push();
  now_ += 4us;
  const RequestPtr b = push();
  for (const Duration passed : {4us, 9us}) {
    const RequestQueue::Batch none = queue_.take(rules, kNow + passed);
    EXPECT_TRUE(none.requests.empty());
    EXPECT_EQ(none.rows, 0);
    EXPECT_EQ(none.ready_at, kNow + 10us);
    EXPECT_EQ(queue_.size(), 2U);
  }
  EXPECT_EQ(queue_.take(rules, kNow + 10us).requests, (Requests{a, b}));
}

TEST_F(RequestQueueTest, TheOldestNeedNotBeTheFirst) {
  const BatchRules rules{.max_rows = 3, .delay = 10us};
  const RequestPtr old = push();
  now_ += 9us;
  const RequestPtr high = push_with_priority(1);
  EXPECT_EQ(queue_.take(rules, now_).ready_at, kNow + 10us);
  EXPECT_EQ(queue_.take(rules, kNow + 10us).requests, (Requests{high, old}));
}

TEST_F(RequestQueueTest, AFullBatchDoesNotWait) {
  const BatchRules rules{.max_rows = 3, .delay = 10us};
  push(2);
  EXPECT_TRUE(take(rules).empty());
  push(1);
  EXPECT_EQ(take(rules).size(), 2U);
}

TEST_F(RequestQueueTest, WhatRunsAloneDoesNotWait) {
  const RequestPtr stream = push_stream();
  EXPECT_EQ(take({.max_rows = 4, .delay = 10us}), Requests{stream});
  const RequestPtr call = push();
  EXPECT_EQ(take({.max_rows = 0, .delay = 10us}), Requests{call});
}

TEST_F(RequestQueueTest, ADelayWithoutEndWaitsForAFullBatch) {
  const BatchRules rules{.max_rows = 2, .delay = Duration::max()};
  push();
  const RequestQueue::Batch none = queue_.take(rules, TimePoint::max() - 1ns);
  EXPECT_TRUE(none.requests.empty());
  EXPECT_EQ(none.ready_at, TimePoint::max());
  push();
  EXPECT_EQ(take(rules).size(), 2U);
}

TEST_F(RequestQueueTest, OneThatWaitsCanBeRemoved) {
  const RequestPtr a = push();
  const RequestPtr b = push_with_priority(3);
  EXPECT_TRUE(queue_.remove(*b));
  EXPECT_FALSE(queue_.remove(*b));
  EXPECT_EQ(queue_.size(), 1U);
  EXPECT_EQ(take(), Requests{a});
  EXPECT_FALSE(queue_.remove(*a));
}

TEST_F(RequestQueueTest, TheNextOfASessionTakesThePlaceOfARemovedOne) {
  const RequestPtr first = push_of_session("a");
  const RequestPtr second = push_of_session("a");
  const RequestPtr third = push_of_session("a");
  EXPECT_TRUE(queue_.remove(*first));
  EXPECT_EQ(take(), Requests{second});
  EXPECT_TRUE(queue_.remove(*third));
  EXPECT_TRUE(take().empty());
  const RequestPtr fourth = push_of_session("a");
  EXPECT_TRUE(take().empty());
  queue_.end_turn(*second);
  EXPECT_EQ(take(), Requests{fourth});
}

TEST_F(RequestQueueTest, ASessionWhoseRequestsWereAllRemovedIsAsNew) {
  for (int time = 0; time < 2; ++time) {
    const RequestPtr first = push_of_session("a");
    const RequestPtr second = push_of_session("a");
    EXPECT_TRUE(queue_.remove(*second));
    EXPECT_TRUE(queue_.remove(*first));
    EXPECT_EQ(queue_.size(), 0U);
  }
  const RequestPtr next = push_of_session("a");
  EXPECT_EQ(take(), Requests{next});
}

TEST_F(RequestQueueTest, KeepsNothingOfWhatHasGone) {
  const RequestPtr request = push_of_session("a");
  EXPECT_EQ(request.use_count(), 2);
  take();
  EXPECT_EQ(request.use_count(), 1);
  queue_.end_turn(*request);
  const RequestPtr removed = push();
  queue_.remove(*removed);
  EXPECT_EQ(removed.use_count(), 1);
}

}  // namespace
}  // namespace remotemedia::detail
