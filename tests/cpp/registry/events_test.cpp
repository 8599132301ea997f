// SPDX-License-Identifier: Apache-2.0
//
// subscribe(): what listeners hear, in which order, and what they may do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "remotemedia/base/log.h"
#include "remotemedia/registry/model_registry.h"
#include "testing/event_log.h"
#include "testing/latch.h"
#include "testing/life.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::EventLog;
using ::testing::HasSubstr;
using testing::Life;
using testing::Probe;
using testing::probe_loader;
using Kind = RegistryEvent::Kind;

class EventsTest : public ::testing::Test {
 protected:
  ~EventsTest() override { set_log_sink({}); }

  void make(RegistryConfig config) {
    config.clock = &clock_;
    registry_.emplace(config);
  }
  ModelHandle<Probe> hold(const std::string& key) {
    LoadOptions options;
    options.memory_bytes = 10;
    return registry_->get_or_load<Probe>(key, probe_loader(life_), options);
  }

  Life life_;
  EventLog log_;
  ManualClock clock_;
  std::optional<ModelRegistry> registry_;
};

TEST_F(EventsTest, ALifeIsToldInOrder) {
  make({.ttl = std::nullopt});
  log_.listen_to(*registry_);
  registry_->get_or_load<Probe>("a",
                                [&] {
                                  clock_.advance(2s);
                                  return std::make_unique<Probe>(life_);
                                },
                                {.memory_bytes = 10});
  registry_->get<Probe>("a");
  clock_.advance(3s);
  registry_->evict("a");
  log_.wait_for(Kind::destroyed, "a");
  EXPECT_THAT(log_.texts(), ElementsAre("load_started a", "loaded a", "released a", "hit a", "released a", "evicted a",
                                        "destroyed a"));
  const auto events = log_.events();
  EXPECT_EQ(events[1].duration, 2s) << "of the load";
  EXPECT_EQ(events[1].bytes, 10U);
  EXPECT_EQ(events[5].duration, 3s) << "from load to eviction";
  EXPECT_EQ(events[5].bytes, 10U);
  EXPECT_EQ(events[6].bytes, 10U);
}

TEST_F(EventsTest, AFailureIsToldWithItsTime) {
  make({});
  log_.listen_to(*registry_);
  for (std::size_t attempt = 1; attempt <= 2; ++attempt) {
    EXPECT_THROW(registry_->get_or_load<Probe>("a",
                                               [&]() -> std::unique_ptr<Probe> {
                                                 clock_.advance(4s);
                                                 throw std::runtime_error("no");
                                               }),
                 Error);
    log_.wait_for(Kind::load_failed, "a", attempt);
  }
  EXPECT_THAT(log_.texts(), ElementsAre("load_started a", "load_failed a", "load_started a", "load_failed a"));
  EXPECT_EQ(log_.events()[1].duration, 4s);
}

TEST_F(EventsTest, EveryKindHasAName) {
  std::vector<std::string> names;
  for (const Kind kind : {Kind::load_started, Kind::loaded, Kind::load_failed, Kind::hit, Kind::released, Kind::evicted,
                          Kind::destroyed}) {
    names.emplace_back(to_string(kind));
  }
  EXPECT_THAT(names, ElementsAre("load_started", "loaded", "load_failed", "hit", "released", "evicted", "destroyed"));
}

TEST_F(EventsTest, EveryHitAndReleaseIsToldHoweverItIsAsked) {
  make({.ttl = std::nullopt});
  const ModelKey key("a");
  hold("a");
  log_.listen_to(*registry_);
  registry_->get<Probe>("a");
  registry_->get<Probe>(key);
  registry_->get_or_load<Probe>(key, probe_loader(life_));
  registry_->get_or_load<Probe>("a", probe_loader(life_), {.keep_alive = 1h});
  registry_->get_or_load<Probe>("a", probe_loader(life_), {.timeout = 1h, .holder = "x"});
  log_.wait_for(Kind::released, "a", 5);
  EXPECT_EQ(log_.count(Kind::hit, "a"), 5U);
  EXPECT_EQ(log_.events().size(), 10U);
}

