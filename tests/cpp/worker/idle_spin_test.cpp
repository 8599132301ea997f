// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/idle_spin.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <utility>

#include "worker/served_model.h"

namespace remotemedia::testing {
namespace {

using detail::IdleSpin;
using namespace std::chrono_literals;

TEST(IdleSpinTest, CallsThatComeTooLateOneAfterTheOtherAreLookedForBriefly) {
  IdleSpin spin;
  for (int i = 1; i < IdleSpin::kPatience; ++i) spin.waited(2ms, 50us);
  EXPECT_EQ(spin.get(50us), Duration(50us));
  spin.waited(2ms, 50us);
  EXPECT_EQ(spin.get(50us), IdleSpin::kShort);
  EXPECT_EQ(spin.get(0us), Duration(0));
}

TEST(IdleSpinTest, OneThatComesInTimeIsReasonToLook) {
  IdleSpin spin;
  for (int i = 0; i < 100; ++i) spin.waited(2ms, 50us);
  spin.waited(50us, 50us);
  EXPECT_EQ(spin.get(50us), Duration(50us));
}

/// A place without calls, where a look takes 100 ns.
class EmptyPlace final : public detail::CallSource {
 public:
  explicit EmptyPlace(ManualClock& clock) : clock_(clock) {}

  bool look() noexcept override {
    ++looks_;
    clock_.advance(100ns);
    return false;
  }
  bool wait(TimePoint /*looks_until*/) noexcept override {
    looks_before_sleep = looks_.exchange(0);
    slept.add();
    woken_.wait_for(++wakes_seen_);
    return true;
  }
  void end_wait() noexcept override { woken_.add(); }
  void end_looks() noexcept override {}

  std::atomic<int> looks_before_sleep = 0;
  EventCount slept;

 private:
  ManualClock& clock_;
  std::atomic<int> looks_ = 0;
  int wakes_seen_ = 0;
  EventCount woken_;
};

class IdleWorkerTest : public WorkerTest {
 protected:
  /// How often it looks after a call that came `later` than it fell asleep.
  int looks_after_a_call(Duration later) {
    place_.slept.wait_for(++sleeps_);
    clock_.advance(later);
    Reply reply;
    submit({1}, reply);
    reply.rows();
    place_.slept.wait_for(sleeps_ + 1);
    return place_.looks_before_sleep;
  }

  EmptyPlace place_{clock_};
  int sleeps_ = 0;
};

TEST_F(IdleWorkerTest, ItStopsLookingForCallsThatNeverComeSoonAndBeginsAgainWhenOneDoes) {
  serve(8);
  worker_->add_source(place_);
  const int eager = looks_after_a_call(0us);
  EXPECT_GE(eager, 500);
  for (int i = 0; i < IdleSpin::kPatience; ++i) looks_after_a_call(2ms);
  EXPECT_LT(looks_after_a_call(2ms), eager / 4);
  EXPECT_EQ(looks_after_a_call(0us), eager);
  worker_->remove_source(place_);
}

}  // namespace
}  // namespace remotemedia::testing
