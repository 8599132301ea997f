// SPDX-License-Identifier: Apache-2.0
//
// What is counted of one client process.

#include "remotemedia/channel/client_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <memory>
#include <vector>

#include "remotemedia/channel/tensor_sending.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia::detail {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kMost = 1000;

TEST(BudgetTest, WhatDoesNotFitIsNotTaken) {
  Budget budget(kMost);
  EXPECT_TRUE(budget.take(0));
  EXPECT_TRUE(budget.take(600));
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_FALSE(budget.take(401));
    EXPECT_FALSE(budget.take(std::numeric_limits<std::size_t>::max()));
    EXPECT_EQ(budget.left(), 400U);
  }
  EXPECT_TRUE(budget.take(400));
  EXPECT_EQ(budget.left(), 0U);
  budget.give_back(1000);
  EXPECT_EQ(budget.left(), kMost);
}

TEST(BudgetTest, MoreThanThereIsLeavesNothingUntilItIsBack) {
  Budget budget(kMost);
  budget.take_anyway(1500);
  EXPECT_EQ(budget.left(), 0U);
  EXPECT_FALSE(budget.take(0));
  budget.give_back(600);
  EXPECT_EQ(budget.left(), 100U);
  EXPECT_TRUE(budget.take(100));
}

TEST(BudgetTest, ThreadsTogetherTakeNoMoreThanThereIs) {
  Budget budget(kMost);
  std::atomic<int> taken{0};
  testing::together(8, [&](std::size_t) {
    for (int i = 0; i < 1000; ++i) taken += budget.take(3) ? 1 : 0;
  });
  EXPECT_EQ(taken, 333);
}

TEST(ClientProcessTest, CopiedInputsCountUntilTheirLastHoldGoes) {
  const auto process = std::make_shared<ClientProcess>(kMost);
  for (int twice = 0; twice < 2; ++twice) {
    TensorBuffer first = allocate_copied_input(process, 600);
    EXPECT_EQ(process->copied_inputs.left(), 400U);
    for (int again = 0; again < 2; ++again) {
      const Error error = testing::thrown([&] { allocate_copied_input(process, 404); });
      EXPECT_EQ(error.code(), ErrorCode::rejected);
      EXPECT_THAT(error.what(), HasSubstr("memory_quota_bytes permits one process 1000 bytes"));
    }
    const TensorBuffer second = allocate_copied_input(process, 400);
    EXPECT_EQ(process->copied_inputs.left(), 0U);
    const TensorBuffer hold = first;
    first = {};
    EXPECT_EQ(process->copied_inputs.left(), 0U);
    EXPECT_EQ(hold.nbytes(), 600U);
  }
  EXPECT_EQ(process->copied_inputs.left(), kMost);
}

TEST(ClientProcessTest, CopiedInputsMayOutliveTheirSessions) {
  auto process = std::make_shared<ClientProcess>(kMost);
  const std::weak_ptr<ClientProcess> alive = process;
  {
    const TensorBuffer tensor = allocate_copied_input(process, 40);
    process.reset();
    EXPECT_FALSE(alive.expired());
  }
  EXPECT_TRUE(alive.expired());
}

class LentTensorsTest : public ::testing::Test {
 protected:
  void lend(std::uint64_t slot) {
    const TensorBuffer tensor = TensorBuffer::allocate({25}, DataType::float32);
    OutgoingTensor one{0U, tensor};
    one.place = SegmentPlace{3, 1, slot};
    lent_.lend(std::span(&one, 1));
  }
  void give_back(std::uint64_t slot) {
    TensorDescriptor release;
    release.segment = 3;
    release.generation = 1;
    release.slot_offset = slot;
    lent_.take_back(release);
  }

  Budget budget_{kMost};
  LentTensors lent_{budget_};
};

TEST_F(LentTensorsTest, CountOnceHoweverOftenTheyAreLent) {
  for (int twice = 0; twice < 2; ++twice) {
    lend(4096);
    lend(4096);
    lend(8192);
    EXPECT_EQ(budget_.left(), kMost - 200);
    give_back(4096);
    EXPECT_EQ(budget_.left(), kMost - 200);
    give_back(4096);
    EXPECT_EQ(budget_.left(), kMost - 100);
    lent_.clear();
    EXPECT_EQ(budget_.left(), kMost);
  }
}

TEST_F(LentTensorsTest, OneThatIsKeptForAWholeTurnIsNoticed) {
  lend(4096);
  EXPECT_FALSE(lent_.end_turn());
  EXPECT_TRUE(lent_.end_turn());
  EXPECT_TRUE(lent_.end_turn());
  give_back(4096);
  EXPECT_FALSE(lent_.end_turn());
  lend(4096);
  EXPECT_FALSE(lent_.end_turn()) << "it was not there at the turn's begin";
  give_back(4096);
  EXPECT_FALSE(lent_.end_turn());
}

TEST_F(LentTensorsTest, OneThatIsLentAgainAndAgainAndGivenBackEachTimeIsNotKept) {
  lend(4096);
  for (int turn = 0; turn < 5; ++turn) {
    lend(4096);
    give_back(4096);
    EXPECT_FALSE(lent_.end_turn());
  }
  EXPECT_TRUE(lent_.end_turn());
}

}  // namespace
}  // namespace remotemedia::detail
