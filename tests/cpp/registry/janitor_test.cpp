// SPDX-License-Identifier: Apache-2.0
//
// When the registry's own thread wakes up, and that it does not otherwise.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "remotemedia/registry/janitor_alarm.h"
#include "remotemedia/registry/model_registry.h"
#include "testing/counting_clock.h"
#include "testing/event_log.h"
#include "testing/life.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::CountingClock;
using testing::EventLog;
using testing::Life;
using testing::Probe;
using testing::probe_loader;

/// What a registry may sleep in these tests beside what is tested: at its beginning, for each load and each eviction.
constexpr int kFew = 12;

TEST(JanitorTest, SleepsWithoutEndWhileNothingCanExpire) {
  CountingClock clock(CountingClock::Sleepers::must_be_woken);
  Life life;
  ModelRegistry registry{{.ttl = std::nullopt, .clock = &clock}};
  const ModelKey key("a");
  registry.get_or_load<Probe>(key, probe_loader(life)).release();
  registry.get_or_load<Probe>("witness", probe_loader(life)).release();
  for (int i = 0; i < 10'000; ++i) {
    registry.get<Probe>(key);
    registry.get<Probe>("not there");
    registry.contains("a");
    registry.list_models();
    registry.metrics();
    registry.evict_expired();
    registry.plan("b", 1);
  }
  registry.evict("witness");
  while (life.alive > 1) std::this_thread::yield();
  EXPECT_EQ(clock.sleeps_with_end(), 0);
  EXPECT_LE(clock.sleeps_without_end(), kFew);
}

