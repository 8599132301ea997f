// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/session_table.h"

#include <gtest/gtest.h>

#include <any>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace remotemedia::detail {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1h};

SessionState holding(int number) { return std::make_shared<std::any>(number); }

int number_in(const SessionState& state) { return std::any_cast<int>(*state); }

class SessionTableTest : public ::testing::Test {
 protected:
  /// A session with a state, whose one request has ended.
  void make_idle(const SessionKey& key, int number, TimePoint since = kNow) {
    begin(key, number);
    table_.end_request(key, since);
  }

  /// Likewise, with its request.
  void begin(const SessionKey& key, int number) {
    table_.add_request(key);
    EXPECT_EQ(table_.exchange_state(key, holding(number)), nullptr);
  }

  /// What the model has to hear, as "name=number".
  std::multiset<std::string> closed() {
    std::multiset<std::string> all;
    while (table_.any_closed()) {
      const auto one = table_.take_closed();
      if (!one) {
        ADD_FAILURE() << "closed ones were announced, and there are none";
        break;
      }
      all.insert(one->session_id + "=" + std::to_string(number_in(one->state)));
    }
    EXPECT_FALSE(table_.take_closed());
    return all;
  }

  using Closed = std::multiset<std::string>;

  const SessionKey a_{1, "a"};
  const SessionKey b_{1, "b"};
  const SessionKey others_a_{2, "a"};
  SessionTable table_;
};

TEST_F(SessionTableTest, AtFirstThereIsNone) {
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_EQ(closed(), Closed{});
  EXPECT_EQ(table_.close_idle(1ns, kNow), TimePoint::max());
  table_.close(a_);
  table_.close_client(1);
  table_.close_all();
  EXPECT_EQ(closed(), Closed{});
}

TEST_F(SessionTableTest, AStateStaysFromRequestToRequest) {
  table_.add_request(a_);
  EXPECT_EQ(table_.state(a_), nullptr);
  EXPECT_EQ(table_.exchange_state(a_, holding(1)), nullptr);
  EXPECT_EQ(number_in(table_.state(a_)), 1);
  table_.end_request(a_, kNow);
  table_.add_request(a_);
  EXPECT_EQ(number_in(table_.state(a_)), 1);
  EXPECT_EQ(number_in(table_.exchange_state(a_, holding(2))), 1);
  EXPECT_EQ(number_in(table_.state(a_)), 2);
  EXPECT_EQ(table_.size(), 1U);
  EXPECT_EQ(closed(), Closed{});
}

TEST_F(SessionTableTest, EqualNamesOfTwoClientsAreTwoSessions) {
  begin(a_, 1);
  begin(others_a_, 2);
  EXPECT_EQ(number_in(table_.state(a_)), 1);
  EXPECT_EQ(number_in(table_.state(others_a_)), 2);
  EXPECT_EQ(table_.size(), 2U);
}

TEST_F(SessionTableTest, WithoutAStateItEndsWithItsLastRequestAndTheModelHearsNothing) {
  table_.add_request(a_);
  table_.add_request(a_);
  table_.end_request(a_, kNow);
  EXPECT_EQ(table_.size(), 1U);
  table_.end_request(a_, kNow);
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_EQ(closed(), Closed{});
}

TEST_F(SessionTableTest, AnIdleOneIsClosedAtOnce) {
  make_idle(a_, 1);
  make_idle(b_, 2);
  table_.close(a_);
  EXPECT_EQ(table_.size(), 1U);
  EXPECT_EQ(closed(), Closed{"a=1"});
  table_.close(a_);
  EXPECT_EQ(closed(), Closed{});
}