TEST_F(EventsTest, ListenersRunOnTheRegistrysThread) {
  make({.ttl = std::nullopt});
  std::atomic<std::thread::id> first{std::thread::id{}};
  std::atomic<int> heard{0};
  registry_->subscribe([&](const RegistryEvent&) {
    if (++heard == 1) first = std::this_thread::get_id();
    EXPECT_EQ(std::this_thread::get_id(), first.load());
    EXPECT_NE(std::this_thread::get_id(), std::thread::id{});
  });
  log_.listen_to(*registry_);
  testing::together(4, [&](std::size_t i) { hold(std::to_string(i)); });
  registry_->clear();
  for (const char* key : {"0", "1", "2", "3"}) log_.wait_for(Kind::destroyed, key);
  EXPECT_NE(first.load(), std::this_thread::get_id());
  EXPECT_EQ(life_.ended_on.load(), first.load()) << "the thread that destroys";
}

TEST_F(EventsTest, AListenerThatThrowsIsLoggedAndGoesOnBeingCalled) {
  make({.ttl = std::nullopt});
  std::vector<std::string> logged;
  std::mutex mutex;
  set_log_sink([&](LogLevel level, std::string_view message) {
    EXPECT_EQ(level, LogLevel::warning);
    const std::scoped_lock lock(mutex);
    logged.emplace_back(message);
  });
  std::atomic<int> calls{0};
  registry_->subscribe([&](const RegistryEvent&) {
    if (++calls % 2 == 0) throw std::runtime_error("the disk is full");
    throw 42;
  });
  log_.listen_to(*registry_);
  hold("a");
  log_.wait_for(Kind::released, "a");
  EXPECT_EQ(calls, 3);
  registry_.reset();
  EXPECT_THAT(logged, ElementsAre(HasSubstr("load_started"), HasSubstr("the disk is full"), HasSubstr("released"),
                                  HasSubstr("the disk is full"), HasSubstr("destroyed")));
}

TEST_F(EventsTest, ASlowListenerHoldsUpNobodyElse) {
  make({.ttl = std::nullopt});
  testing::Latch heard(1);
  testing::Latch may_go_on(1);
  registry_->subscribe([&](const RegistryEvent& event) {
    if (event.kind != Kind::load_started || event.key != "a") return;
    heard.count_down();
    may_go_on.wait();
  });
  log_.listen_to(*registry_);
  hold("a");
  heard.wait();
  for (int i = 0; i < 100; ++i) hold(std::to_string(i % 5));
  EXPECT_TRUE(registry_->evict("0"));
  EXPECT_EQ(registry_->metrics().loads, 6U);
  EXPECT_EQ(log_.events().size(), 0U);
  may_go_on.count_down();
  log_.wait_for(Kind::destroyed, "0");
  EXPECT_EQ(log_.count(Kind::released, "4"), 20U) << "nothing is lost";
}