TEST(JanitorTest, IsNotWokenByReleasesThatExpireLater) {
  CountingClock clock(CountingClock::Sleepers::must_be_woken);
  Life life;
  ModelRegistry registry{{.ttl = 30s, .clock = &clock}};
  const ModelKey key("a");
  registry.get_or_load<Probe>(key, probe_loader(life)).release();
  while (clock.sleeps_with_end() == 0) std::this_thread::yield();
  for (int i = 0; i < 10'000; ++i) registry.get<Probe>(key);
  LoadOptions same;
  same.keep_alive = 30s;
  for (int i = 0; i < 1000; ++i) registry.get_or_load<Probe>("a", probe_loader(life), same);
  registry.get_or_load<Probe>("witness", probe_loader(life)).release();
  registry.evict("witness");
  while (life.alive > 1) std::this_thread::yield();
  EXPECT_LE(clock.sleeps(), kFew);
}

TEST(JanitorTest, IsWokenByAReleaseThatExpiresSooner) {
  CountingClock clock(CountingClock::Sleepers::look_again);
  Life life;
  EventLog log;
  ModelRegistry registry{{.ttl = 1h, .clock = &clock}};
  log.listen_to(registry);
  registry.get_or_load<Probe>("late", probe_loader(life)).release();
  {
    const auto soon = registry.get_or_load<Probe>("soon", probe_loader(life), {.keep_alive = 1s});
    clock.advance(1min);
  }
  clock.advance(1s);
  log.wait_for(RegistryEvent::Kind::destroyed, "soon");
  EXPECT_EQ(life.alive, 1);
}

TEST(JanitorTest, SleepsWithoutEndWhileAllModelsAreHeld) {
  CountingClock clock(CountingClock::Sleepers::look_again);
  Life life;
  ModelRegistry registry{{.ttl = 10s, .cleanup_interval = 1s, .clock = &clock}};
  registry.get_or_load<Probe>("a", probe_loader(life)).release();
  const auto held = registry.get<Probe>("a");
  const int before = clock.sleeps_without_end();
  clock.advance(10s);  // it looks, finds the model in use, and its release will wake it
  while (clock.sleeps_without_end() == before) std::this_thread::yield();
  EXPECT_TRUE(registry.contains("a"));
}

TEST(JanitorTest, LooksAtEachCleanupIntervalWhetherAKeptPointerHasGone) {
  CountingClock clock(CountingClock::Sleepers::look_again);
  Life life;
  EventLog log;
  ModelRegistry registry{{.ttl = 10s, .cleanup_interval = 5s, .clock = &clock}};
  log.listen_to(registry);
  auto kept = std::make_shared<Probe>(life);
  registry.get_or_load<Probe>("a", [&] { return kept; }).release();
  while (clock.sleeps_with_end() == 0) std::this_thread::yield();
  kept.reset();
  clock.advance(10s);
  log.wait_for(RegistryEvent::Kind::destroyed, "a");
}

TEST(JanitorTest, ATickOfTheCoarseClockIsNoReasonToLookInVain) {
  CountingClock clock(CountingClock::Sleepers::look_again, 4ms);
  Life life;
  EventLog log;
  ModelRegistry registry{{.ttl = 10s, .clock = &clock}};
  log.listen_to(registry);
  registry.get_or_load<Probe>("a", probe_loader(life)).release();
  clock.advance(10s);
  log.wait_for(RegistryEvent::Kind::destroyed, "a");
  registry.get_or_load<Probe>("b", probe_loader(life)).release();
  clock.advance(10s);
  registry.evict_expired();
  log.wait_for(RegistryEvent::Kind::destroyed, "b");
}

TEST(JanitorTest, ALongestCleanupIntervalIsNoShortOne) {
  CountingClock clock(CountingClock::Sleepers::must_be_woken);
  Life life;
  ModelRegistry registry{{.ttl = 10s, .cleanup_interval = Duration::max(), .clock = &clock}};
  auto kept = std::make_shared<Probe>(life);
  registry.get_or_load<Probe>("kept", [&] { return kept; }).release();
  registry.get_or_load<Probe>("witness", probe_loader(life), {.keep_alive = 1h}).release();
  registry.evict("witness");
  while (life.alive > 1) std::this_thread::yield();
  EXPECT_LE(clock.sleeps(), kFew);
  kept.reset();
}

TEST(JanitorTest, ManyReleasesAtOnceAllWakeItInTime) {
  CountingClock clock(CountingClock::Sleepers::look_again);
  Life life;
  ModelRegistry registry{{.ttl = 0ns, .clock = &clock}};
  for (int round = 0; round < 50; ++round) {
    testing::together(4, [&](std::size_t i) {
      for (int n = 0; n < 10; ++n) {
        registry.get_or_load<Probe>(std::to_string(i) + "/" + std::to_string(n), probe_loader(life)).release();
      }
    });
    while (life.alive > 0) std::this_thread::yield();  // by itself
  }
}

TEST(JanitorAlarmTest, ARingBeforeSleepingIsHeard) {
  CountingClock clock(CountingClock::Sleepers::must_be_woken);
  detail::JanitorAlarm* const alarm = detail::JanitorAlarm::borrow();
  alarm->arm();
  alarm->ring_before(clock.now() + 1h);
  alarm->sleep_until(clock, TimePoint::max());
  EXPECT_EQ(clock.sleeps(), 0);
  detail::JanitorAlarm::give_back(alarm);
}

TEST(JanitorAlarmTest, OnlyAnEarlierMomentWakesASleeper) {
  CountingClock clock(CountingClock::Sleepers::must_be_woken);
  detail::JanitorAlarm* const alarm = detail::JanitorAlarm::borrow();
  alarm->arm();
  std::jthread sleeper([&] { alarm->sleep_until(clock, clock.now() + 10s); });
  while (clock.sleeps() == 0) std::this_thread::yield();
  alarm->ring_before(clock.now() + 10s);
  alarm->ring_before(clock.now() + 1h);
  alarm->ring_before(clock.now() + 10s - 1ns);
  sleeper.join();
  EXPECT_EQ(clock.sleeps(), 1);
  detail::JanitorAlarm::give_back(alarm);
}

TEST(JanitorAlarmTest, APassedMomentDoesNotSleep) {
  CountingClock clock(CountingClock::Sleepers::must_be_woken);
  detail::JanitorAlarm* const alarm = detail::JanitorAlarm::borrow();
  alarm->arm();
  alarm->sleep_until(clock, clock.now());
  EXPECT_EQ(clock.sleeps(), 0);
  detail::JanitorAlarm::give_back(alarm);
}

}  // namespace
}  // namespace remotemedia
