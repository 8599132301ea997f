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

TEST(IdleSpinTest, OneThatHadToWakeItAndCameSoonOtherwiseIsReasonToLookOnce) {
  IdleSpin spin;
  for (int i = 0; i < IdleSpin::kPatience; ++i) spin.waited(2ms, 50us);
  spin.waited(50us + IdleSpin::kWaking, 50us);
  EXPECT_EQ(spin.get(50us), Duration(50us));
  spin.waited(50us + IdleSpin::kWaking, 50us);
  EXPECT_EQ(spin.get(50us), IdleSpin::kShort) << "it looked, and would have seen it";
  spin.waited(51us + IdleSpin::kWaking, 50us);
  EXPECT_EQ(spin.get(50us), IdleSpin::kShort);
  spin.waited(51us, 50us);
  spin.waited(20us, 50us);
  for (int i = 1; i < IdleSpin::kPatience; ++i) spin.waited(2ms, 50us);
  EXPECT_EQ(spin.get(50us), Duration(50us)) << "what came in time has all the patience again";
}

/// A place without calls, where a look takes 100 ns.
class EmptyPlace final : public detail::CallSource {
 public:
  explicit EmptyPlace(ManualClock& clock, bool has_looks = true) : clock_(clock), has_looks_(has_looks) {}

  bool has_looks() const noexcept override { return has_looks_; }
  bool look() noexcept override {
    ++looks_;
    clock_.advance(100ns);
    return false;
  }
  bool wait(TimePoint looks_until) noexcept override {
    looks_before_sleep = looks_.exchange(0);
    looks_for = (looks_until - clock_.now()).count();
    slept.add();
    woken_.wait_for(++wakes_seen_);
    return true;
  }
  void end_wait() noexcept override { woken_.add(); }
  void end_looks() noexcept override {}

  std::atomic<int> looks_before_sleep = 0;
  std::atomic<Duration::rep> looks_for = 0;  // itself, before it sleeps
  EventCount slept;

 private:
  ManualClock& clock_;
  const bool has_looks_;
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

TEST_F(IdleWorkerTest, APlaceThatLooksItselfLooksTwiceAsLongFromWhenTheAnswerIsSent) {
  EmptyPlace place(clock_, false);
  serve(8);
  worker_->add_source(place);
  place.slept.wait_for(1);
  Reply reply;
  detail::Call what = call({1}, reply);
  what.on_answer = [this, give = reply.sink()](detail::Answer&& answer) {
    clock_.advance(40us);
    give(std::move(answer));
  };
  submit(std::move(what));
  reply.rows();
  place.slept.wait_for(2);
  EXPECT_EQ(Duration(place.looks_for), 2 * WorkerConfig().spin);
  worker_->remove_source(place);
}

}  // namespace
}  // namespace remotemedia::testing
