// SPDX-License-Identifier: Apache-2.0
//
// A caller that stops waiting: the load goes on, its result is kept, and no hold stays behind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

#include "remotemedia/registry/model_registry.h"
#include "testing/counting_clock.h"
#include "testing/event_log.h"
#include "testing/latch.h"
#include "testing/life.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::EventLog;
using testing::Life;
using testing::Probe;
using testing::probe_loader;
using Kind = RegistryEvent::Kind;

LoadOptions timeout_of(Duration timeout) {
  LoadOptions options;
  options.timeout = timeout;
  return options;
}

/// A registry whose clock stands still, and a loader that waits to be let through.
class TimeoutTest : public ::testing::Test {
 protected:
  auto slow_loader() {
    return [this] {
      ++loads_;
      begun_.count_down();
      may_end_.wait();
      return std::make_unique<Probe>(life_);
    };
  }

  Life life_;
  EventLog log_;
  testing::CountingClock clock_{testing::CountingClock::Sleepers::look_again};
  std::atomic<int> loads_{0};
  testing::Latch begun_{1};
  testing::Latch may_end_{1};
  ModelRegistry registry_{{.ttl = std::nullopt, .clock = &clock_}};
};

TEST_F(TimeoutTest, TheCallerThatLoadsLeavesAndTheResultIsKept) {
  log_.listen_to(registry_);
  for (int attempt = 0; attempt < 2; ++attempt) {  // the second one joins and leaves too
    const Error error = testing::thrown([&] { registry_.get_or_load<Probe>("a", slow_loader(), timeout_of(0ns)); });
    EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'a'"));
  }
  begun_.wait();
  EXPECT_EQ(registry_.list_models().at(0).state, ModelState::loading);
  may_end_.count_down();
  log_.wait_for(Kind::loaded, "a");
  EXPECT_EQ(registry_.list_models().at(0).reference_count, 0U);
  const auto handle = registry_.get<Probe>("a");
  ASSERT_TRUE(handle.has_value());
  EXPECT_EQ(loads_, 1);
  EXPECT_EQ(life_.made, 1);
}

TEST_F(TimeoutTest, AJoinerLeavesExactlyWhenItsTimeHasPassed) {
  std::jthread leader([&] { registry_.get_or_load<Probe>("a", slow_loader()); });
  begun_.wait();
  std::atomic<bool> left{false};
  std::jthread joiner([&] {
    EXPECT_EQ(testing::code_thrown([&] { registry_.get_or_load<Probe>("a", slow_loader(), timeout_of(5s)); }),
              ErrorCode::deadline_exceeded);
    left = true;
  });
  clock_.wait_for_sleeps_with_end(1);
  clock_.advance(5s - 1ns);
  const int looks = clock_.sleeps_with_end();
  clock_.wait_for_sleeps_with_end(looks + 2);  // it has looked at the clock, and sleeps again
  EXPECT_FALSE(left);
  clock_.advance(1ns);
  joiner.join();
  may_end_.count_down();
  leader.join();
  EXPECT_EQ(registry_.list_models().at(0).reference_count, 0U);
  EXPECT_TRUE(registry_.evict("a"));
}

TEST_F(TimeoutTest, OthersGoOnWaitingWhenOneLeaves) {
  std::jthread leader([&] { registry_.get_or_load<Probe>("a", slow_loader()); });
  begun_.wait();
  std::jthread stays([&] { EXPECT_TRUE(registry_.get_or_load<Probe>("a", slow_loader())); });
  EXPECT_EQ(testing::code_thrown([&] { registry_.get_or_load<Probe>("a", slow_loader(), timeout_of(0ns)); }),
            ErrorCode::deadline_exceeded);
  may_end_.count_down();
  leader.join();
  stays.join();
  EXPECT_EQ(loads_, 1);
}

TEST_F(TimeoutTest, AFailureAfterEverybodyLeftIsNotRemembered) {
  log_.listen_to(registry_);
  const auto fails = [this]() -> std::unique_ptr<Probe> {
    may_end_.wait();
    throw std::runtime_error("too late");
  };
  EXPECT_EQ(testing::code_thrown([&] { registry_.get_or_load<Probe>("a", fails, timeout_of(0ns)); }),
            ErrorCode::deadline_exceeded);
  may_end_.count_down();
  log_.wait_for(Kind::load_failed, "a");
  for (int attempt = 0; attempt < 2; ++attempt) EXPECT_TRUE(registry_.get_or_load<Probe>("a", probe_loader(life_)));
  EXPECT_EQ(life_.made, 1);
}

