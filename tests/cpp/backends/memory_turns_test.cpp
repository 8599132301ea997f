// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/memory_turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "remotemedia/base/error.h"
#include "testing/event_count.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using testing::EventCount;
using testing::thrown;

[[noreturn]] void no_room() { throw OutOfMemory("there is no room", OutOfMemory::Unit::bytes, 2, 1, {"other"}); }

bool yes() { return true; }
bool no() { return false; }

/// One that takes as soon as there is `room`, on a thread of its own.
class Waiter {
 public:
  explicit Waiter(MemoryTurns& turns)
      : thread_([this, &turns] {
          turns.take_when_there_is_room([this] {
            tried_.add();
            if (!room_) no_room();
          });
          took_.add();
        }) {}

  void wait_until_tried(int times) { tried_.wait_for(times); }
  void wait_until_it_took() { took_.wait_for(1); }
  bool took() const { return took_.count() > 0; }
  void make_room() { room_ = true; }

 private:
  EventCount tried_;
  EventCount took_;
  std::atomic<bool> room_ = false;
  std::jthread thread_;
};

TEST(MemoryTurnsTest, TriesAtOnceWhereNobodyWaits) {
  MemoryTurns turns;
  EXPECT_TRUE(turns.try_take(yes));
  EXPECT_FALSE(turns.try_take(no));
}

TEST(MemoryTurnsTest, WithNobodyWhoCouldGiveAnyBackTheErrorIsTheCallers) {
  MemoryTurns turns;
  EXPECT_EQ(thrown<OutOfMemory>([&] { turns.take_when_there_is_room(no_room); }).needed, 2U);
  ASSERT_TRUE(turns.try_take(yes));
  turns.gave_back();
  EXPECT_EQ(thrown<OutOfMemory>([&] { turns.take_when_there_is_room(no_room); }).needed, 2U);
}

TEST(MemoryTurnsTest, TriesAgainWhenMemoryWasGivenBack) {
  MemoryTurns turns;
  ASSERT_TRUE(turns.try_take(yes));
  ASSERT_TRUE(turns.try_take(yes));
  Waiter waiter(turns);
  waiter.wait_until_tried(1);
  turns.gave_back();
  waiter.wait_until_tried(2);
  EXPECT_FALSE(waiter.took());
  waiter.make_room();
  turns.gave_back();
  waiter.wait_until_it_took();
}

TEST(MemoryTurnsTest, NobodyOvertakesWhoWaits) {
  MemoryTurns turns;
  ASSERT_TRUE(turns.try_take(yes));
  Waiter first(turns);
  first.wait_until_tried(1);
  while (turns.try_take(yes)) turns.gave_back();  // until it has heard that there was no room
  Waiter second(turns);
  second.make_room();
  first.make_room();
  turns.gave_back();
  first.wait_until_it_took();
  second.wait_until_it_took();
  EXPECT_TRUE(turns.try_take(yes));
}

TEST(MemoryTurnsTest, WhoFindsRoomHoldsNobodyUpWhoNeedsNone) {
  MemoryTurns turns;
  EventCount takes;
  EventCount may_end;
  std::jthread slow([&] {
    turns.take_when_there_is_room([&] {
      takes.add();
      may_end.wait_for(1);
    });
  });
  takes.wait_for(1);
  EXPECT_TRUE(turns.try_take(yes));
  EXPECT_FALSE(turns.try_take(no));
  may_end.add();
}

TEST(MemoryTurnsTest, AFailureIsTheEndOfATurnOnly) {
  MemoryTurns turns;
  ASSERT_TRUE(turns.try_take(yes));
  Waiter first(turns);
  first.wait_until_tried(1);
  EventCount failed;
  std::jthread fails([&] {
    EXPECT_STREQ(thrown<std::domain_error>([&] {
                   turns.take_when_there_is_room([] { throw std::domain_error("no such file"); });
                 }).what(),
                 "no such file");
    failed.add();
  });
  first.make_room();
  turns.gave_back();
  first.wait_until_it_took();
  failed.wait_for(1);
  EXPECT_TRUE(turns.try_take(yes));
}

}  // namespace
}  // namespace remotemedia