TEST_F(EventsTest, AListenerThatFallsFarBehindMissesHitsAndReleasesAndNothingElse) {
  make({.ttl = std::nullopt});
  std::vector<std::string> logged;
  std::mutex mutex;
  set_log_sink([&](LogLevel, std::string_view message) {
    const std::scoped_lock lock(mutex);
    logged.emplace_back(message);
  });
  testing::Latch heard(1);
  testing::Latch may_go_on(1);
  std::atomic<int> hits{0};
  std::atomic<int> loads{0};
  registry_->subscribe([&](const RegistryEvent& event) {
    if (event.kind == Kind::load_started && event.key == "a") {
      heard.count_down();
      may_go_on.wait();
    }
    hits += event.kind == Kind::hit;
    loads += event.kind == Kind::loaded;
  });
  auto handle = hold("a");
  heard.wait();
  for (int i = 0; i < 50'000; ++i) registry_->get<Probe>("a");  // a hit and a release each
  hold("b");
  may_go_on.count_down();
  log_.listen_to(*registry_);
  hold("end");
  log_.wait_for(Kind::loaded, "end");
  EXPECT_EQ(loads, 3);
  EXPECT_LE(hits, 32'768);
  EXPECT_GT(hits, 32'000);
  registry_->clear();
  hold("one more");
  log_.wait_for(Kind::released, "one more");
  registry_.reset();
  const std::scoped_lock lock(mutex);
  EXPECT_THAT(logged, Contains(HasSubstr("too slow")));
}

TEST_F(EventsTest, WhatSubscribeReturnsEndsIt) {
  make({.ttl = std::nullopt});
  std::atomic<int> heard{0};
  const auto stop = registry_->subscribe([&](const RegistryEvent&) { ++heard; });
  log_.listen_to(*registry_);
  hold("a");
  log_.wait_for(Kind::released, "a");
  EXPECT_EQ(heard, 3);
  for (int i = 0; i < 3; ++i) stop();
  hold("a");
  log_.wait_for(Kind::released, "a", 2);
  EXPECT_EQ(heard, 3);
}

TEST_F(EventsTest, AListenerMayEndItself) {
  make({.ttl = std::nullopt});
  std::function<void()> stop;
  std::atomic<int> heard{0};
  stop = registry_->subscribe([&](const RegistryEvent&) {
    ++heard;
    stop();
  });
  log_.listen_to(*registry_);
  hold("a");
  log_.wait_for(Kind::released, "a");
  EXPECT_EQ(heard, 1);
}

TEST_F(EventsTest, WhatEndsASubscriptionMayOutliveTheRegistry) {
  make({});
  const auto token = std::make_shared<int>(0);
  const auto stop = registry_->subscribe([token](const RegistryEvent&) {});
  const auto handle = hold("a");
  registry_.reset();
  stop();
  stop();
  const auto copy = stop;
  copy();
}

TEST_F(EventsTest, AnEndedListenerIsDestroyed) {
  make({.ttl = std::nullopt});
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = token;
  log_.listen_to(*registry_);
  auto stop = registry_->subscribe([token = std::move(token)](const RegistryEvent&) {});
  hold("a");
  log_.wait_for(Kind::released, "a");
  stop();
  stop = nullptr;
  hold("b");  // the registry's thread has let go of it when it tells of this
  log_.wait_for(Kind::released, "b");
  EXPECT_TRUE(watched.expired());
}

TEST_F(EventsTest, NothingToCallIsRefused) {
  make({});
  for (int attempt = 0; attempt < 2; ++attempt) {
    EXPECT_EQ(testing::code_thrown([&] { registry_->subscribe({}); }), ErrorCode::invalid_argument);
  }
}

TEST_F(EventsTest, ListenersComeAndGoWhileThingsHappen) {
  make({.ttl = 0ns});
  std::atomic<int> heard{0};
  testing::together(4, [&](std::size_t i) {
    for (int n = 0; n < 100; ++n) {
      if (i == 0) {
        registry_->subscribe([&](const RegistryEvent&) { ++heard; })();
      } else {
        hold(std::to_string(i));
      }
    }
  });
  log_.listen_to(*registry_);
  hold("end");
  log_.wait_for(Kind::destroyed, "end");
}

TEST_F(EventsTest, AListenerHearsNothingThatHappenedBeforeIt) {
  make({.ttl = std::nullopt});
  testing::Latch heard(1);
  testing::Latch may_go_on(1);
  registry_->subscribe([&](const RegistryEvent& event) {
    if (event.kind != Kind::load_started) return;
    heard.count_down();
    may_go_on.wait();
  });
  hold("before");
  heard.wait();
  for (int i = 0; i < 3; ++i) registry_->get<Probe>("before");  // waits to be told
  log_.listen_to(*registry_);
  registry_->get<Probe>("before");
  may_go_on.count_down();
  hold("after");
  log_.wait_for(Kind::load_started, "after");
  auto first_three = log_.texts();
  first_three.resize(3);
  EXPECT_THAT(first_three, ElementsAre("hit before", "released before", "load_started after"));
}

}  // namespace
}  // namespace remotemedia