TEST_F(TimeoutTest, ACallMayGiveUpWhileItIsQueued) {
  log_.listen_to(registry_);
  std::jthread first([&] { registry_.get_or_load<Probe>("first", slow_loader()); });
  begun_.wait();
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_EQ(
        testing::code_thrown([&] { registry_.get_or_load<Probe>("queued", probe_loader(life_), timeout_of(0ns)); }),
        ErrorCode::deadline_exceeded);
  }
  EXPECT_EQ(log_.count(Kind::load_started, "queued"), 0U);
  may_end_.count_down();
  log_.wait_for(Kind::loaded, "queued");
  EXPECT_TRUE(registry_.get<Probe>("queued").has_value());
  EXPECT_EQ(registry_.metrics().loads, 2U);
}

TEST_F(TimeoutTest, AModelThatIsThereNeedsNoTime) {
  registry_.get_or_load<Probe>("a", probe_loader(life_)).release();
  EXPECT_TRUE(registry_.get_or_load<Probe>("a", probe_loader(life_), timeout_of(0ns)));
}

TEST_F(TimeoutTest, TheLongestTimeoutIsNoShortOne) {
  EXPECT_TRUE(registry_.get_or_load<Probe>("a", probe_loader(life_), timeout_of(Duration::max())));
  EXPECT_TRUE(registry_.get_or_load<Probe>("b", probe_loader(life_), timeout_of(Duration::max() - 1h)));
}

TEST_F(TimeoutTest, ANegativeTimeoutIsRefusedAlsoOnAHit) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_EQ(testing::code_thrown([&] { registry_.get_or_load<Probe>("a", probe_loader(life_), timeout_of(-1ns)); }),
              ErrorCode::invalid_argument);
  }
  EXPECT_EQ(life_.made, 0);
  const auto handle = registry_.get_or_load<Probe>("a", probe_loader(life_));
  EXPECT_EQ(testing::code_thrown([&] { registry_.get_or_load<Probe>("a", probe_loader(life_), timeout_of(-1ns)); }),
            ErrorCode::invalid_argument);
}

TEST_F(TimeoutTest, TheLoaderOfACallWithATimeoutRunsOnAnotherThreadAndOwnsItself) {
  auto token = std::make_shared<int>(7);
  std::weak_ptr<int> watched = token;
  std::thread::id loads_on;
  {
    const auto handle = registry_.get_or_load<int>(
        "a",
        [&loads_on, token = std::move(token)] {
          loads_on = std::this_thread::get_id();
          return std::make_unique<int>(*token);
        },
        timeout_of(1h));
    EXPECT_EQ(*handle, 7);
  }
  EXPECT_NE(loads_on, std::this_thread::get_id());
}

TEST_F(TimeoutTest, ALeaderThatGaveUpIsFollowedByItsLoadToTheRegistrysEnd) {
  {
    ModelRegistry registry{{.clock = &clock_}};
    EXPECT_EQ(testing::code_thrown([&] { registry.get_or_load<Probe>("a", slow_loader(), timeout_of(0ns)); }),
              ErrorCode::deadline_exceeded);
    begun_.wait();
    may_end_.count_down();
  }
  EXPECT_EQ(life_.made, 1);
  EXPECT_EQ(life_.alive, 0) << "the registry waited for its load and destroyed the result";
}

TEST(TimeoutStressTest, CallersThatLeaveAtTheLastMomentLeakNoHold) {
  Life life;
  ModelRegistry registry{{.ttl = std::nullopt}};
  std::atomic<int> got{0};
  std::atomic<int> left{0};
  for (int round = 0; round < 100; ++round) {
    testing::together(4, [&](std::size_t i) {
      try {
        registry.get_or_load<Probe>("a", probe_loader(life), timeout_of(std::chrono::microseconds{20 * (i + 1)}));
        ++got;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded);
        ++left;
      }
    });
    // Whoever asks now waits for the load that may still run.
    registry.get_or_load<Probe>("a", probe_loader(life)).release();
    ASSERT_EQ(registry.list_models().at(0).reference_count, 0U);
    ASSERT_TRUE(registry.evict("a"));
  }
  EXPECT_EQ(got + left, 400);
  registry.clear();
  EXPECT_EQ(life.alive, 0);
  EXPECT_EQ(life.most_alive, 1);
}

}  // namespace
}  // namespace remotemedia
