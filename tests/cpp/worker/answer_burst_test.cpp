// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/answer_burst.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace remotemedia::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AnswerBurstTest : public ::testing::Test {
 protected:
  void at_end(int number) {
    AnswerBurst::at_end([this, number] { done_.push_back(number); });
  }
  std::vector<int> done_;
};

TEST_F(AnswerBurstTest, OutsideOfABurstItIsDoneNow) {
  at_end(1);
  EXPECT_THAT(done_, ElementsAre(1));
}

TEST_F(AnswerBurstTest, InABurstItIsDoneOnceAtItsEndAndInOrder) {
  {
    AnswerBurst burst;
    at_end(1);
    at_end(2);
    EXPECT_THAT(done_, IsEmpty());
    burst.end();
    EXPECT_THAT(done_, ElementsAre(1, 2));
    at_end(3);
    EXPECT_THAT(done_, ElementsAre(1, 2));
  }
  EXPECT_THAT(done_, ElementsAre(1, 2, 3));
  at_end(4);
  EXPECT_THAT(done_, ElementsAre(1, 2, 3, 4));
}

TEST_F(AnswerBurstTest, ABurstWithinAnotherIsPartOfIt) {
  const AnswerBurst outer;
  {
    const AnswerBurst inner;
    at_end(1);
  }
  EXPECT_THAT(done_, IsEmpty());
}

TEST_F(AnswerBurstTest, WhatIsAddedAtTheEndIsDoneToo) {
  {
    const AnswerBurst burst;
    AnswerBurst::at_end([this] { at_end(2); });
    at_end(1);
  }
  EXPECT_THAT(done_, ElementsAre(1, 2));
}

TEST_F(AnswerBurstTest, AnotherThreadIsNotInIt) {
  const AnswerBurst burst;
  std::thread([this] { at_end(1); }).join();
  EXPECT_THAT(done_, ElementsAre(1));
}

}  // namespace
}  // namespace remotemedia::detail