TEST_F(SessionTableTest, OneWithRequestsIsClosedWhenTheLastOfThemEnds) {
  begin(a_, 1);
  table_.add_request(a_);
  table_.close(a_);
  table_.close(a_);
  EXPECT_EQ(closed(), Closed{});
  table_.end_request(a_, kNow);
  EXPECT_EQ(closed(), Closed{});
  EXPECT_EQ(number_in(table_.exchange_state(a_, holding(3))), 1);
  table_.end_request(a_, kNow);
  EXPECT_EQ(closed(), Closed{"a=3"});
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(SessionTableTest, AfterItsEndANameIsANewSession) {
  make_idle(a_, 1);
  table_.close(a_);
  table_.add_request(a_);
  EXPECT_EQ(table_.state(a_), nullptr);
  (void)table_.exchange_state(a_, holding(2));
  table_.end_request(a_, kNow);
  table_.close(a_);
  EXPECT_EQ(closed(), (Closed{"a=1", "a=2"}));
}

TEST_F(SessionTableTest, ClosedOnesAreHeardOfInTheirOrder) {
  make_idle(b_, 1);
  make_idle(a_, 2);
  table_.close(b_);
  table_.close(a_);
  EXPECT_EQ(table_.take_closed()->session_id, "b");
  EXPECT_EQ(table_.take_closed()->session_id, "a");
}

TEST_F(SessionTableTest, AClientsEndClosesItsOwnSessionsOnly) {
  make_idle({1, ""}, 0);
  make_idle(a_, 1);
  begin(b_, 2);
  make_idle({0, "z"}, 3);
  make_idle(others_a_, 4);
  table_.close_client(1);
  EXPECT_EQ(closed(), (Closed{"=0", "a=1"}));
  table_.end_request(b_, kNow);
  EXPECT_EQ(closed(), Closed{"b=2"});
  EXPECT_EQ(table_.size(), 2U);
}

TEST_F(SessionTableTest, AllAreClosedAtTheEnd) {
  make_idle(a_, 1);
  begin(b_, 2);
  make_idle(others_a_, 3);
  table_.close_all();
  EXPECT_EQ(closed(), (Closed{"a=1", "a=3"}));
  EXPECT_EQ(table_.size(), 1U);
  table_.end_request(b_, kNow);
  EXPECT_EQ(closed(), Closed{"b=2"});
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(SessionTableTest, WhatWasIdleForSoLongIsClosedAndNotBefore) {
  make_idle(a_, 1, kNow);
  make_idle(b_, 2, kNow + 3s);
  EXPECT_EQ(table_.close_idle(10s, kNow + 3s), kNow + 10s);
  EXPECT_EQ(table_.close_idle(10s, kNow + 10s - 1ns), kNow + 10s);
  EXPECT_EQ(closed(), Closed{});
  EXPECT_EQ(table_.close_idle(10s, kNow + 10s), kNow + 13s);
  EXPECT_EQ(closed(), Closed{"a=1"});
  EXPECT_EQ(table_.close_idle(10s, kNow + 20s), TimePoint::max());
  EXPECT_EQ(closed(), Closed{"b=2"});
}

TEST_F(SessionTableTest, ARequestMakesItAsIfNew) {
  make_idle(a_, 1, kNow);
  table_.add_request(a_);
  EXPECT_EQ(table_.close_idle(10s, kNow + 1s), TimePoint::max());
  EXPECT_EQ(table_.close_idle(10s, kNow + 1h), TimePoint::max());
  EXPECT_EQ(closed(), Closed{});
  table_.end_request(a_, kNow + 1h);
  EXPECT_EQ(table_.close_idle(10s, kNow + 1h), kNow + 1h + 10s);
  EXPECT_EQ(closed(), Closed{});
  EXPECT_EQ(table_.close_idle(10s, kNow + 1h + 10s), TimePoint::max());
  EXPECT_EQ(closed(), Closed{"a=1"});
}

TEST_F(SessionTableTest, WithoutALimitNoneIsTooLongIdle) {
  make_idle(a_, 1);
  EXPECT_EQ(table_.close_idle(Duration::max(), kNow + 100h), TimePoint::max());
  EXPECT_EQ(closed(), Closed{});
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(SessionTableTest, MakesNeitherACopyNorAnEndOfAState) {
  const auto content = std::make_shared<int>(7);
  table_.add_request(a_);
  (void)table_.exchange_state(a_, std::make_shared<std::any>(content));
  EXPECT_EQ(content.use_count(), 2);
  table_.end_request(a_, kNow);
  table_.close(a_);
  EXPECT_EQ(content.use_count(), 2);
  EXPECT_EQ(std::any_cast<std::shared_ptr<int>>(*table_.take_closed()->state), content);
  EXPECT_EQ(content.use_count(), 1);
}

}  // namespace
}  // namespace remotemedia::detail
